// A generation as the server asks for it, and the events that come back: tokens in, tokens out.
#pragma once
#include "g4/gate/step.hpp"
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace g4 {

/// One sequence to generate. Several answers to one prompt (n) are several requests.
struct generation_request {
    std::vector<std::int32_t> prompt{};     // at least one token
    sampling how{};                         // first_bias and bias_count are the engine's to fill
    std::vector<logit_bias> biases{};
    std::int32_t max_tokens = 0;            // prompt + max_tokens <= max_model_len
    std::int32_t min_tokens = 0;            // stop tokens are suppressed before that many
    std::vector<std::int32_t> stop_tokens{};  // any of them ends the answer; it is reported
    std::int32_t prompt_logprobs = -1;      // -1: none; k: k alternatives for every prompt token
};

enum class finish_reason : std::uint8_t { none, stop, length, cancelled, failed };

/// One token with what was asked about it.
struct generated_token {
    token_logprob token{};
    std::vector<token_logprob> top;  // how.top_logprobs entries, most likely first
};

/// What happened to a request since its last event. Events of one request come in order; the one
/// with a finish other than none is the last.
struct generation_event {
    std::vector<generated_token> tokens;
    std::vector<generated_token> prompt;  // once, before or with the first token: entry i is about
                                          // prompt[i + 1], so one fewer than the prompt has tokens
    finish_reason finish = finish_reason::none;
    std::string error;                    // with failed: what a user may read
    std::chrono::steady_clock::time_point scheduled{};  // when its first rows ran
};

/// Called on the engine's thread: must not block, must not throw, must not call the engine.
using event_sink = std::function<void(generation_event&&)>;

using request_id = std::uint64_t;

}  // namespace g4
