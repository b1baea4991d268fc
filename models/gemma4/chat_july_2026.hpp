// The chat template of 2026-07-09 for E2B and E4B, compiled in.
// Source: the published template (ollama/ollama @fb307609,
// model/renderers/testdata/gemma4_e2b_chat_template.jinja2, 18,568 bytes); docs/chat.md.
#pragma once
#include "models/gemma4/chat_tools.hpp"
#include "models/gemma4/chat_turns.hpp"
#include <boost/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace g4::gemma4 {

namespace detail {

/// One conversation being written.
class july_2026_conversation {
  public:
    explicit july_2026_conversation(const chat_request& request)
        : all{chat_messages(request.messages)},
          tools_json{request.tools},
          thinking{chat_keyword(request, "enable_thinking").truthy()},
          preserve_thinking{chat_keyword(request, "preserve_thinking").truthy()} {}

    std::vector<text_piece> write(bool add_generation_prompt) {
        out.markup("<bos>");
        write_system_turn();
        for (std::size_t i = 0; i < messages.size(); ++i)
            if (messages[i]["role"].equals("user")) last_user = i;
        for (std::size_t i = 0; i < messages.size(); ++i)
            if (!is_tool(i)) write_message(i);
        if (add_generation_prompt) {
            if (last == wrote::other) out.markup("<|turn>model\n");
            else if (last == wrote::response && thinking) out.markup("<|channel>thought\n");
        }
        return out.take();
    }

  private:
    enum class wrote { other, call, response };

    bool is_tool(std::size_t i) const { return messages[i]["role"].equals("tool"); }

    /// Consumes the first message when it is the system's.
    void write_system_turn() {
        messages = all;
        const bool given = !all.empty() && is_system(all[0]);
        if (!thinking && tools_json.empty() && !given) return;
        out.markup("<|turn>system\n");
        if (thinking) out.markup("<|think|>\n");
        if (given) {
            const chat_value content = all[0]["content"];
            if (content.is_string()) out.text(content.trimmed());
            else if (content.is_defined() && content.is_sequence())
                for (const chat_value& part : content.items())
                    out.text(part["text"].trimmed() + " ");
            messages = messages.subspan(1);
        }
        const boost::json::value tools(tools_json);
        write_tools(out, {&tools, "tools"}, chat_edition::july_2026);
        out.markup("<turn|>\n");
    }

    void write_message(std::size_t i) {
        const chat_value& message = messages[i];
        last = wrote::other;
        const std::string role = turn_role(message);
        const bool model = role == "model";
        if (!(model && previous_is_assistant)) open_turn(out, role);
        write_thought(i);
        const chat_value calls = message.get("tool_calls");
        if (calls.truthy()) write_calls(calls);
        const bool responded = write_responses(i, calls);
        chat_pieces content;
        write_content(content, message, role);
        out.append(content);

        std::size_t next = i + 1;  // of a message that is no tool's
        while (next < messages.size() && is_tool(next)) ++next;
        const bool last_turn = next == messages.size();
        const bool continues = model && !last_turn && messages[next]["role"].equals("assistant") &&
                               (!calls.truthy() || responded);
        if (last == wrote::call && !responded) out.markup("<|tool_response>");
        else if (!continues && !(responded && !content.any_visible() && last_turn))
            out.markup("<turn|>\n");
        previous_is_assistant = message["role"].equals("assistant");
    }

    /// Thoughts of earlier turns are dropped, unless a call came of them and the caller wants them.
    void write_thought(std::size_t i) {
        const chat_value reasoning = messages[i].get("reasoning");
        const chat_value thought =
            reasoning.truthy() ? reasoning : messages[i].get("reasoning_content");
        const bool wanted = !last_user || i > *last_user ||
                            (preserve_thinking && messages[i].get("tool_calls").truthy());
        if (!thought.truthy() || !wanted) return;
        out.markup("<|channel>thought\n");
        out.text(thought.string());
        out.markup("\n<channel|>");
    }

