// Sequences that run side by side through an executor without an engine, any rows of them wanted.
#pragma once
#include "g4/engine/kv_pool.hpp"
#include "g4/gate/executor.hpp"
#include <algorithm>
#include <utility>
#include <vector>

namespace g4::testing {

/// `count` sequences; each step gives every one the same number of rows. Results live until the
/// next step.
class lockstep_batch {
  public:
    lockstep_batch(executor& runs_on, std::int32_t count, std::int32_t positions)
        : executor_{runs_on}, pool_{runs_on.reserved(), runs_on.reserved().rows},
          sequences_(static_cast<std::size_t>(count)) {
        for (std::size_t i = 0; i < sequences_.size(); ++i)
            if (!pool_.admit(sequences_[i].pages, positions, i == 0))
                throw input_error{"lockstep: expected room for ", count, " sequences of ",
                                  positions, " positions in the kv cache, got room for ", i};
    }

    /// `tokens` [count][rows] are the rows of this step. `wanted` rows of each sequence, the last
    /// ones, are asked for with `how`.
    step_result run(const std::vector<std::vector<std::int32_t>>& tokens, std::int32_t wanted,
                    const sampling& how = {}) {
        token_ids_.clear();
        rows_.clear();
        pages_.clear();
        wanted_.clear();
        std::vector<slot_start> started;
        for (std::size_t i = 0; i < sequences_.size(); ++i) {
            one& s = sequences_[i];
            const auto rows = static_cast<std::int32_t>(tokens[i].size());
            if (s.past == 0) started.push_back({static_cast<std::int32_t>(i), tokens[i]});
            pool_.grow(s.pages, s.past, rows);
            add_rows(static_cast<std::int32_t>(i), rows);
            token_ids_.insert(token_ids_.end(), tokens[i].begin(), tokens[i].end());
            const auto end = static_cast<std::int32_t>(token_ids_.size());
            for (std::int32_t row = end - std::min(wanted, rows); row < end; ++row)
                wanted_.push_back({.row = row, .how = how});
        }
        executor_.submit({.token_ids = token_ids_, .sequences = rows_, .pages = pages_,
                          .wanted = wanted_, .started = started, .biases = {}});
        const step_result out = executor_.wait();
        for (one& s : sequences_) {
            s.past += static_cast<std::int32_t>(tokens[0].size());
            pool_.trim(s.pages, s.past);
        }
        return out;
    }

  private:
    struct one {
        sequence_pages pages{};
        std::int32_t past = 0;
    };

    void add_rows(std::int32_t index, std::int32_t count) {
        const one& s = sequences_[static_cast<std::size_t>(index)];
        sequence_rows rows{.first_row = static_cast<std::int32_t>(token_ids_.size()),
                           .row_count = count, .past = s.past, .slot = index, .lists = {}};
        for (std::int32_t kind = 0; kind < pool_.kinds(); ++kind) {
            const held_pages& held = s.pages[static_cast<std::size_t>(kind)];
            rows.lists[static_cast<std::size_t>(kind)] = {
                static_cast<std::int32_t>(pages_.size()), held.skipped};
            pages_.insert(pages_.end(), held.pages.begin(), held.pages.end());
        }
        rows_.push_back(rows);
    }

    executor& executor_;
    kv_pool pool_;
    std::vector<one> sequences_;
    std::vector<std::int32_t> token_ids_, pages_;
    std::vector<sequence_rows> rows_;
    std::vector<wanted_row> wanted_;
};

}  // namespace g4::testing
