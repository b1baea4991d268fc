// One admitted request while it runs: how far its rows are planned and what came back for it.
#pragma once
#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>
#include "g4/engine/kv_pool.hpp"
#include "g4/engine/request.hpp"

namespace g4 {

/// Rows stand at the positions of the prompt, then of the tokens that were sampled. `past` counts
/// the rows of all steps that were planned, run or not, so token past - prompt is the next input.
struct sequence {
    request_id id = 0;
    generation_request request;
    std::int32_t slot = 0;
    sequence_pages pages{};
    std::int32_t past = 0;
    std::int32_t generated = 0;    // tokens that came back
    std::int32_t awaited = 0;      // tokens that planned steps will bring
    std::int32_t last_token = 0;   // the newest that came back
    std::int32_t last_wanted = 0;  // where the newest awaited one stands in its step's `wanted`
    std::int64_t last_step = -1;   // number of the newest step with rows of this sequence
    std::vector<generated_token> prompt_report;  // until the first token takes it along
    std::chrono::steady_clock::time_point scheduled{};

    std::int32_t prompt_tokens() const { return static_cast<std::int32_t>(request.prompt.size()); }
    bool prefilling() const { return past < prompt_tokens(); }
    bool wants_next_token() const {
        return !prefilling() && generated + awaited < request.max_tokens;
    }
    bool reports_prompt() const { return request.prompt_logprobs >= 0; }

    /// Positions that its pages must hold in the end; the last token is never an input.
    static std::int32_t positions(const generation_request& of) {
        return static_cast<std::int32_t>(of.prompt.size()) + std::max(of.max_tokens, 1) - 1;
    }

    /// An event that carries when the first rows ran.
    generation_event event() const {
        generation_event out;
        out.scheduled = scheduled;
        return out;
    }
};

}  // namespace g4
