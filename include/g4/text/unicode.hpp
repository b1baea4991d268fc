// What Python's str knows about characters: blanks, lower case, printable.
// Source: Python 3.11, Objects/unicodeobject.c and Objects/unicodectype.c; Unicode 14.0.
#pragma once
#include "g4/text/unicode_tables.hpp"
#include "g4/text/utf8.hpp"
#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

namespace g4 {

/// str.isspace
constexpr bool is_blank(char32_t value) {
    return (value >= 0x09 && value <= 0x0D) || (value >= 0x1C && value <= 0x20) || value == 0x85 ||
           value == 0xA0 || value == 0x1680 || (value >= 0x2000 && value <= 0x200A) ||
           value == 0x2028 || value == 0x2029 || value == 0x202F || value == 0x205F ||
           value == 0x3000;
}

/// str.isprintable
inline bool is_printable(char32_t value) {
    using unicode_tables::printable_borders;
    const auto above =
        std::upper_bound(std::begin(printable_borders), std::end(printable_borders), value);
    return (above - std::begin(printable_borders)) % 2 == 1;
}

/// The text without the blanks at both ends: str.strip
inline std::string_view without_outer_blanks(std::string_view text) {
    while (!text.empty()) {
        const utf8_character first = read_utf8(text, 0);
        if (!first.valid || !is_blank(first.value)) break;
        text.remove_prefix(first.bytes);
    }
    while (!text.empty()) {
        std::size_t begin = text.size() - 1;  // of the last character
        while (begin > 0 && (text[begin] & 0xC0) == 0x80) --begin;
        const utf8_character last = read_utf8(text, begin);
        if (!last.valid || !is_blank(last.value) || begin + last.bytes != text.size()) break;
        text.remove_suffix(last.bytes);
    }
    return text;
}

namespace detail {

/// The text with every letter in its other case, as the two tables say.
template <std::size_t Runs, std::size_t Several>
std::string other_case(std::string_view text, const unicode_tables::case_run (&runs)[Runs],
                       const unicode_tables::case_several (&several)[Several]) {
    std::string out;
    for (std::size_t at = 0, bytes = 0; at < text.size(); at += bytes) {
        const utf8_character next = read_utf8(text, at);
        bytes = next.bytes;
        const auto many =
            std::ranges::find(several, next.value, &unicode_tables::case_several::letter);
        const auto above =
            std::ranges::upper_bound(runs, next.value, {}, &unicode_tables::case_run::first);
        const auto run = above == std::begin(runs) ? above : std::prev(above);
        const bool in_run = next.valid && next.value >= run->first && next.value <= run->last &&
                            (next.value - run->first) % static_cast<char32_t>(run->step) == 0;
        if (next.valid && many != std::end(several))
            for (const char32_t value : many->becomes) {
                if (value != 0) append_utf8(out, value);
            }
        else if (in_run) append_utf8(out, next.value + static_cast<char32_t>(run->difference));
        else out += text.substr(at, bytes);
    }
    return out;
}

}  // namespace detail

/// str.lower, but for the capital sigma at the end of a word, which becomes a plain one.
inline std::string lower_case(std::string_view text) {
    return detail::other_case(text, unicode_tables::lower_runs, unicode_tables::lower_several);
}

/// str.upper
inline std::string upper_case(std::string_view text) {
    return detail::other_case(text, unicode_tables::upper_runs, unicode_tables::upper_several);
}

}  // namespace g4
