// The parts of a turn that both editions of the template write alike.
// Source: the published templates, April and July 2026 (strip_thinking, calls, responses).
#pragma once
#include "models/gemma4/chat_argument.hpp"
#include "models/gemma4/chat_pieces.hpp"
#include "models/gemma4/chat_value.hpp"
#include <string>
#include <string_view>

namespace g4::gemma4 {

/// The answer of a model without its thoughts: <|channel>…<channel|> removed, ends trimmed.
inline std::string without_thoughts(std::string_view text) {
    static constexpr std::string_view opens = "<|channel>", closes = "<channel|>";
    std::string kept;
    while (true) {
        const std::size_t end = text.find(closes);
        const std::string_view part = text.substr(0, end);
        kept += part.substr(0, part.find(opens));
        if (end == text.npos) break;
        text.remove_prefix(end + closes.size());
    }
    return std::string{without_outer_blanks(kept)};
}

/// The name of a message's role in a turn.
inline std::string turn_role(const chat_value& message) {
    const chat_value role = message["role"];
    return role.equals("assistant") ? "model" : role.string();
}

inline void open_turn(chat_pieces& out, std::string_view role) {
    out.markup("<|turn>");
    out.text(role);
    out.markup("\n");
}

inline bool is_system(const chat_value& message) {
    const chat_value role = message["role"];
    return role.equals("system") || role.equals("developer");
}

/// A text of a message as its turn shows it.
inline std::string shown_text(const chat_value& text, std::string_view turn) {
    return turn == "model" ? without_thoughts(text.string()) : text.trimmed();
}

/// response:NAME{key:value,…} of an object, response:NAME{value:…} of anything else.
inline void write_tool_response(chat_pieces& out, std::string_view name, const chat_value& response,
                                chat_edition edition) {
    out.markup("<|tool_response>response:");
    out.text(name);
    out.markup("{");
    if (response.is_mapping()) {
        write_members(out, response, edition);
    } else {
        out.markup("value:");
        write_argument(out, response, chat_keys::bare, edition);
    }
    out.markup("}<tool_response|>");
}

/// The messages of a request. Errors: input_error for one that is no object.
inline std::vector<chat_value> chat_messages(const boost::json::array& list) {
    std::vector<chat_value> messages;
    for (const boost::json::value& message : list) {
        messages.emplace_back(&message, concat("messages[", messages.size(), ']'));
        if (!messages.back().is_mapping()) messages.back().fail("an object");
        const chat_value content = messages.back()["content"];
        if (content.is_mapping()) content.fail("a text or a list of parts");
    }
    return messages;
}

/// A keyword of chat_template_kwargs.
inline chat_value chat_keyword(const chat_request& request, std::string_view name) {
    return {request.kwargs.if_contains(name), concat("chat_template_kwargs.", name)};
}

}  // namespace g4::gemma4