    void write_calls(const chat_value& calls) {
        for (const chat_value& call : calls.items()) {
            const chat_value function = call["function"];
            out.markup("<|tool_call>call:");
            out.text(function["name"].string());
            out.markup("{");
            const chat_value arguments = function["arguments"];
            if (arguments.is_mapping()) write_members(out, arguments, chat_edition::july_2026);
            else if (!arguments.is_none())
                arguments.fail("a JSON object (a text must be parsed first)");
            out.markup("}<tool_call|>");
        }
        last = wrote::call;
    }

    /// The message's own tool_responses, else the tool messages that follow its calls.
    bool write_responses(std::size_t i, const chat_value& calls) {
        bool any = false;
        if (const chat_value own = messages[i].get("tool_responses"); own.truthy()) {
            for (const chat_value& response : own.items()) {
                if (!response.is_mapping()) response.fail("an object");
                const chat_value name = response["name"];
                write_tool_response(out, name.truthy() ? name.string() : "unknown",
                                    response["response"], chat_edition::july_2026);
                any = true;
            }
        } else if (calls.truthy()) {
            for (std::size_t k = i + 1; k < messages.size() && is_tool(k); ++k) {
                write_tool_message(messages[k], calls);
                any = true;
            }
        }
        if (any) last = wrote::response;
        return any;
    }

    /// The name of the call that a tool message answers.
    static std::string answered_name(const chat_value& message, const chat_value& calls) {
        chat_value name = message.get("name");
        bool known = name.truthy();
        for (const chat_value& call : calls.items())
            if (call.get("id").same_as(message.get("tool_call_id"))) {
                name = call["function"]["name"];
                known = true;
            }
        return known ? name.string() : "unknown";
    }

    void write_tool_message(const chat_value& message, const chat_value& calls) {
        const std::string name = answered_name(message, calls);
        const chat_value body = message.get("content");
        if (!body.is_defined()) {  // .get gives None, not undefined
            const boost::json::value nothing;
            write_tool_response(out, name, {&nothing, body.where()}, chat_edition::july_2026);
            return;
        }
        if (body.is_string() || !body.is_sequence()) {
            write_tool_response(out, name, body, chat_edition::july_2026);
            return;
        }
        std::string text;
        for (const chat_value& part : body.items())
            if (part.get("type").equals("text")) text += part.get("text").string();
        const boost::json::value joined(text);
        write_tool_response(out, name, {&joined, body.where()}, chat_edition::july_2026);
        for (const chat_value& part : body.items()) write_placeholder(out, part);
    }

    static void write_placeholder(chat_pieces& to, const chat_value& part) {
        const chat_value type = part.get("type");
        if (type.equals("image") || type.equals("image_url")) to.markup("<|image|>");
        else if (type.equals("audio") || type.equals("input_audio")) to.markup("<|audio|>");
        else if (type.equals("video")) to.markup("<|video|>");
    }

    static void write_content(chat_pieces& to, const chat_value& message, std::string_view role) {
        const chat_value content = message.get("content");
        if (content.is_string()) {
            to.text(shown_text(content, role));
        } else if (content.is_defined() && content.is_sequence()) {
            for (const chat_value& part : content.items())
                if (part.get("type").equals("text")) to.text(shown_text(part["text"], role));
                else write_placeholder(to, part);
        }
    }

    const std::vector<chat_value> all;
    const boost::json::array& tools_json;
    const bool thinking, preserve_thinking;
    std::span<const chat_value> messages;  // without the system's
    std::optional<std::size_t> last_user;
    chat_pieces out;
    wrote last = wrote::other;
    bool previous_is_assistant = false;
};

}  // namespace detail

class july_2026_chat_template : public chat_template {
  public:
    std::vector<text_piece> render(const chat_request& request) const override {
        return detail::july_2026_conversation{request}.write(request.add_generation_prompt);
    }
};

}  // namespace g4::gemma4
