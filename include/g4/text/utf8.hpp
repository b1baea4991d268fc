// Reads UTF-8 one character at a time, where any byte may be wrong.
// Source: Unicode 15.0, table 3-7 (well-formed UTF-8 byte sequences).
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace g4 {

/// What stands at one place of a text: a character, or a byte that begins none.
struct utf8_character {
    char32_t value = 0;       // the code point; the byte itself when it begins no character
    std::uint32_t bytes = 1;  // read from the text
    bool valid = false;
};

/// The character at `at`, which must lie inside the text. A byte that begins no well-formed
/// sequence (overlong, a surrogate, cut off) is one character of one byte that is not valid.
inline utf8_character read_utf8(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
    };
    const std::uint32_t first = byte(at);
    if (first < 0x80) return {first, 1, true};
    const auto follows = [&](std::size_t i, std::uint32_t low, std::uint32_t high) {
        return byte(i) >= low && byte(i) <= high;
    };
    const auto six_bits = [&](std::size_t i) { return byte(i) & 0x3Fu; };
    if (first >= 0xC2 && first <= 0xDF && follows(at + 1, 0x80, 0xBF))
        return {(first & 0x1Fu) << 6 | six_bits(at + 1), 2, true};
    if (first >= 0xE0 && first <= 0xEF && follows(at + 2, 0x80, 0xBF) &&
        follows(at + 1, first == 0xE0 ? 0xA0 : 0x80, first == 0xED ? 0x9F : 0xBF))
        return {(first & 0xFu) << 12 | six_bits(at + 1) << 6 | six_bits(at + 2), 3, true};
    if (first >= 0xF0 && first <= 0xF4 && follows(at + 2, 0x80, 0xBF) &&
        follows(at + 3, 0x80, 0xBF) &&
        follows(at + 1, first == 0xF0 ? 0x90 : 0x80, first == 0xF4 ? 0x8F : 0xBF))
        return {
            (first & 7u) << 18 | six_bits(at + 1) << 12 | six_bits(at + 2) << 6 | six_bits(at + 3),
            4, true};
    return {first, 1, false};
}

/// Whether the text is well-formed from end to end.
inline bool is_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const utf8_character next = read_utf8(text, at);
        if (!next.valid) return false;
        at += next.bytes;
    }
    return true;
}

/// Appends the code point, which must be a Unicode scalar value.
inline void append_utf8(std::string& out, char32_t value) {
    const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
    if (value < 0x80) return put(value);
    if (value < 0x800) {
        put(0xC0 | value >> 6);
    } else if (value < 0x10000) {
        put(0xE0 | value >> 12);
        put(0x80 | (value >> 6 & 0x3F));
    } else {
        put(0xF0 | value >> 18);
        put(0x80 | (value >> 12 & 0x3F));
        put(0x80 | (value >> 6 & 0x3F));
    }
    put(0x80 | (value & 0x3F));
}

}  // namespace g4
