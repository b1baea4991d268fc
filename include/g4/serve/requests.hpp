// The bodies of the generating endpoints, checked: what is asked, with defaults filled in.
#pragma once
#include "g4/serve/conversation_fields.hpp"
#include "g4/serve/sampling_fields.hpp"
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace g4::serve {

struct chat_body {
    sampling_fields common;
    chat_request conversation;
};

/// A prompt of /v1/completions: text still to encode, or ids.
using completion_prompt = std::variant<std::string, std::vector<std::int32_t>>;

struct completion_body {
    sampling_fields common;
    std::vector<completion_prompt> prompts;  // at least one
    bool echo = false;
    bool add_special_tokens = true;  // <bos> before a text
};

/// 404 when the body names a model that is not served; a body without a model means the only one.
inline void check_model(const fields& body, const std::vector<std::string>& served) {
    const auto asked = body.text("model", 4096);
    if (!asked || std::find(served.begin(), served.end(), *asked) != served.end()) return;
    throw request_error{404,
                        "model",
                        "model_not_found",
                        "model: expected ",
                        served.front(),
                        ", got \"",
                        printable(*asked),
                        "\", which is not served here"};
}

/// `mm_processor_kwargs`: a closed set of values, so that nothing can be made to grow with them.
inline void check_media_kwargs(const json::object& kwargs, const std::string& field) {
    for (const auto& entry : kwargs) {
        const std::string key{entry.key().data(), entry.key().size()};
        const std::string where = field + '.' + key;
        if (key != "max_soft_tokens")
            refuse_field(where, "expected max_soft_tokens as the only key");
        const auto tokens = whole_number(entry.value(), 1, 1120);
        for (const std::int64_t known : {70, 140, 280, 560, 1120})
            if (tokens == known) return;
        refuse_field(where, "expected 70, 140, 280, 560 or 1120, got ", shown(entry.value()));
    }
}

namespace detail {

inline void refuse_tools(const fields& body) {
    if (const json::array* tools = body.array("tools", std::size_t(-1)); tools && !tools->empty())
        refuse_field("tools",
                     "tool calls are not supported yet in a generating request; "
                     "/tokenize renders them");
    if (const json::array* old = body.array("functions", std::size_t(-1)); old && !old->empty())
        refuse_field("functions", "tool calls are not supported yet");
    const json::value* choice = body.find("tool_choice");
    if (choice && !(choice->is_string() &&
                    (choice->get_string() == "none" || choice->get_string() == "auto")))
        refuse_field("tool_choice",
                     "tool calls are not supported yet: expected \"none\", "
                     "\"auto\" or nothing, got ",
                     shown(*choice));
}

inline void refuse_other_outputs(const fields& body) {
    if (const json::array* kinds = body.array("modalities", 16))
        for (const json::value& kind : *kinds)
            if (!kind.is_string() || kind.get_string() != "text")
                refuse_field("modalities", "this model writes text only: expected [\"text\"]");
    if (body.has("audio")) refuse_field("audio", "this model writes text only: leave it out");
    if (body.boolean_or("echo", false))
        refuse_field("echo", "not supported for chat: /v1/completions has it");
}

inline std::vector<std::int32_t> read_ids(const json::array& list, const std::string& where,
                                          const model_bounds& model) {
    std::vector<std::int32_t> out;
    out.reserve(list.size());
    for (std::size_t i = 0; i < list.size(); ++i) {
        const auto id = whole_number(list[i], 0, model.vocabulary - 1);
        if (!id)
            refuse_field(concat(where, '[', i, ']'), "expected a token id from 0 to ",
                         model.vocabulary - 1, ", got ", shown(list[i]));
        out.push_back(static_cast<std::int32_t>(*id));
    }
    if (out.empty()) refuse_field(where, "expected at least one token, got none");
    return out;
}

/// A text, a list of ids, a list of texts, or a list of lists of ids.
inline std::vector<completion_prompt> read_prompts(const fields& body, const model_bounds& model) {
    const json::value* prompt = body.find("prompt");
    if (!prompt) body.expected("prompt", "a text, token ids, or a list of either");
    const auto text_of = [](const json::value& value, const std::string& where) {
        const auto& text = value.get_string();
        if (text.empty()) refuse_field(where, "expected a text of at least one character");
        return std::string{text.data(), text.size()};
    };
    if (prompt->is_string()) return {text_of(*prompt, "prompt")};
    if (!prompt->is_array()) body.expected("prompt", "a text, token ids, or a list of either");
    const json::array& list = prompt->get_array();
    if (list.empty()) refuse_field("prompt", "expected at least one token or text, got none");
    if (list[0].is_number()) return {read_ids(list, "prompt", model)};
    if (list.size() > model.limits.prompts)
        refuse_field("prompt", "expected at most ", model.limits.prompts, " prompts, got ",
                     list.size());
    std::vector<completion_prompt> out;
    for (std::size_t i = 0; i < list.size(); ++i) {
        const std::string where = concat("prompt[", i, ']');
        if (list[i].is_string()) out.emplace_back(text_of(list[i], where));
        else if (list[i].is_array()) out.emplace_back(read_ids(list[i].get_array(), where, model));
        else refuse_field(where, "expected a text or a list of token ids, got ", shown(list[i]));
    }
    return out;
}

}  // namespace detail

/// Errors: request_error 400 or 404 that names the field.
inline chat_body read_chat(json::object& body, const model_bounds& model,
                           const std::vector<std::string>& served,
                           const json::object& default_kwargs) {
    const fields view{body};
    check_model(view, served);
    detail::refuse_tools(view);
    detail::refuse_other_outputs(view);
    if (const json::object* media = view.object("mm_processor_kwargs"))
        check_media_kwargs(*media, "mm_processor_kwargs");
    chat_body out;
    out.common = read_sampling(view, model, 1);
    const bool logprobs = view.boolean_or("logprobs", false);
    const auto top = view.integer("top_logprobs", 0, model.limits.logprobs);
    if (top && *top > 0 && !logprobs)
        refuse_field("top_logprobs", "expected logprobs to be true beside it");
    if (logprobs) out.common.how.top_logprobs = static_cast<std::int32_t>(top.value_or(0));
    out.conversation =
        read_conversation(body, default_kwargs, model.limits, conversation_use::generate);
    return out;
}

/// Errors: request_error 400 or 404 that names the field.
inline completion_body read_completion(const json::object& body, const model_bounds& model,
                                       const std::vector<std::string>& served) {
    const fields view{body};
    check_model(view, served);
    completion_body out;
    out.echo = view.boolean_or("echo", false);
    out.common = read_sampling(view, model, out.echo ? 0 : 1);
    if (const auto suffix = view.text("suffix", std::string::npos); suffix && !suffix->empty())
        refuse_field("suffix", "this model does not fill in: leave it out");
    if (const auto top = view.integer("logprobs", 0, model.limits.logprobs))
        out.common.how.top_logprobs = static_cast<std::int32_t>(*top);
    out.add_special_tokens = view.boolean_or("add_special_tokens", true);
    out.prompts = detail::read_prompts(view, model);
    const auto answers = static_cast<std::int64_t>(out.prompts.size()) * out.common.answers;
    if (answers > model.limits.answers)
        refuse_field("n", "expected at most ", model.limits.answers,
                     " answers over all prompts, got ", answers);
    return out;
}

}  // namespace g4::serve
