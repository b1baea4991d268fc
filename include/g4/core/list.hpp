// A vector of fixed capacity, so that a published config and a schedule can be constants.
#pragma once
#include <array>
#include <cstddef>
#include <stdexcept>

namespace g4 {

/// Errors: std::length_error when more than Max items are pushed.
template <class T, std::size_t Max> struct list {
    static constexpr std::size_t capacity = Max;
    std::array<T, Max> items{};
    std::size_t count = 0;

    constexpr void push_back(const T& item) {
        if (count == Max) throw std::length_error{"list: more items than its capacity"};
        items[count++] = item;
    }
    constexpr std::size_t size() const { return count; }
    constexpr const T* begin() const { return items.data(); }
    constexpr const T* end() const { return items.data() + count; }
    constexpr const T& operator[](std::size_t i) const { return items[i]; }
};

}  // namespace g4
