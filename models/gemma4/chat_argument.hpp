// Writes values in Gemma 4's notation: {key:<|"|>text<|"|>,list:[1,true]}.
// Source: the macro format_argument of the published templates, April and July 2026.
#pragma once
#include "models/gemma4/chat_pieces.hpp"
#include "models/gemma4/chat_value.hpp"
#include <string_view>

namespace g4::gemma4 {

enum class chat_keys { bare, quoted };

/// A text between the quotation tokens; nothing in it is escaped.
inline void write_quoted(chat_pieces& out, std::string_view text) {
    out.markup("<|\"|>");
    out.text(text);
    out.markup("<|\"|>");
}

/// `<|"|>a<|"|>,<|"|>b<|"|>` of whatever can be iterated.
inline void write_quoted_list(chat_pieces& out, const std::vector<std::string>& texts) {
    comma_before comma{out};
    for (const std::string& text : texts) {
        comma.next();
        write_quoted(out, text);
    }
}

inline void write_argument(chat_pieces& out, const chat_value& value, chat_keys keys,
                           chat_edition edition) {
    if (value.is_none() && edition == chat_edition::july_2026) {
        out.markup("null");
    } else if (value.is_string()) {
        write_quoted(out, value.string());
    } else if (value.is_boolean()) {
        out.markup(value.truthy() ? "true" : "false");
    } else if (value.is_mapping()) {
        out.markup("{");
        comma_before comma{out};
        for (const auto& [key, item] : value.sorted_members()) {
            comma.next();
            if (keys == chat_keys::quoted) write_quoted(out, key);
            else out.text(key);
            out.markup(":");
            write_argument(out, item, keys, edition);
        }
        out.markup("}");
    } else if (value.is_sequence()) {
        out.markup("[");
        comma_before comma{out};
        if (value.is_defined())
            for (const chat_value& item : value.items()) {
                comma.next();
                write_argument(out, item, keys, edition);
            }
        out.markup("]");
    } else {
        out.text(value.text());
    }
}

/// `key:value,…` with bare keys: what stands in the braces of a call or a response.
inline void write_members(chat_pieces& out, const chat_value& object, chat_edition edition) {
    comma_before comma{out};
    for (const auto& [key, value] : object.sorted_members()) {
        comma.next();
        out.text(key);
        out.markup(":");
        write_argument(out, value, chat_keys::bare, edition);
    }
}

}  // namespace g4::gemma4
