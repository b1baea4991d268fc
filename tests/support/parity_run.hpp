// Runs the prompts of a recorded case on an executor, in chunks and side by side.
#pragma once
#include "tests/support/lockstep.hpp"
#include "tests/support/parity_case.hpp"
#include <doctest/doctest.h>

namespace g4::testing {

/// Log-probabilities of every token at every row of a prompt, in the order of token ids.
using logprobs = std::vector<std::vector<float>>;

/// Runs `count` copies of a prompt side by side in chunks of `chunk` rows each; those of the last.
inline logprobs run(executor& runs_on, const std::vector<std::int32_t>& prompt, int chunk,
                    int count) {
    testing::lockstep_batch batch{runs_on, count, static_cast<std::int32_t>(prompt.size()) + 1};
    const auto vocabulary = static_cast<std::size_t>(runs_on.reserved().vocabulary);
    logprobs out;
    for (std::size_t done = 0; done < prompt.size();) {
        const std::size_t rows = std::min<std::size_t>(static_cast<std::size_t>(chunk),
                                                       prompt.size() - done);
        const auto begin = prompt.begin() + static_cast<std::ptrdiff_t>(done);
        const std::vector<std::int32_t> part{begin, begin + static_cast<std::ptrdiff_t>(rows)};
        const std::vector<std::vector<std::int32_t>> all(static_cast<std::size_t>(count), part);
        const step_result result =
            batch.run(all, static_cast<std::int32_t>(rows),
                      {.top_logprobs = static_cast<std::int32_t>(vocabulary)});
        const std::size_t first = (static_cast<std::size_t>(count) - 1) * rows;
        for (std::size_t r = 0; r < rows; ++r) {
            std::vector<float>& row = out.emplace_back(vocabulary);
            for (const token_logprob& t : result.top.subspan((first + r) * vocabulary, vocabulary))
                row[static_cast<std::size_t>(t.token)] = t.logprob;
        }
        done += rows;
    }
    return out;
}

inline void compare(logprob_error& error, const parity_prompt& prompt, const logprobs& got) {
    for (const parity_row& row : prompt.rows)
        for (std::size_t i = 0; i < row.tokens.size(); ++i)
            error.add_difference(
                got[static_cast<std::size_t>(row.position)]
                   [static_cast<std::size_t>(row.tokens[i])] -
                (row.logits[i] - row.log_sum_exp));
}

/// Checks the greedy answers against the recorded ones, each as far as its margins decide; the
/// number of tokens that were compared. A token may differ only where the two first logits lie
/// closer than both errors together.
inline int greedy_tokens_compared(executor& runs_on, const parity_case& recorded) {
    int compared = 0;
    for (const parity_prompt& prompt : recorded.prompts) {
        if (static_cast<std::int32_t>(prompt.tokens.size()) > runs_on.reserved().rows) continue;
        lockstep_batch batch{
            runs_on, 1, static_cast<std::int32_t>(prompt.tokens.size() + prompt.greedy.size())};
        std::vector<std::vector<std::int32_t>> next{prompt.tokens};
        for (std::size_t i = 0; i < prompt.greedy.size(); ++i) {
            const std::int32_t token = batch.run(next, 1).sampled[0].token;
            CAPTURE(recorded.name);
            CAPTURE(i);
            if (prompt.margins[i] < 3 * recorded.bf16_loss.max) break;
            CHECK(token == prompt.greedy[i]);
            if (token != prompt.greedy[i]) break;
            next = {{token}};
            ++compared;
        }
    }
    return compared;
}

inline const parity_prompt& longest(const parity_case& of) {
    return *std::max_element(of.prompts.begin(), of.prompts.end(),
                             [](const parity_prompt& a, const parity_prompt& b) {
                                 return a.tokens.size() < b.tokens.size(); });
}

}  // namespace g4::testing
