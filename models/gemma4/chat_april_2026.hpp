// The chat template of the April 2026 release, still found in checkpoints, compiled in.
// Source: the published template (AXERA-TECH/gemma-4-E2B-it.axera @eaab4bd8, 11,926 bytes);
// docs/chat.md. It knows no tool messages and writes no thoughts.
#pragma once
#include "models/gemma4/chat_tools.hpp"
#include "models/gemma4/chat_turns.hpp"
#include <boost/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace g4::gemma4 {

namespace detail {

/// One conversation being written.
class april_2026_conversation {
  public:
    explicit april_2026_conversation(const chat_request& request)
        : all{chat_messages(request.messages)},
          tools_json{request.tools},
          thinking{chat_keyword(request, "enable_thinking").truthy()} {}

    std::vector<text_piece> write(bool add_generation_prompt) {
        if (all.empty()) throw input_error{"messages: expected at least one, got none"};
        out.markup("<bos>");
        write_system_turn();
        for (const chat_value& message : messages) write_message(message);
        if (add_generation_prompt && !ends_in_response) out.markup("<|turn>model\n");
        return out.take();
    }

  private:
    /// Consumes the first message when it is the system's.
    void write_system_turn() {
        messages = all;
        const bool given = is_system(all[0]);
        if (!thinking && tools_json.empty() && !given) return;
        out.markup("<|turn>system\n");
        if (thinking) out.markup("<|think|>");
        if (given) {
            // a list of parts is written as Python prints it
            out.text(all[0]["content"].trimmed());
            messages = messages.subspan(1);
        }
        const boost::json::value tools(tools_json);
        write_tools(out, {&tools, "tools"}, chat_edition::april_2026);
        out.markup("<turn|>\n");
    }

    void write_message(const chat_value& message) {
        ends_in_response = false;
        const std::string role = turn_role(message);
        open_turn(out, role);
        if (const chat_value calls = message["tool_calls"]; calls.truthy()) write_calls(calls);
        const chat_value responses = message["tool_responses"];
        if (responses.truthy()) write_responses(responses);
        const chat_value content = message["content"];
        write_content(content, role);
        if (!responses.truthy() || content.truthy()) out.markup("<turn|>\n");
    }

    void write_calls(const chat_value& calls) {
        for (const chat_value& call : calls.items()) {
            const chat_value function = call["function"];
            out.markup("<|tool_call>call:");
            out.text(function["name"].string());
            out.markup("{");
            const chat_value arguments = function["arguments"];
            if (arguments.is_mapping()) write_members(out, arguments, chat_edition::april_2026);
            else if (arguments.is_string()) out.text(arguments.string());
            out.markup("}<tool_call|>");
        }
    }

    void write_responses(const chat_value& responses) {
        for (const chat_value& response : responses.items()) {
            if (!response.is_mapping()) response.fail("an object");
            const chat_value name = response["name"];
            write_tool_response(out, name.is_defined() ? name.string() : "unknown",
                                response["response"], chat_edition::april_2026);
        }
        ends_in_response = true;
    }

    void write_content(const chat_value& content, std::string_view role) {
        if (content.is_string()) {
            out.text(shown_text(content, role));
        } else if (content.is_defined() && content.is_sequence()) {
            for (const chat_value& part : content.items())
                if (const chat_value type = part["type"]; type.equals("text"))
                    out.text(shown_text(part["text"], role));
                else if (const std::string_view media = placeholder(type); !media.empty()) {
                    out.markup(media);
                    ends_in_response = false;
                }
        }
    }

    static std::string_view placeholder(const chat_value& type) {
        if (type.equals("image")) return "\n\n<|image|>\n\n";
        if (type.equals("audio")) return "<|audio|>";
        if (type.equals("video")) return "\n\n<|video|>\n\n";
        return {};
    }

    const std::vector<chat_value> all;
    const boost::json::array& tools_json;
    const bool thinking;
    std::span<const chat_value> messages;  // without the system's
    chat_pieces out;
    bool ends_in_response = false;
};

}  // namespace detail

class april_2026_chat_template : public chat_template {
  public:
    std::vector<text_piece> render(const chat_request& request) const override {
        return detail::april_2026_conversation{request}.write(request.add_generation_prompt);
    }
};

}  // namespace g4::gemma4
