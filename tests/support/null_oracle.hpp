// What a request gets from null_executor when nothing else runs, worked out without an engine,
// without pages and without steps.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>
#include "g4/engine/request.hpp"
#include "g4/gate/executor.hpp"
#include "g4/gate/sampler.hpp"
#include "tests/support/null_executor.hpp"

namespace g4::testing {

struct expected_answer {
    std::vector<generated_token> tokens, prompt;
    finish_reason finish = finish_reason::length;
};

inline expected_answer null_oracle(const capacity& reserved, const generation_request& request) {
    host_sampler sampler{reserved.vocabulary, 1};
    sampler.start({.slot = 0, .prompt = request.prompt});
    std::vector<std::int32_t> tokens = request.prompt;
    std::vector<float> logits(static_cast<std::size_t>(reserved.vocabulary));

    // the row of the last of the first `seen` tokens
    const auto ask = [&](std::size_t seen, wanted_row want, std::span<const logit_bias> biases) {
        std::int32_t answer = 0;
        for (const cache_kind& kind : reserved.kinds) {
            const auto window = static_cast<std::size_t>(kind.window_tokens);
            const std::size_t count = window == 0 ? seen : std::min(seen, window);
            const auto part = std::span{tokens}.subspan(seen - count, count);
            answer = (answer + null_answer(part, reserved.vocabulary)) % reserved.vocabulary;
        }
        null_logits(answer, logits);
        generated_token out;
        out.token =
            sampler.pick(logits, want, biases, 0, static_cast<std::int32_t>(seen) - 1, out.top);
        return out;
    };

    expected_answer out;
    if (request.prompt_logprobs >= 0) {
        for (std::size_t i = 1; i < request.prompt.size(); ++i) {
            wanted_row want{.row = 0, .how = {}, .given = request.prompt[i]};
            want.how.top_logprobs = request.prompt_logprobs;
            out.prompt.push_back(ask(i, want, {}));
        }
    }
    for (std::int32_t n = 0; n < request.max_tokens; ++n) {
        std::vector<logit_bias> biases = request.biases;
        if (n < request.min_tokens)
            for (const std::int32_t stop : request.stop_tokens)
                biases.push_back({stop, -std::numeric_limits<float>::infinity()});
        wanted_row want{.row = 0, .how = request.how, .given = -1};
        want.how.first_bias = 0;
        want.how.bias_count = static_cast<std::int32_t>(biases.size());
        out.tokens.push_back(ask(tokens.size(), want, biases));
        tokens.push_back(out.tokens.back().token.token);
        if (std::ranges::count(request.stop_tokens, tokens.back()) == 0) continue;
        out.finish = finish_reason::stop;
        break;
    }
    return out;
}

}  // namespace g4::testing
