// One step as the engine asks for it and as a back end answers it: rows in, tokens out.
#pragma once
#include <array>
#include <cstdint>
#include <span>

namespace g4 {

/// A model has at most so many kinds of cache (bytes a token and layer, window).
inline constexpr int max_cache_kinds = 4;

/// A token id that is not known yet: what the previous step samples for its wanted row `row`, an
/// index into that step's `wanted`.
/// So the host prepares step n+1 while step n runs, and no token comes back to go out again.
constexpr std::int32_t sampled_by_last_step(std::int32_t row) { return -1 - row; }

/// Where one sequence keeps the pages of one cache kind. Position p lies in page
/// pages[first + p / page_tokens - skipped], at p % page_tokens.
struct page_list {
    std::int32_t first = 0;    // into step::pages
    std::int32_t skipped = 0;  // pages at the front that fell out of the window and were freed
};

/// One sequence's rows of a step. They continue what its caches hold: row i stands at position
/// `past + i`, and sees positions up to its own. A decode has one row, a prefill chunk many.
struct sequence_rows {
    std::int32_t first_row = 0, row_count = 0;
    std::int32_t past = 0;  // tokens whose keys and values the pages already hold
    std::int32_t slot = 0;  // of the sequence while it lives: its penalties' counts
    std::array<page_list, max_cache_kinds> lists{};
};

/// A sequence takes a slot: its prompt counts for repetition_penalty. Sent with its first rows.
struct slot_start {
    std::int32_t slot = 0;
    std::span<const std::int32_t> prompt;
};

/// How a wanted row's token is chosen; what the row reports beside it. Applied in this order, as
/// vLLM does: logit_bias, penalties, temperature, min_p, top_k, top_p. Log-probabilities are those
/// of the model's own logits, before any of it.
struct sampling {
    float temperature = 0, top_p = 1, min_p = 0;  // temperature 0: the greatest logit
    std::int32_t top_k = 0;                       // 0: all
    std::uint64_t seed = 0;                       // with the position: the row's random number
    float presence_penalty = 0, frequency_penalty = 0, repetition_penalty = 1;
    std::int32_t first_bias = 0, bias_count = 0;  // into step::biases
    std::int32_t top_logprobs = -1;               // -1: none; 0: the sampled token's alone
};

/// A row whose logits are wanted. Rows that nobody wants cost nothing past the last cache owner.
struct wanted_row {
    std::int32_t row = 0;
    sampling how{};
    std::int32_t given = -1;  // not negative: report this token instead of choosing one (prompts)
};

struct logit_bias {
    std::int32_t token = 0;
    float added = 0;
};

/// What the engine asks for: all that differs from one step to the next, and nothing of the model.
/// The launch sizes of the plan are token_ids.size() and wanted.size().
struct step {
    std::span<const std::int32_t> token_ids;   // [rows], sequence behind sequence
    std::span<const sequence_rows> sequences;  // in the order of their rows
    std::span<const std::int32_t> pages;
    std::span<const wanted_row> wanted;        // ascending; may be empty in a middle chunk
    std::span<const slot_start> started;
    std::span<const logit_bias> biases;
};

struct token_logprob {
    std::int32_t token = 0;
    float logprob = 0;
};

/// What a step gives: for each wanted row its token with its log-probability (0 when top_logprobs
/// is -1), then its top_logprobs, flat and in order, most likely first. A row whose logits are not
/// numbers gives token -1: its request fails, the others go on.
/// Lives until the executor's next wait().
struct step_result {
    std::span<const token_logprob> sampled;
    std::span<const token_logprob> top;
};

}  // namespace g4
