// Text of fixed capacity, so that a declaration holds no pointer and lies in read-only memory.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace g4 {

/// Up to 47 characters by value. Longer literals are rejected at compile time; sums are cut.
struct text {
    char chars[47]{};
    std::uint8_t length = 0;

    constexpr text() = default;
    constexpr explicit text(std::string_view from)
        : length{static_cast<std::uint8_t>(from.copy(chars, sizeof chars - 1))} {}
    template <std::size_t N>
    constexpr text(const char (&literal)[N]) : text{std::string_view{literal, N - 1}} {
        static_assert(N <= sizeof chars - 7, "g4: a name holds at most 39 characters");
    }
    constexpr std::string_view view() const { return {chars, length}; }
    constexpr bool empty() const { return length == 0; }
    constexpr text operator+(std::string_view right) const {
        text out = *this;
        out.length = static_cast<std::uint8_t>(
            out.length + right.copy(out.chars + length, sizeof chars - 1 - length));
        return out;
    }
    constexpr text operator+(long right) const {
        if (right < 0) return *this + "-" + -right;
        char digits[20]{};
        std::size_t at = sizeof digits;
        do digits[--at] = static_cast<char>('0' + right % 10);
        while ((right /= 10) > 0);
        return *this + std::string_view{digits + at, sizeof digits - at};
    }
    friend constexpr bool operator==(const text& a, const text& b) { return a.view() == b.view(); }
};

inline std::string string(const text& t) { return std::string{t.view()}; }

}  // namespace g4
