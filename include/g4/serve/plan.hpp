// From a checked body to what the engine is asked: prompts as ids, lengths, one request an answer.
// Runs on a worker: encoding a long prompt would keep the loop from everyone else.
#pragma once
#include "g4/serve/answer.hpp"
#include "g4/serve/requests.hpp"
#include "g4/serve/service.hpp"
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace g4::serve {

struct planned_prompt {
    std::vector<std::int32_t> ids;
    std::string text;          // of a completion's prompt, for echo
    bool added_begin = false;  // ids[0] is a <bos> that is not in the text
};

/// A request that passed every check, ready for the engine.
struct generation_plan {
    sampling_fields common;
    answer_rules rules;
    std::vector<planned_prompt> prompts;
    std::vector<generation_request> requests;  // n for each prompt, prompt behind prompt
    bool echo = false;

    std::size_t prompt_of(std::size_t answer) const {
        return answer / static_cast<std::size_t>(common.answers);
    }
    std::int64_t prompt_tokens() const {
        std::int64_t sum = 0;
        for (const planned_prompt& prompt : prompts)
            sum += static_cast<std::int64_t>(prompt.ids.size());
        return sum;
    }
};

namespace detail {

[[noreturn]] inline void refuse_length(const std::string& field, std::int32_t max_model_len,
                                       std::string_view about, std::int64_t tokens) {
    throw request_error{400,
                        field,
                        "context_length_exceeded",
                        field,
                        ": expected at most ",
                        max_model_len - 1,
                        " tokens, one less than this server's max_model_len of ",
                        max_model_len,
                        ", got ",
                        about,
                        tokens};
}

/// No text longer than this can fit: refused before it is encoded.
inline void check_bytes(const service& of, const std::string& field, std::size_t bytes,
                        bool truncates) {
    const auto most = static_cast<std::size_t>(of.model.bounds.max_model_len) * of.longest_token;
    if (!truncates && bytes > most)
        refuse_length(field, of.model.bounds.max_model_len, "at least ",
                      static_cast<std::int64_t>(bytes / of.longest_token));
}

inline void truncate(std::vector<std::int32_t>& ids, const sampling_fields& common,
                     std::int32_t max_model_len) {
    if (!common.truncate_prompt_tokens) return;
    const std::int32_t kept = *common.truncate_prompt_tokens;
    const auto most =
        static_cast<std::size_t>(kept > 0 ? kept : max_model_len - common.max_tokens.value_or(1));
    if (ids.size() > most) ids.erase(ids.begin(), ids.end() - static_cast<std::ptrdiff_t>(most));
}

/// The max_tokens of one prompt's answers. Errors: request_error 400 with the numbers.
inline std::int32_t answer_tokens(const generation_plan& plan, const planned_prompt& prompt,
                                  const model_bounds& bounds, const std::string& field,
                                  std::int32_t otherwise) {
    const auto used = static_cast<std::int64_t>(prompt.ids.size());
    const std::int64_t left = bounds.max_model_len - used;
    if (left < (plan.common.max_tokens == 0 ? 0 : 1))
        refuse_length(field, bounds.max_model_len, "", used);
    if (plan.common.max_tokens && *plan.common.max_tokens > left)
        refuse_field("max_tokens", "expected at most ", left, ", what max_model_len, ",
                     bounds.max_model_len, ", leaves behind the ", used, " tokens of the prompt, ",
                     "got ", *plan.common.max_tokens);
    std::int64_t tokens = std::min<std::int64_t>(plan.common.max_tokens.value_or(otherwise), left);
    if (bounds.defaults.max_new_tokens)
        tokens = std::min<std::int64_t>(tokens, *bounds.defaults.max_new_tokens);
    return static_cast<std::int32_t>(tokens);
}

/// Fills in what both endpoints share.
///   field      of the body that holds the prompt, for messages
///   otherwise  the max_tokens of a request that names none
inline void complete(generation_plan& plan, service& of, const std::string& field,
                     std::int32_t otherwise) {
    const sampling_fields& common = plan.common;
    plan.rules.stop = stop_texts{common.stop};
    plan.rules.include_stop_text = common.include_stop_text;
    plan.rules.skip_special = common.skip_special;
    plan.rules.min_tokens = common.min_tokens;
    generation_request base;
    base.how = common.how;
    base.biases = common.biases;
    base.min_tokens = common.min_tokens;
    base.stop_tokens = common.stop_token_ids;
    if (!common.ignore_eos)
        base.stop_tokens.insert(base.stop_tokens.end(), of.model.end_tokens.begin(),
                                of.model.end_tokens.end());
    if (plan.echo && common.how.top_logprobs >= 0) base.prompt_logprobs = common.how.top_logprobs;
    for (const planned_prompt& prompt : plan.prompts) {
        base.prompt = prompt.ids;
        base.max_tokens = answer_tokens(plan, prompt, of.model.bounds, field, otherwise);
        if (base.min_tokens > base.max_tokens)
            refuse_field("min_tokens", "expected at most ", base.max_tokens,
                         ", what is left for the answer, got ", base.min_tokens);
        for (std::int32_t i = 0; i < common.answers; ++i) {
            base.how.seed = common.seed ? static_cast<std::uint64_t>(*common.seed) +
                                              static_cast<std::uint64_t>(i)
                                        : of.next_seed();
            plan.requests.push_back(base);
        }
    }
}

inline std::size_t text_bytes(const json::value& value) {
    if (value.is_string()) return value.get_string().size();
    std::size_t sum = 0;
    if (value.is_array())
        for (const json::value& each : value.get_array()) sum += text_bytes(each);
    if (value.is_object())
        for (const auto& each : value.get_object()) sum += text_bytes(each.value());
    return sum;
}

}  // namespace detail

/// The pieces of a conversation. Errors: request_error 400 when the template refuses it.
inline std::vector<text_piece> render(const service& of, const chat_request& conversation) {
    if (!of.model.conversation)
        throw request_error{400, "messages", "", "messages: this model has no chat template; ",
                            of.model.without_conversation};
    try {
        return of.model.conversation->render(conversation);
    } catch (const input_error& wrong) {
        throw request_error{400, "messages", "", wrong.what()};
    }
}

/// A plain text as ids, with <bos> in front where asked for and not yet there.
inline planned_prompt encode_text(const service& of, std::string text, bool add_special_tokens) {
    planned_prompt out;
    out.ids = of.model.words->encode(text);
    const auto begin = of.model.begin_token;
    if (add_special_tokens && begin && (out.ids.empty() || out.ids.front() != *begin)) {
        out.ids.insert(out.ids.begin(), *begin);
        out.added_begin = true;
    }
    out.text = std::move(text);
    return out;
}

/// Any thread. Errors: request_error.
inline generation_plan plan_chat(service& of, json::object body) {
    chat_body asked =
        read_chat(body, of.model.bounds, of.model.names, of.model.default_template_kwargs);
    const bool truncates = asked.common.truncate_prompt_tokens.has_value();
    std::size_t bytes = 0;
    for (const json::value& message : asked.conversation.messages)
        if (const json::value* content = message.get_object().if_contains("content"))
            bytes += detail::text_bytes(*content);
    detail::check_bytes(of, "messages", bytes, truncates);
    const std::vector<text_piece> pieces = render(of, asked.conversation);
    generation_plan plan;
    plan.common = std::move(asked.common);
    planned_prompt prompt;
    prompt.ids = of.model.words->encode(pieces);
    detail::truncate(prompt.ids, plan.common, of.model.bounds.max_model_len);
    plan.prompts.push_back(std::move(prompt));
    if (plan.common.skip_special) {
        plan.rules.channel_opens = of.channel_opens;
        plan.rules.channel_closes = of.channel_closes;
        plan.rules.begins_in_reasoning = of.channel_opens && !pieces.empty() &&
                                         pieces.back().markup &&
                                         pieces.back().text.ends_with("<|channel>thought\n");
    }
    detail::complete(plan, of, "messages", of.model.bounds.max_model_len);
    return plan;
}

/// Any thread. Errors: request_error.
inline generation_plan plan_completion(service& of, const json::object& body) {
    completion_body asked = read_completion(body, of.model.bounds, of.model.names);
    constexpr std::int32_t default_tokens = 16;  // OpenAI's, and vLLM's
    generation_plan plan;
    plan.common = std::move(asked.common);
    plan.echo = asked.echo;
    const bool truncates = plan.common.truncate_prompt_tokens.has_value();
    for (completion_prompt& prompt : asked.prompts) {
        planned_prompt ready;
        if (std::string* text = std::get_if<std::string>(&prompt)) {
            detail::check_bytes(of, "prompt", text->size(), truncates);
            ready = encode_text(of, std::move(*text), asked.add_special_tokens);
        } else {
            ready.ids = std::get<std::vector<std::int32_t>>(std::move(prompt));
            if (plan.echo) ready.text = of.model.words->decode(ready.ids, plan.common.skip_special);
        }
        const std::size_t before = ready.ids.size();
        detail::truncate(ready.ids, plan.common, of.model.bounds.max_model_len);
        if (plan.echo && ready.ids.size() != before) {
            ready.text = of.model.words->decode(ready.ids, plan.common.skip_special);
            ready.added_begin = false;
        }
        plan.prompts.push_back(std::move(ready));
    }
    detail::complete(plan, of, "prompt", default_tokens);
    return plan;
}

}  // namespace g4::serve
