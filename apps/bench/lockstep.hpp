// Sequences that run side by side without an engine: the steps that a timing needs.
#pragma once
#include "g4/engine/kv_pool.hpp"
#include "g4/gate/executor.hpp"
#include <algorithm>
#include <random>
#include <utility>
#include <vector>

namespace g4::apps {

using token_list = std::vector<std::int32_t>;

inline std::vector<token_list> random_prompts(int count, int length, std::int32_t vocabulary,
                                              int seed) {
    std::mt19937 random{static_cast<std::mt19937::result_type>(seed)};
    std::uniform_int_distribution<std::int32_t> token{0, vocabulary - 1};
    std::vector<token_list> out(static_cast<std::size_t>(count));
    for (token_list& prompt : out)
        for (int i = 0; i < length; ++i) prompt.push_back(token(random));
    return out;
}

/// A sequence that is known from end to end: how likely is each of its tokens from `scored` on?
struct scored_sequence {
    token_list tokens;
    std::int32_t scored = 1;  // from 1 on: the first token follows nothing
};

/// As many of `wish` sequences as the caches have room for. A step that is returned lives until
/// the next one is asked for; steps are submitted in the order in which they were asked for.
///   rewinds  pages are kept so that rewind() may go back to where decoding began
class lockstep_batch {
  public:
    lockstep_batch(const capacity& reserved, std::int32_t wish, std::int32_t positions,
                   bool rewinds = false)
        : reserved_{reserved}, pool_{reserved, reserved.rows}, rewinds_{rewinds} {
        for (std::int32_t i = 0; i < std::min(wish, reserved.sequences); ++i) {
            one next;
            if (!pool_.admit(next.pages, positions, i == 0)) break;
            sequences_.push_back(std::move(next));
        }
    }

    std::int32_t size() const { return static_cast<std::int32_t>(sequences_.size()); }
    /// Tokens that the caches hold of the first sequence.
    std::int32_t past() const { return sequences_.front().past; }

    /// The prompts' next rows, as many as a step takes, one sequence behind the other; of each
    /// prompt the last row is wanted. No rows: all prompts are in.
    step prefill(const std::vector<token_list>& prompts) {
        begin();
        std::int32_t room = reserved_.rows;
        for (std::size_t i = 0; i < prompts.size() && room > 0; ++i) {
            one& s = sequences_[i];
            const auto length = static_cast<std::int32_t>(prompts[i].size());
            if (s.past == length) continue;
            if (wanted_.size() == static_cast<std::size_t>(reserved_.wanted)) break;
            const std::int32_t rows =
                pool_.rows_that_fit(s.pages, s.past, std::min(room, length - s.past));
            if (s.past == 0) started_.push_back({static_cast<std::int32_t>(i), prompts[i]});
            const auto from = prompts[i].begin() + s.past;
            token_ids_.insert(token_ids_.end(), from, from + rows);
            add_rows(i, rows, s.past + rows == length ? 1 : 0);
            kept_ = s.past;
            room -= rows;
        }
        return built();
    }

    /// One row for each of the first `count` sequences.
    ///   tokens  empty: what the step before chose, whose wanted rows must be these sequences'
    step decode(std::int32_t count, const token_list& tokens) {
        begin();
        for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
            token_ids_.push_back(tokens.empty() ? sampled_by_last_step(static_cast<int>(i))
                                                : tokens[i]);
            add_rows(i, 1, 1);
        }
        return built();
    }

