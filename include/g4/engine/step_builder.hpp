// Writes the arrays of one step, sequence behind sequence, and notes whom each answer is for.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>
#include "g4/engine/sequence.hpp"
#include "g4/gate/step.hpp"

namespace g4 {

/// Whom a wanted row of a step belongs to. A sequence may have ended when the answer comes.
struct wanted_by {
    request_id id = 0;
    std::int32_t slot = 0;
    std::int32_t top = 0;    // alternatives that come with it
    bool of_prompt = false;  // reports a token of the prompt instead of a new one
};

/// What must be remembered of a step until its answer comes.
struct planned_step {
    std::vector<wanted_by> wanted;
    std::vector<wanted_by> complete;  // without tokens to generate: their prompts end here
    std::int32_t prompt_rows = 0;
};

class step_builder {
  public:
    step_builder(std::int32_t rows, std::int32_t wanted) : max_rows_{rows}, max_wanted_{wanted} {}

    void begin(std::int64_t number) {
        number_ = number;
        token_ids_.clear();
        sequences_.clear();
        pages_.clear();
        wanted_.clear();
        started_.clear();
        biases_.clear();
        record_ = {};
    }

    std::int32_t rows() const { return static_cast<std::int32_t>(token_ids_.size()); }
    std::int32_t rows_left() const { return max_rows_ - rows(); }
    std::int32_t wanted_left() const {
        return max_wanted_ - static_cast<std::int32_t>(wanted_.size());
    }

    /// One row that continues the answer.
    void add_decode(sequence& of, kv_pool& pool) {
        const std::int32_t row = rows();
        token_ids_.push_back(of.awaited == 0 ? of.last_token
                                             : sampled_by_last_step(of.last_wanted));
        want_token(of, row);
        place(of, 1, pool);
    }

    /// The next `count` rows of the prompt.
    void add_prompt(sequence& of, std::int32_t count, kv_pool& pool) {
        const std::vector<std::int32_t>& prompt = of.request.prompt;
        if (of.past == 0) started_.push_back({.slot = of.slot, .prompt = prompt});
        for (std::int32_t i = 0; i < count; ++i) {
            const std::int32_t position = of.past + i, row = rows();
            token_ids_.push_back(prompt[static_cast<std::size_t>(position)]);
            if (position + 1 < of.prompt_tokens()) {
                if (of.reports_prompt()) want_given(of, row, position + 1);
            } else if (of.request.max_tokens > 0) {
                want_token(of, row);
            } else {
                record_.complete.push_back({.id = of.id, .slot = of.slot});
            }
        }
        record_.prompt_rows += count;
        place(of, count, pool);
    }

    /// Valid until the next begin().
    step built() const {
        return {.token_ids = token_ids_,
                .sequences = sequences_,
                .pages = pages_,
                .wanted = wanted_,
                .started = started_,
                .biases = biases_};
    }
    planned_step take_record() { return std::move(record_); }

  private:
    void place(sequence& of, std::int32_t count, kv_pool& pool) {
        pool.grow(of.pages, of.past, count);
        sequence_rows rows_of{.first_row = rows() - count,
                              .row_count = count,
                              .past = of.past,
                              .slot = of.slot,
                              .lists = {}};
        for (std::int32_t kind = 0; kind < pool.kinds(); ++kind) {
            const held_pages& held = of.pages[static_cast<std::size_t>(kind)];
            rows_of.lists[static_cast<std::size_t>(kind)] = {
                .first = static_cast<std::int32_t>(pages_.size()), .skipped = held.skipped};
            pages_.insert(pages_.end(), held.pages.begin(), held.pages.end());
        }
        sequences_.push_back(rows_of);
        of.past += count;
        of.last_step = number_;
    }

    void want_given(const sequence& of, std::int32_t row, std::int32_t position) {
        wanted_row want{
            .row = row, .how = {}, .given = of.request.prompt[static_cast<std::size_t>(position)]};
        want.how.top_logprobs = of.request.prompt_logprobs;
        wanted_.push_back(want);
        record_.wanted.push_back(
            {.id = of.id, .slot = of.slot, .top = want.how.top_logprobs, .of_prompt = true});
    }

    void want_token(sequence& of, std::int32_t row) {
        const generation_request& request = of.request;
        wanted_row want{.row = row, .how = request.how, .given = -1};
        want.how.first_bias = static_cast<std::int32_t>(biases_.size());
        biases_.insert(biases_.end(), request.biases.begin(), request.biases.end());
        if (of.generated + of.awaited < request.min_tokens) {
            for (const std::int32_t stop : request.stop_tokens)
                biases_.push_back({stop, -std::numeric_limits<float>::infinity()});
        }
        want.how.bias_count = static_cast<std::int32_t>(biases_.size()) - want.how.first_bias;
        of.last_wanted = static_cast<std::int32_t>(wanted_.size());
        ++of.awaited;
        wanted_.push_back(want);
        record_.wanted.push_back({.id = of.id,
                                  .slot = of.slot,
                                  .top = std::max(0, want.how.top_logprobs),
                                  .of_prompt = false});
    }

    std::int32_t max_rows_, max_wanted_;
    std::int64_t number_ = 0;
    std::vector<std::int32_t> token_ids_;
    std::vector<sequence_rows> sequences_;
    std::vector<std::int32_t> pages_;
    std::vector<wanted_row> wanted_;
    std::vector<slot_start> started_;
    std::vector<logit_bias> biases_;
    planned_step record_;
};

}  // namespace g4
