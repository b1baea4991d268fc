// A JSON value as Jinja sees it: undefined members, truth, text, order of keys.
// Source: Jinja 3.1 (runtime.Undefined, Environment.getitem, filters.do_dictsort, do_trim, tests)
// on Python 3.11 (str and repr), which is what the published templates were written for.
#pragma once
#include "g4/core/error.hpp"
#include "g4/text/unicode.hpp"
#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace g4::gemma4 {

namespace detail {

inline void append_python_float(std::string& out, double number) {
    char digits[40];
    const auto written =
        std::to_chars(digits, digits + sizeof digits, number, std::chars_format::scientific);
    const std::string_view text{digits, static_cast<std::size_t>(written.ptr - digits)};
    const std::size_t letter = text.find('e');
    int exponent = 0;
    const char* first = text.data() + letter + 1;
    std::from_chars(*first == '+' ? first + 1 : first, written.ptr, exponent);
    if (exponent < -4 || exponent >= 16) {
        out += text;
        return;
    }
    char plain[40];
    const auto end = std::to_chars(plain, plain + sizeof plain, number, std::chars_format::fixed);
    const std::string_view fixed{plain, static_cast<std::size_t>(end.ptr - plain)};
    out += fixed;
    if (fixed.find('.') == fixed.npos) out += ".0";
}

/// repr() of a text.
inline void append_python_quoted(std::string& out, std::string_view text) {
    const bool doubled = text.find('\'') != text.npos && text.find('"') == text.npos;
    const char quote = doubled ? '"' : '\'';
    out += quote;
    for (std::size_t at = 0; at < text.size();) {
        const utf8_character next = read_utf8(text, at);
        const auto escaped = [&](const char* form) {
            char escape[16];
            std::snprintf(escape, sizeof escape, form, static_cast<unsigned>(next.value));
            out += escape;
        };
        if (next.value == U'\n') out += "\\n";
        else if (next.value == U'\r') out += "\\r";
        else if (next.value == U'\t') out += "\\t";
        else if (next.value == U'\\' || next.value == static_cast<unsigned char>(quote))
            out.append(1, '\\').append(1, static_cast<char>(next.value));
        else if (is_printable(next.value)) out += text.substr(at, next.bytes);
        else escaped(next.value < 0x100 ? "\\x%02x" : next.value < 0x10000 ? "\\u%04x" : "\\U%08x");
        at += next.bytes;
    }
    out += quote;
}

/// str() of what is no text, repr() of everything.
inline void append_python_repr(std::string& out, const boost::json::value& of) {
    const auto list = [&](char open, const auto& items, char close, const auto& append_item) {
        out += open;
        bool first = true;
        for (const auto& item : items) {
            if (!std::exchange(first, false)) out += ", ";
            append_item(item);
        }
        out += close;
    };
    switch (of.kind()) {
        case boost::json::kind::null: out += "None"; break;
        case boost::json::kind::bool_: out += of.get_bool() ? "True" : "False"; break;
        case boost::json::kind::int64: g4::detail::append_part(out, of.get_int64()); break;
        case boost::json::kind::uint64: g4::detail::append_part(out, of.get_uint64()); break;
        case boost::json::kind::double_: append_python_float(out, of.get_double()); break;
        case boost::json::kind::string: append_python_quoted(out, of.get_string()); break;
        case boost::json::kind::array:
            list('[', of.get_array(), ']',
                 [&](const boost::json::value& item) { append_python_repr(out, item); });
            break;
        case boost::json::kind::object:
            list('{', of.get_object(), '}', [&](const boost::json::key_value_pair& item) {
                append_python_quoted(out, item.key());
                out += ": ";
                append_python_repr(out, item.value());
            });
            break;
    }
}

}  // namespace detail

/// A value of a request, with its place in it; may be undefined.
class chat_value {
  public:
    chat_value(const boost::json::value* of, std::string at) : json{of}, path{std::move(at)} {}

    bool is_defined() const { return json != nullptr; }
    bool is_none() const { return json && json->is_null(); }
    bool is_string() const { return json && json->is_string(); }
    bool is_boolean() const { return json && json->is_bool(); }
    bool is_mapping() const { return json && json->is_object(); }
    /// Undefined counts: it has a length (none) and members (whose reading fails).
    bool is_sequence() const {
        return !json || json->is_string() || json->is_array() || json->is_object();
    }

    bool truthy() const {
        if (!json) return false;
        switch (json->kind()) {
            case boost::json::kind::null: return false;
            case boost::json::kind::bool_: return json->get_bool();
            case boost::json::kind::int64: return json->get_int64() != 0;
            case boost::json::kind::uint64: return json->get_uint64() != 0;
            case boost::json::kind::double_: return json->get_double() != 0;
            case boost::json::kind::string: return !json->get_string().empty();
            case boost::json::kind::array: return !json->get_array().empty();
            case boost::json::kind::object: return !json->get_object().empty();
        }
        return false;
    }