    /// The next rows of every sequence, `tokens` [sequences][rows]; the last `wanted` of each are
    /// asked for with `how`. The first are the prompt.
    step rows(const std::vector<token_list>& tokens, std::int32_t wanted, const sampling& how) {
        begin();
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            if (sequences_[i].past == 0)
                started_.push_back({static_cast<std::int32_t>(i), tokens[i]});
            token_ids_.insert(token_ids_.end(), tokens[i].begin(), tokens[i].end());
            const auto count = static_cast<std::int32_t>(tokens[i].size());
            add_rows(i, count, std::min(wanted, count), how);
        }
        return built();
    }

    /// The next rows of known sequences, as many as a step takes: each scored token is given to the
    /// row before it. Log-probabilities come back in the order of sequences and their tokens. No
    /// rows: all are in.
    step score(const std::vector<scored_sequence>& sequences) {
        begin();
        std::int32_t room = reserved_.rows;
        for (std::size_t i = 0; i < sequences.size() && room > 0; ++i) {
            const auto& [tokens, scored] = sequences[i];
            const std::int32_t past = sequences_[i].past;
            const std::int32_t left = static_cast<std::int32_t>(tokens.size()) - 1 - past;
            if (left == 0) continue;
            const std::int32_t unwanted = std::max(0, scored - 1 - past);
            const std::int32_t may_want =
                reserved_.wanted - static_cast<std::int32_t>(wanted_.size());
            if (unwanted + may_want == 0) break;
            const std::int32_t rows = pool_.rows_that_fit(
                sequences_[i].pages, past, std::min({room, left, unwanted + may_want}));
            if (past == 0) started_.push_back({static_cast<std::int32_t>(i), tokens});
            token_ids_.insert(token_ids_.end(), tokens.begin() + past,
                              tokens.begin() + past + rows);
            add_rows(i, rows, std::max(0, rows - unwanted), {.top_logprobs = 0});
            std::int32_t end = past + rows + 1;
            for (std::int32_t k = 0; k < rows - unwanted; ++k)
                wanted_[wanted_.size() - 1 - static_cast<std::size_t>(k)].given =
                    tokens[static_cast<std::size_t>(--end)];
            room -= rows;
            if (rows < left) break;  // what follows comes back behind the rest of this one
        }
        return built();
    }

    /// The next rows of every sequence stand at `position` again.
    void rewind(std::int32_t position) {
        for (one& s : sequences_) s.past = position;
    }

  private:
    struct one {
        sequence_pages pages{};
        std::int32_t past = 0;
    };

    /// The step before is built: what no later row sees may go to others.
    void begin() {
        for (one& s : sequences_) pool_.trim(s.pages, rewinds_ ? std::min(s.past, kept_) : s.past);
        token_ids_.clear();
        rows_.clear();
        pages_.clear();
        wanted_.clear();
        started_.clear();
    }
    void add_rows(std::size_t index, std::int32_t count, std::int32_t wanted,
                  const sampling& how = {}) {
        one& s = sequences_[index];
        pool_.grow(s.pages, s.past, count);
        const auto end = static_cast<std::int32_t>(token_ids_.size());
        sequence_rows rows{.first_row = end - count, .row_count = count, .past = s.past,
                           .slot = static_cast<std::int32_t>(index), .lists = {}};
        for (std::int32_t kind = 0; kind < pool_.kinds(); ++kind) {
            const held_pages& held = s.pages[static_cast<std::size_t>(kind)];
            rows.lists[static_cast<std::size_t>(kind)] = {
                static_cast<std::int32_t>(pages_.size()), held.skipped};
            pages_.insert(pages_.end(), held.pages.begin(), held.pages.end());
        }
        rows_.push_back(rows);
        for (std::int32_t row = end - wanted; row < end; ++row)
            wanted_.push_back({.row = row, .how = how});
        s.past += count;
    }
    step built() const {
        return {.token_ids = token_ids_, .sequences = rows_, .pages = pages_, .wanted = wanted_,
                .started = started_, .biases = {}};
    }

    const capacity& reserved_;
    kv_pool pool_;
    bool rewinds_;
    std::int32_t kept_ = 0;  // where decoding begins: the least position to go back to
    std::vector<one> sequences_;
    std::vector<std::int32_t> token_ids_, pages_;
    std::vector<sequence_rows> rows_;
    std::vector<wanted_row> wanted_;
    std::vector<slot_start> started_;
};

}  // namespace g4::apps
