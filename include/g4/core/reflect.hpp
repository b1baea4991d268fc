// Config structs as text: one list of members gives the dump, the literal and the cache key.
#pragma once
#include "g4/core/list.hpp"
#include <boost/hana.hpp>
#include <charconv>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace g4 {
namespace hana = boost::hana;

template <class T> concept reflected = hana::Struct<T>::value;
template <class T> concept numeric = std::integral<T> || std::floating_point<T>;

/// An enum that names its values: an array spellings(E), found by argument.
template <class E> concept spelled = std::is_enum_v<E> && requires(E e) { spellings(e); };

// literal(x): x as C++ would write it. Floats are the shortest text that reads back the same.

inline std::string literal(bool value) { return value ? "true" : "false"; }
template <numeric T> std::string literal(T value) {
    char digits[32];
    return {digits, std::to_chars(digits, digits + sizeof digits, value).ptr};
}
template <spelled E> std::string literal(E value) {
    return std::string{spellings(value)[static_cast<std::size_t>(value)]};
}
template <reflected T> std::string literal(const T& config);
template <class T> std::string literal(const std::optional<T>& value) {
    return value ? literal(*value) : "null";
}
template <class T, std::size_t Max> std::string literal(const list<T, Max>& values) {
    std::string out = "{";
    for (const T& value : values) out += (out.size() > 1 ? ", " : "") + literal(value);
    return out + "}";
}
template <reflected T> std::string literal(const T& config) {
    std::string out = "{";
    hana::for_each(hana::accessors<T>(), hana::fuse([&](auto name, auto get) {
        out += (out.size() > 1 ? ", ." : ".") + std::string{name.c_str()} + " = ";
        out += literal(get(config));
    }));
    return out + "}";
}

}  // namespace g4
