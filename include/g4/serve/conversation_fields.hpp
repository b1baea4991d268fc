// The conversation of a request, checked and brought into the form that the chat template takes.
// Source: OpenAI's chat API for the form; docs/serving.md lists what is refused and why.
#pragma once
#include "g4/serve/fields.hpp"
#include "g4/serve/limits.hpp"
#include "g4/text/text.hpp"
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace g4::serve {

/// Whether what the template can write but the model cannot answer yet is let through:
/// /tokenize renders tools and media marks, a generating request is refused with a reason.
enum class conversation_use { render, generate };

namespace detail {

inline void check_part(const json::value& part, const std::string& where, conversation_use use) {
    if (!part.is_object()) refuse_field(where, "expected an object, got ", shown(part));
    const fields inside{part.get_object(), where};
    const auto type = inside.text("type", 64);
    if (!type) inside.expected("type", "a text such as \"text\"");
    if (*type == "text") {
        if (!inside.text("text", std::string::npos)) inside.expected("text", "a text");
        return;
    }
    const bool mark = *type == "image" || *type == "audio" || *type == "video";
    if (mark && use == conversation_use::render) return;
    constexpr std::string_view media[] = {"image",     "audio",       "video",
                                          "image_url", "input_audio", "audio_url",
                                          "video_url", "input_image", "file"};
    if (std::find(std::begin(media), std::end(media), *type) != std::end(media))
        refuse_field(where, "images, audio and video are not supported yet: expected a part of ",
                     "type \"text\", got \"", *type, '"');
    inside.expected("type", "\"text\"");
}

inline void check_content(const fields& message, const std::string& role, conversation_use use) {
    const json::value* content = message.find("content");
    if (!content) {
        // an assistant may have said nothing but a tool call, or (its thoughts cut off) nothing
        if (role != "assistant") message.expected("content", "a text or a list of parts");
        return;
    }
    if (content->is_string()) return;
    if (!content->is_array()) message.expected("content", "a text or a list of parts");
    const json::array& parts = content->get_array();
    for (std::size_t i = 0; i < parts.size(); ++i)
        check_part(parts[i], concat(message.name("content"), '[', i, ']'), use);
}

/// OpenAI sends a call's arguments as JSON text; the template takes an object.
inline void open_arguments(json::value& call, const std::string& where) {
    if (!call.is_object()) refuse_field(where, "expected an object, got ", shown(call));
    json::value* function = call.get_object().if_contains("function");
    if (!function || !function->is_object())
        refuse_field(where + ".function", "expected an object with a name and arguments");
    json::object& inside = function->get_object();
    const fields view{inside, where + ".function"};
    if (const auto name = view.text("name", 256); !name || name->empty())
        view.expected("name", "the name of a function");
    json::value& arguments = inside["arguments"];
    if (arguments.is_null()) arguments = json::object{};
    if (arguments.is_object()) return;
    const std::string field = view.name("arguments");
    if (!arguments.is_string())
        refuse_field(field, "expected a JSON object as text, got ", shown(arguments));
    const std::string text{arguments.get_string().data(), arguments.get_string().size()};
    json::value opened = json::object{};
    try {
        if (!text.empty()) opened = parse_json(text, "arguments");
    } catch (const input_error& wrong) {
        refuse_field(field, "expected a JSON object as text: ", wrong.what());
    }
    if (opened.is_null()) opened = json::object{};
    if (!opened.is_object())
        refuse_field(field, "expected a JSON object as text, got ", shown(opened));
    arguments = std::move(opened);
}

inline void check_message(json::value& value, const std::string& where, conversation_use use) {
    if (!value.is_object()) refuse_field(where, "expected an object, got ", shown(value));
    json::object& message = value.get_object();
    const fields view{message, where};
    const auto role = view.text("role", 64);
    constexpr std::string_view roles[] = {"system", "developer", "user", "assistant", "tool"};
    if (!role || std::find(std::begin(roles), std::end(roles), *role) == std::end(roles))
        view.expected("role", "system, developer, user, assistant or tool");
    check_content(view, *role, use);
    view.text("name", 256);
    view.text("reasoning", std::string::npos);
    view.text("reasoning_content", std::string::npos);
    view.text("tool_call_id", 256);
    if (view.has("function_call"))
        view.expected("function_call", "tool_calls instead (this form is no longer used)");
    view.array("tool_calls", 512);
    if (json::value* calls = message.if_contains("tool_calls"); calls && calls->is_array())
        for (std::size_t i = 0; i < calls->get_array().size(); ++i)
            open_arguments(calls->get_array()[i], concat(view.name("tool_calls"), '[', i, ']'));
}

inline void check_tool(json::value& value, const std::string& where) {
    if (!value.is_object()) refuse_field(where, "expected an object, got ", shown(value));
    const fields view{value.get_object(), where};
    if (const auto type = view.text("type", 64); type && *type != "function")
        view.expected("type", "\"function\"");
    const json::object* function = view.object("function");
    if (!function) view.expected("function", "an object with a name");
    const fields inside{*function, view.name("function")};
    if (const auto name = inside.text("name", 256); !name || name->empty())
        inside.expected("name", "the name of a function");
    inside.text("description", std::string::npos);
    inside.object("parameters");
    json::object& declared = value.get_object()["function"].get_object();
    json::value* schema = declared.if_contains("parameters");
    // without a type the template would leave a brace open
    if (schema && schema->is_object() && !schema->get_object().empty() &&
        !schema->get_object().contains("type"))
        schema->get_object()["type"] = "object";
}

}  // namespace detail

/// `chat_template_kwargs`, as a flag or a request gives them.
/// Errors: request_error for a key that would replace the template or what it is given.
inline void check_template_kwargs(const json::object& kwargs, std::string_view field,
                                  const request_limits& limits = {}) {
    constexpr std::string_view reserved[] = {"chat_template", "messages",  "tools",
                                             "bos_token",     "eos_token", "add_generation_prompt",
                                             "tokenize"};
    for (const auto& entry : kwargs) {
        const std::string_view key{entry.key().data(), entry.key().size()};
        if (std::find(std::begin(reserved), std::end(reserved), key) != std::end(reserved))
            refuse_field(concat(field, '.', key),
                         "expected a key that the template reads, such as enable_thinking");
        if ((key == "enable_thinking" || key == "preserve_thinking") && !entry.value().is_bool())
            refuse_field(concat(field, '.', key), "expected true or false, got ",
                         shown(entry.value()));
    }
    const std::size_t bytes = json::serialize(kwargs).size();
    if (bytes > limits.template_kwargs_bytes)
        refuse_field(std::string{field}, "expected at most ", limits.template_kwargs_bytes,
                     " bytes of JSON, got ", bytes);
}

/// Takes messages, tools and the template's options out of a body.
///   defaults  --default-chat-template-kwargs; the request's own win key by key
/// Errors: request_error 400 that names the field.
inline chat_request read_conversation(json::object& body, const json::object& defaults,
                                      const request_limits& limits, conversation_use use) {
    const fields view{body};
    chat_request out;
    const json::array* messages = view.array("messages", limits.messages);
    if (!messages || messages->empty()) view.expected("messages", "a list of at least one message");
    if (view.has("chat_template"))
        refuse_field("chat_template",
                     "a request cannot bring its own template; the server's is "
                     "chosen by --chat-template");
    if (view.boolean_or("continue_final_message", false))
        refuse_field("continue_final_message", "not supported: expected false or nothing");
    if (const json::array* documents = view.array("documents", limits.messages))
        if (!documents->empty())
            refuse_field("documents",
                         "the template of this model does not know documents: put "
                         "them into a message");
    view.array("tools", limits.tools);
    if (json::value* tools = body.if_contains("tools"); tools && tools->is_array())
        out.tools = std::move(tools->get_array());
    out.messages = std::move(body["messages"].get_array());
    for (std::size_t i = 0; i < out.messages.size(); ++i)
        detail::check_message(out.messages[i], concat("messages[", i, ']'), use);
    for (std::size_t i = 0; i < out.tools.size(); ++i)
        detail::check_tool(out.tools[i], concat("tools[", i, ']'));
    out.kwargs = defaults;
    if (const json::object* own = view.object("chat_template_kwargs")) {
        check_template_kwargs(*own, "chat_template_kwargs", limits);
        for (const auto& entry : *own) out.kwargs[entry.key()] = entry.value();
    }
    out.add_generation_prompt = view.boolean_or("add_generation_prompt", true);
    return out;
}

}  // namespace g4::serve