    bool equals(std::string_view text) const { return is_string() && json->get_string() == text; }

    /// value[key]: undefined where there is none. Errors: input_error when this is undefined.
    chat_value operator[](std::string_view key) const {
        if (!json) fail("an object");
        return member(key);
    }

    /// value.get(key). Errors: input_error when this is no object.
    chat_value get(std::string_view key) const {
        if (!is_mapping()) fail("an object");
        return member(key);
    }

    /// The items of a list. Errors: input_error for anything else.
    std::vector<chat_value> items() const {
        if (!json || !json->is_array()) fail("a list");
        std::vector<chat_value> all;
        for (const boost::json::value& item : json->get_array())
            all.emplace_back(&item, concat(path, '[', all.size(), ']'));
        return all;
    }

    /// The members, sorted by key as dictsort does: capital or not makes no difference.
    /// Errors: input_error when this is no object.
    std::vector<std::pair<std::string_view, chat_value>> sorted_members() const {
        if (!is_mapping()) fail("an object");
        struct member_of {
            std::string lower;  // UTF-8 sorts by code points, as Python's texts do
            std::size_t place;  // equal keys keep their order
            const boost::json::key_value_pair* pair;
            bool operator<(const member_of& other) const {
                return std::tie(lower, place) < std::tie(other.lower, other.place);
            }
        };
        std::vector<member_of> all;
        for (const boost::json::key_value_pair& pair : json->get_object())
            all.push_back({lower_case(pair.key()), all.size(), &pair});
        std::sort(all.begin(), all.end());
        std::vector<std::pair<std::string_view, chat_value>> sorted;
        for (const member_of& one : all) {
            const std::string_view key = one.pair->key();
            sorted.emplace_back(key, chat_value{&one.pair->value(), concat(path, '.', key)});
        }
        return sorted;
    }

    /// What iterating gives, each as text: items, characters, or keys.
    /// Errors: input_error when it cannot be iterated.
    std::vector<std::string> iterated_texts() const {
        std::vector<std::string> texts;
        if (is_string()) {
            const std::string_view whole = json->get_string();
            for (std::size_t at = 0, bytes = 0; at < whole.size(); at += bytes) {
                bytes = read_utf8(whole, at).bytes;
                texts.emplace_back(whole.substr(at, bytes));
            }
        } else if (is_mapping()) {
            for (const auto& pair : json->get_object()) texts.emplace_back(pair.key());
        } else {
            for (const chat_value& item : items()) texts.push_back(item.text());
        }
        return texts;
    }

    /// What {{ value }} writes.
    std::string text() const {
        if (!json) return {};
        if (json->is_string()) return std::string{json->get_string()};
        std::string out;
        detail::append_python_repr(out, *json);
        return out;
    }

    std::string trimmed() const { return std::string{without_outer_blanks(text())}; }

    /// value | upper
    std::string upper() const { return upper_case(text()); }

    /// The text itself. Errors: input_error when this is none, as where a template adds texts.
    std::string string() const {
        if (!is_string()) fail("a text");
        return std::string{json->get_string()};
    }

    /// Python's ==, where a missing value is None.
    bool same_as(const chat_value& other) const {
        const bool none = !json || json->is_null(), other_none = !other.json || other.is_none();
        if (none || other_none) return none == other_none;
        if (const auto a = number(), b = other.number(); a.first && b.first)
            return a.second == b.second;
        return *json == *other.json;
    }

    [[noreturn]] void fail(std::string_view expected) const {
        throw input_error{path, ": expected ", expected, ", got ", kind()};
    }

    const std::string& where() const { return path; }

  private:
    chat_value member(std::string_view key) const {
        const boost::json::object* object = json->if_object();
        return {object ? object->if_contains(key) : nullptr, concat(path, '.', key)};
    }

    std::pair<bool, double> number() const {
        if (json->is_bool()) return {true, json->get_bool() ? 1.0 : 0.0};
        return json->is_number() ? std::pair{true, json->to_number<double>()}
                                 : std::pair{false, 0.0};
    }

    std::string_view kind() const {
        if (!json) return "nothing";
        switch (json->kind()) {
            case boost::json::kind::null: return "null";
            case boost::json::kind::bool_: return json->get_bool() ? "true" : "false";
            case boost::json::kind::string: return "a text";
            case boost::json::kind::array: return "a list";
            case boost::json::kind::object: return "an object";
            default: return "a number";
        }
    }

    const boost::json::value* json;
    std::string path;
};

}  // namespace g4::gemma4
