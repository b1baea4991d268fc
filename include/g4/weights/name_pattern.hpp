// The regular expressions of quantisation configs, matched without backtracking: they come from
// strangers, and std::regex takes exponential time and unbounded stack on some of them.
// Source: the syntax is Python's re, docs.python.org/3/library/re.html; what is missing is refused.
#pragma once
#include "g4/core/error.hpp"
#include "g4/core/json.hpp"
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace g4 {

namespace detail {

using byte_set = std::bitset<256>;

/// One step of a compiled pattern; targets are relative, so that parts can be copied and joined.
struct pattern_step {
    enum class kind : std::uint8_t {
        one_of,  // a byte of sets[value]
        split,   // goes on at first and at second
        jump,    // goes on at first
        begin,
        end,
        edge,
        no_edge,  // match no bytes
        ahead,
        not_ahead,  // the steps up to first, their `done` included, must (not) match here
        done,
    };
    kind is = kind::done;
    std::int32_t first = 1, second = 1;
    byte_set bytes{};
};
using pattern_steps = std::vector<pattern_step>;

/// Turns the text of a pattern into steps. Errors: input_error naming the construct.
class pattern_compiler {
  public:
    explicit pattern_compiler(std::string_view text) : text_{text} {
        if (text.size() > 1024) refuse("at most 1024 bytes");
    }
    pattern_steps compile() {
        pattern_steps all = alternatives(0);
        if (at_ < text_.size()) refuse("a ( for each )");
        all.push_back({});
        return all;
    }

  private:
    using kind = pattern_step::kind;
    static constexpr std::size_t max_steps = 4096;
    static constexpr int max_depth = 32;

    [[noreturn]] void refuse(std::string_view expected) const {
        throw input_error{"pattern ", printable(text_), ": expected ", expected, " at byte ", at_};
    }
    bool at_end() const { return at_ >= text_.size(); }
    bool take(std::string_view what) {
        if (!text_.substr(at_).starts_with(what)) return false;
        at_ += what.size();
        return true;
    }
    static std::int32_t offset(const pattern_steps& steps, std::int32_t more) {
        return static_cast<std::int32_t>(steps.size()) + more;
    }
    void append(pattern_steps& to, const pattern_steps& more) const {
        if (to.size() + more.size() > max_steps) refuse("a pattern of at most 4096 steps");
        to.insert(to.end(), more.begin(), more.end());
    }

    pattern_steps alternatives(int depth) {
        if (depth > max_depth) refuse("at most 32 groups inside each other");
        pattern_steps left = sequence(depth);
        while (take("|")) {
            const pattern_steps right = sequence(depth);
            pattern_steps both{{.is = kind::split, .second = offset(left, 2)}};
            append(both, left);
            both.push_back({.is = kind::jump, .first = offset(right, 1)});
            append(both, right);
            left = std::move(both);
        }
        return left;
    }
    pattern_steps sequence(int depth) {
        pattern_steps out;
        while (!at_end() && text_[at_] != '|' && text_[at_] != ')')
            append(out, repeated(atom(depth)));
        return out;
    }

    pattern_steps repeated(pattern_steps part) {
        for (int suffixes = 0; !at_end(); ++suffixes) {
            std::size_t least = 0, most = 0;
            bool bounded = false;
            if (take("*")) least = 0;
            else if (take("+")) least = 1;
            else if (take("?")) most = 1, bounded = true;
            else if (!braces(least, most, bounded)) break;
            if (suffixes > 0) refuse("one repetition per part");
            take("?");  // the lazy form: matches the same texts
            if (!at_end() && text_[at_] == '+') refuse("no possessive repetition");
            part = times(part, least, most, bounded);
        }
        return part;
    }
    /// {2}, {2,} or {2,5}; any other brace is a plain character, as in Python.
    bool braces(std::size_t& least, std::size_t& most, bool& bounded) {
        const std::size_t start = at_;
        if (!take("{")) return false;
        const bool has_least = number(least);
        bounded = true;
        most = least;
        if (take(",")) bounded = number(most);
        else if (!has_least) return at_ = start, false;
        if (!take("}")) return at_ = start, false;
        if (bounded && most < least) refuse("a repetition whose ends are in order");
        return true;
    }
    bool number(std::size_t& value) {
        const std::size_t start = at_;
        value = 0;
        for (; !at_end() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
            value = value * 10 + static_cast<std::size_t>(text_[at_] - '0');
            if (value > 1000) refuse("at most 1000 repetitions");
        }
        return at_ > start;
    }
    pattern_steps times(const pattern_steps& part, std::size_t least, std::size_t most,
                        bool bounded) const {
        pattern_steps out;
        for (std::size_t i = 0; i < least; ++i) append(out, part);
        if (!bounded) {
            append(out, {{.is = kind::split, .second = offset(part, 2)}});
            append(out, part);
            append(out, {{.is = kind::jump, .first = -offset(part, 1)}});
        }
        for (std::size_t i = least; bounded && i < most; ++i) {
            append(out, {{.is = kind::split, .second = offset(part, 1)}});
            append(out, part);
        }
        return out;
    }

    pattern_steps atom(int depth) {
        if (take("(")) return group(depth);
        if (take("[")) return {{.is = kind::one_of, .bytes = bracket()}};
        if (take("\\")) return escape();
        if (take(".")) {
            byte_set any = byte_set{}.set();
            return {{.is = kind::one_of, .bytes = any.reset('\n')}};
        }
        if (take("^")) return {{.is = kind::begin}};
        if (take("$")) return {{.is = kind::end}};
        if (const char c = text_[at_]; c == '*' || c == '+' || c == '?')
            refuse("something to repeat");
        byte_set single;
        return {
            {.is = kind::one_of, .bytes = single.set(static_cast<unsigned char>(text_[at_++]))}};
    }
    pattern_steps group(int depth) {
        const bool ahead = take("?="), not_ahead = !ahead && take("?!");
        if (take("?P<")) {
            while (!at_end() && text_[at_] != '>') ++at_;
            if (!take(">")) refuse("a > after the name of a group");
        } else if (!ahead && !not_ahead && !take("?:") && take("?")) {
            refuse("(, (?:, (?P<name>, (?= or (?!");
        }
        if ((ahead || not_ahead) && looking_ahead_) refuse("no look-ahead inside another");
        looking_ahead_ = looking_ahead_ || ahead || not_ahead;
        pattern_steps inner = alternatives(depth + 1);
        if (!take(")")) refuse("a ) for each (");
        if (!ahead && !not_ahead) return inner;
        looking_ahead_ = false;
        inner.push_back({});
        pattern_steps out{{.is = ahead ? kind::ahead : kind::not_ahead, .first = offset(inner, 1)}};
        append(out, inner);
        return out;
    }

    /// \d, \w, \s and their opposites, or nothing.
    static bool class_of(char letter, byte_set& out) {
        const char lower = static_cast<char>(letter | 32);
        if (lower != 'd' && lower != 'w' && lower != 's') return false;
        for (unsigned c = 0; c < 128; ++c) {
            const bool digit = c >= '0' && c <= '9';
            const bool word = digit || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
            const bool space = c == ' ' || (c >= 9 && c <= 13);
            out[c] = lower == 'd' ? digit : lower == 'w' ? word : space;
        }
        if (letter != lower) out.flip();
        return true;
    }
    /// The byte of an escape that stands for one character.
    unsigned char escaped_byte() {
        const char letter = text_[at_];
        const bool alphanumeric = (letter >= '0' && letter <= '9') ||
                                  (letter >= 'a' && letter <= 'z') ||
                                  (letter >= 'A' && letter <= 'Z');
        if (letter != 'n' && letter != 't' && alphanumeric)
            refuse("\\d \\w \\s \\b or an escaped sign");
        ++at_;
        return static_cast<unsigned char>(letter == 'n' ? '\n' : letter == 't' ? '\t' : letter);
    }
    pattern_steps escape() {
        if (at_end()) refuse("a character after the last backslash");
        if (take("A")) return {{.is = kind::begin}};
        if (take("Z")) return {{.is = kind::end}};
        if (take("b")) return {{.is = kind::edge}};
        if (take("B")) return {{.is = kind::no_edge}};
        byte_set bytes;
        if (class_of(text_[at_], bytes)) ++at_;
        else bytes.set(escaped_byte());
        return {{.is = kind::one_of, .bytes = bytes}};
    }
    byte_set bracket() {
        byte_set out;
        const bool inverted = take("^");
        for (bool first = true; at_end() || text_[at_] != ']' || first; first = false) {
            if (at_end()) refuse("a ] for each [");
            byte_set part;
            if (take("\\")) {
                if (at_end()) refuse("a ] for each [");
                if (class_of(text_[at_], part)) {
                    ++at_;
                    out |= part;
                    continue;
                }
                range(out, escaped_byte());
            } else {
                range(out, static_cast<unsigned char>(text_[at_++]));
            }
        }
        ++at_;
        return inverted ? ~out : out;
    }
    void range(byte_set& out, unsigned char low) {
        unsigned char high = low;
        if (at_ + 1 < text_.size() && text_[at_] == '-' && text_[at_ + 1] != ']') {
            ++at_;
            const bool escaped = take("\\");
            if (at_end()) refuse("a ] for each [");
            high = escaped ? escaped_byte() : static_cast<unsigned char>(text_[at_++]);
            if (high < low) refuse("a range whose ends are in order");
        }
        for (unsigned c = low; c <= high; ++c) out.set(c);
    }

    std::string_view text_;
    std::size_t at_ = 0;
    bool looking_ahead_ = false;
};

}  // namespace detail

/// A pattern over names, in the syntax of Python's re without flags, look-behind, back references
/// and Unicode classes.
/// Errors: the constructor throws input_error for what it does not know.
/// Cost: pattern steps times length of the name at most, look-ahead the same once per position.
class name_pattern {
  public:
    explicit name_pattern(std::string_view text)
        : steps_{detail::pattern_compiler{text}.compile()} {}

    /// A match somewhere, as re.search.
    bool found_in(std::string_view name) const { return runs(name, 0, 0, true, false); }
    /// A match that starts at the start, as re.match.
    bool starts(std::string_view name) const { return runs(name, 0, 0, false, false); }
    /// A match of the whole, as re.fullmatch.
    bool matches(std::string_view name) const { return runs(name, 0, 0, false, true); }

  private:
    using kind = detail::pattern_step::kind;

    static bool is_word(std::string_view name, std::size_t at) {
        if (at >= name.size()) return false;
        const char c = name[at];
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '_';
    }
    /// Visits each pair of step and position once; whether one of them is `done`.
    bool runs(std::string_view name, std::size_t from, std::size_t at, bool anywhere,
              bool whole) const {
        struct place {
            std::size_t step, at;
        };
        const std::size_t width = name.size() + 1;
        std::vector<bool> seen(steps_.size() * width);
        std::vector<place> open;
        const auto visit = [&](std::size_t step, std::size_t position) {
            if (seen[step * width + position]) return;
            seen[step * width + position] = true;
            open.push_back({step, position});
        };
        for (std::size_t start = anywhere ? name.size() : at; start + 1 > at; --start) {
            visit(from, start);
            if (start == 0) break;
        }
        while (!open.empty()) {
            const auto [index, position] = open.back();
            open.pop_back();
            const detail::pattern_step& step = steps_[index];
            const auto first = index + static_cast<std::size_t>(step.first);  // wraps when negative
            switch (step.is) {
                case kind::done:
                    if (!whole || position == name.size()) return true;
                    break;
                case kind::one_of:
                    if (position < name.size() &&
                        step.bytes[static_cast<unsigned char>(name[position])])
                        visit(index + 1, position + 1);
                    break;
                case kind::split:
                    visit(index + static_cast<std::size_t>(step.second), position);
                    visit(first, position);
                    break;
                case kind::jump: visit(first, position); break;
                case kind::ahead:
                case kind::not_ahead:
                    if (runs(name, index + 1, position, false, false) == (step.is == kind::ahead))
                        visit(first, position);
                    break;
                default:
                    if (holds(step.is, name, position)) visit(index + 1, position);
            }
        }
        return false;
    }
    static bool holds(kind is, std::string_view name, std::size_t at) {
        if (is == kind::begin) return at == 0;
        if (is == kind::end) return at == name.size();
        const bool edge = (at > 0 && is_word(name, at - 1)) != is_word(name, at);
        return edge == (is == kind::edge);
    }

    detail::pattern_steps steps_;
};

}  // namespace g4
