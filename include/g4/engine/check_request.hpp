// What a request must be before it may wait: every number in its range, the whole within what the
// model and the cache can hold.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include "g4/core/error.hpp"
#include "g4/engine/request.hpp"
#include "g4/gate/executor.hpp"

namespace g4 {

/// Errors: input_error that names the field, what it may be, and what it is.
inline void check_sampling(const sampling& how, std::int32_t vocabulary) {
    const auto require = [](bool holds, const char* field, const char* expected, auto got) {
        if (!holds) throw input_error{"request: ", field, ": expected ", expected, ", got ", got};
    };
    require(how.temperature >= 0 && std::isfinite(how.temperature), "temperature",
            "a number not below 0", how.temperature);
    require(how.top_p > 0 && how.top_p <= 1, "top_p", "a number in (0, 1]", how.top_p);
    require(how.min_p >= 0 && how.min_p <= 1, "min_p", "a number in [0, 1]", how.min_p);
    require(how.top_k >= 0, "top_k", "a count, or 0 for all", how.top_k);
    require(std::isfinite(how.presence_penalty), "presence_penalty", "a number",
            how.presence_penalty);
    require(std::isfinite(how.frequency_penalty), "frequency_penalty", "a number",
            how.frequency_penalty);
    require(how.repetition_penalty > 0 && std::isfinite(how.repetition_penalty),
            "repetition_penalty", "a number above 0", how.repetition_penalty);
    if (how.top_logprobs < -1 || how.top_logprobs > vocabulary)
        throw input_error{"request: top_logprobs: expected -1 to ", vocabulary, ", got ",
                          how.top_logprobs};
}

/// Errors: input_error that names the field, what it may be, and what it is.
inline void check_tokens(const generation_request& request, std::int32_t vocabulary) {
    const auto require_token = [&](std::int32_t token, const char* field) {
        if (token < 0 || token >= vocabulary)
            throw input_error{"request: ",    field,    ": expected token ids from 0 to ",
                              vocabulary - 1, ", got ", token};
    };
    if (request.prompt.empty())
        throw input_error{"request: prompt: expected at least 1 token, got 0"};
    for (const std::int32_t token : request.prompt) require_token(token, "prompt");
    for (const std::int32_t token : request.stop_tokens) require_token(token, "stop_tokens");
    for (const logit_bias& bias : request.biases) {
        require_token(bias.token, "logit_bias");
        if (std::isnan(bias.added) || bias.added == std::numeric_limits<float>::infinity())
            throw input_error{"request: logit_bias: expected a number, got ", bias.added};
    }
    if (request.prompt_logprobs < -1 || request.prompt_logprobs > vocabulary)
        throw input_error{"request: prompt_logprobs: expected -1 to ", vocabulary, ", got ",
                          request.prompt_logprobs};
}

/// What the back end reserved for one row.
/// Errors: input_error that names the field, what it may be, and what it is.
inline void check_reserved(const generation_request& request, const capacity& reserved) {
    const std::int32_t most = reserved.top_logprobs;
    const std::int32_t asked = std::max(request.how.top_logprobs, request.prompt_logprobs);
    if (most > 0 && asked > most)
        throw input_error{"request: top_logprobs: expected at most ", most,
                          " on this device, got ", asked};
    const std::size_t biases = request.biases.size() + request.stop_tokens.size();
    if (reserved.biases > 0 && biases > static_cast<std::size_t>(reserved.biases))
        throw input_error{"request: logit_bias: expected at most ", reserved.biases,
                          " entries and stop tokens on this device, got ", biases};
}

/// Errors: input_error that names the field, what it may be, and what it is.
inline void check_lengths(const generation_request& request, std::int32_t max_model_len) {
    if (request.max_tokens < 0)
        throw input_error{"request: max_tokens: expected a count, got ", request.max_tokens};
    if (request.min_tokens < 0 || request.min_tokens > request.max_tokens)
        throw input_error{"request: min_tokens: expected 0 to max_tokens, ", request.max_tokens,
                          ", got ", request.min_tokens};
    const auto prompt = static_cast<std::int64_t>(request.prompt.size());
    if (prompt + request.max_tokens > max_model_len)
        throw input_error{"request: expected at most ",
                          max_model_len,
                          " tokens of prompt and answer together, got ",
                          prompt,
                          " + ",
                          request.max_tokens,
                          " = ",
                          prompt + request.max_tokens};
}

}  // namespace g4
