// A back end without a model, for tests of whatever stands above the gate: its pages hold tokens,
// and its answers are a function of the tokens that it reads back from them.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <thread>
#include <utility>
#include <vector>
#include "g4/core/error.hpp"
#include "g4/gate/executor.hpp"
#include "g4/gate/sampler.hpp"

namespace g4::testing {

struct null_options {
    capacity reserved;
    std::chrono::microseconds step_time{0};  // a step takes at least that long, behind the last
    // true: every wanted row gets logits over the vocabulary and host_sampler picks. false: the
    // answer itself, with log-probability 0 and its successors as alternatives, for load tests.
    bool samples = true;
    // true: a row reads back all that it may see. false: only the position before its own.
    bool reads_history = true;
    // The token after these, most likely by far; none: null_answer. Gets what the row reads back.
    std::function<std::int32_t(std::span<const std::int32_t>)> answer{};
    std::int64_t fails_at_step = -1;  // its wait() throws device_error, and all calls after it
};

/// A number below `vocabulary` that depends on each token and its place.
inline std::int32_t null_answer(std::span<const std::int32_t> tokens, std::int32_t vocabulary) {
    std::uint64_t hash = 0x9e3779b97f4a7c15u;
    for (const std::int32_t token : tokens) {
        hash = (hash ^ static_cast<std::uint64_t>(token)) * 0xbf58476d1ce4e5b9u;
        hash ^= hash >> 29;
    }
    return static_cast<std::int32_t>(hash % static_cast<std::uint64_t>(vocabulary));
}

/// The logits after these tokens: `answer` stands 8 above a ragged floor between 0 and 4.
inline void null_logits(std::int32_t answer, std::span<float> logits) {
    auto state = static_cast<std::uint32_t>(answer) * 2654435761u + 1;
    for (float& one : logits) {
        state = state * 1664525u + 1013904223u;
        one = static_cast<float>(state >> 8) * 0x1p-22f;
    }
    logits[static_cast<std::size_t>(answer)] += 8;
}

/// Runs each step within submit(). Checks all that an engine owes a back end.
/// Errors: internal_error that says what a step got wrong: a row, a page, a past, a slot.
class null_executor : public executor {
  public:
    explicit null_executor(null_options options)
        : options_{std::move(options)},
          sampler_{options_.reserved.vocabulary, options_.reserved.sequences},
          live_(static_cast<std::size_t>(options_.reserved.sequences)) {
        for (const cache_kind& kind : options_.reserved.kinds)
            cells_.emplace_back(static_cast<std::size_t>(kind.pages) * page_tokens());
        logits_.resize(static_cast<std::size_t>(options_.reserved.vocabulary));
    }

    const capacity& reserved() const override { return options_.reserved; }

    void submit(const step& next) override {
        refuse_when_failed();
        G4_ASSERT(pending_.size() < 2, "null: more than two steps without a wait");
        check_shape(next);
        for (const slot_start& taken : next.started) start(taken);
        std::vector<std::int32_t> ids{next.token_ids.begin(), next.token_ids.end()};
        for (std::int32_t& id : ids) id = known(id);
        check_pages(next);
        for (const sequence_rows& rows : next.sequences) write(next, rows, ids);
        answer outcome;
        outcome.number = steps_++;
        for (const sequence_rows& rows : next.sequences) pick_rows(next, rows, outcome);
        last_sampled_.clear();
        for (const token_logprob& one : outcome.sampled) last_sampled_.push_back(one.token);
        const auto now = std::chrono::steady_clock::now();
        outcome.ready = std::max(now, last_ready_) + options_.step_time;
        last_ready_ = outcome.ready;
        pending_.push_back(std::move(outcome));
    }

    step_result wait() override {
        refuse_when_failed();
        G4_ASSERT(!pending_.empty(), "null: nothing to wait for");
        current_ = std::move(pending_.front());
        pending_.pop_front();
        if (current_.number == options_.fails_at_step) {
            failed_ = true;
            refuse_when_failed();
        }
        std::this_thread::sleep_until(current_.ready);
        return {.sampled = current_.sampled, .top = current_.top};
    }

    std::int64_t steps() const { return steps_; }
    std::int32_t most_rows() const { return most_rows_; }
    std::int32_t most_sequences() const { return most_sequences_; }
    std::int32_t most_pending() const { return most_pending_; }

  private:
    using clock = std::chrono::steady_clock;
    struct cell {  // of one position: its token, and whose it is
        std::int32_t token = -1, position = -1;
        std::int64_t owner = -1;
    };
    struct live_sequence {
        std::int64_t owner = -1;  // counts the starts, so a slot's next sequence is another
        std::int32_t past = 0;
    };
    struct answer {
        std::int64_t number = 0;
        clock::time_point ready{};
        std::vector<token_logprob> sampled, top;
    };

    std::size_t page_tokens() const {
        return static_cast<std::size_t>(options_.reserved.page_tokens);
    }

    void refuse_when_failed() const {
        if (failed_) throw device_error{"null: step ", options_.fails_at_step, " failed"};
    }

    void check_shape(const step& next) {
        const capacity& limits = options_.reserved;
        const auto fits = [](std::size_t count, std::int32_t most) {
            return count <= static_cast<std::size_t>(most);
        };
        G4_ASSERT(!next.token_ids.empty(), "null: a step without rows");
        G4_ASSERT(fits(next.token_ids.size(), limits.rows), "null: ", next.token_ids.size(),
                  " rows");
        G4_ASSERT(fits(next.wanted.size(), limits.wanted), "null: ", next.wanted.size(), " wanted");
        G4_ASSERT(fits(next.sequences.size(), limits.sequences), "null: too many sequences");
        std::int32_t row = 0;
        std::set<std::int32_t> slots;
        for (const sequence_rows& rows : next.sequences) {
            G4_ASSERT(rows.first_row == row && rows.row_count > 0, "null: rows out of order");
            G4_ASSERT(rows.slot >= 0 && rows.slot < limits.sequences, "null: slot ", rows.slot);
            G4_ASSERT(slots.insert(rows.slot).second, "null: slot ", rows.slot, " twice");
            row += rows.row_count;
        }
        G4_ASSERT(fits(next.token_ids.size(), row) &&
                      next.token_ids.size() == static_cast<std::size_t>(row),
                  "null: rows of no sequence");
        std::int32_t wanted = -1;
        for (const wanted_row& want : next.wanted) {
            G4_ASSERT(want.row > wanted && want.row < row, "null: wanted rows out of order");
            wanted = want.row;
        }
        most_rows_ = std::max(most_rows_, row);
        most_sequences_ =
            std::max(most_sequences_, static_cast<std::int32_t>(next.sequences.size()));
        most_pending_ = std::max(most_pending_, static_cast<std::int32_t>(pending_.size()) + 1);
    }

    void start(const slot_start& taken) {
        live_[static_cast<std::size_t>(taken.slot)] = {.owner = ++starts_, .past = 0};
        sampler_.start(taken);
    }

    std::int32_t known(std::int32_t id) const {
        if (id < 0) {
            const auto row = static_cast<std::size_t>(-1 - id);
            G4_ASSERT(row < last_sampled_.size(), "null: the last step samples no row ", row);
            id = last_sampled_[row];
        }
        G4_ASSERT(id >= 0 && id < options_.reserved.vocabulary, "null: token ", id);
        return id;
    }

    /// How many pages the lists of a sequence must name: to the position of its last row.
    std::int32_t list_length(const sequence_rows& rows, std::size_t kind) const {
        const std::int32_t tokens = options_.reserved.page_tokens;
        return (rows.past + rows.row_count + tokens - 1) / tokens - rows.lists[kind].skipped;
    }

    /// No page may serve two sequences of one step.
    void check_pages(const step& next) const {
        for (std::size_t kind = 0; kind < cells_.size(); ++kind) {
            const auto pages = static_cast<std::size_t>(options_.reserved.kinds[kind].pages);
            std::vector<bool> used(pages);
            for (const sequence_rows& rows : next.sequences) {
                const page_list& list = rows.lists[kind];
                const std::int32_t end = list.first + list_length(rows, kind);
                G4_ASSERT(list.first >= 0 && static_cast<std::size_t>(end) <= next.pages.size(),
                          "null: a page list leaves the step's pages");
                for (std::int32_t i = list.first; i < end; ++i) {
                    const auto page =
                        static_cast<std::size_t>(next.pages[static_cast<std::size_t>(i)]);
                    G4_ASSERT(page < pages, "null: page ", page, " of kind ", kind);
                    G4_ASSERT(!used[page], "null: page ", page, " serves two places");
                    used[page] = true;
                }
            }
        }
    }

    cell& at(const step& next, const sequence_rows& rows, std::size_t kind, std::int32_t position) {
        const page_list& list = rows.lists[kind];
        const std::int32_t tokens = options_.reserved.page_tokens;
        const std::int32_t index = position / tokens - list.skipped;
        G4_ASSERT(index >= 0, "null: position ", position, " lies in a page that was given back");
        const std::int32_t page = next.pages[static_cast<std::size_t>(list.first + index)];
        return cells_[kind][static_cast<std::size_t>(page) * page_tokens() +
                            static_cast<std::size_t>(position % tokens)];
    }

    void write(const step& next, const sequence_rows& rows, std::span<const std::int32_t> ids) {
        live_sequence& of = live_[static_cast<std::size_t>(rows.slot)];
        G4_ASSERT(of.owner >= 0, "null: slot ", rows.slot, " was never started");
        G4_ASSERT(rows.past == of.past, "null: expected a past of ", of.past, ", got ", rows.past);
        for (std::size_t kind = 0; kind < cells_.size(); ++kind) {
            for (std::int32_t i = 0; i < rows.row_count; ++i)
                at(next, rows, kind, rows.past + i) = {
                    .token = ids[static_cast<std::size_t>(rows.first_row + i)],
                    .position = rows.past + i,
                    .owner = of.owner};
        }
        of.past += rows.row_count;
    }

    /// What a row at `position` sees of one kind, its own token last.
    void read(const step& next, const sequence_rows& rows, std::size_t kind,
              std::int32_t position) {
        const std::int64_t owner = live_[static_cast<std::size_t>(rows.slot)].owner;
        const std::int32_t window = options_.reserved.kinds[kind].window_tokens;
        std::int32_t begin = window == 0 ? 0 : std::max(0, position - window + 1);
        if (!options_.reads_history) begin = std::max(begin, position - 1);
        seen_.clear();
        for (std::int32_t p = begin; p <= position; ++p) {
            const cell& one = at(next, rows, kind, p);
            G4_ASSERT(one.owner == owner && one.position == p, "null: kind ", kind, ": position ",
                      p, " of slot ", rows.slot, " was overwritten");
            seen_.push_back(one.token);
        }
    }

    void pick_rows(const step& next, const sequence_rows& rows, answer& outcome) {
        const auto first =
            std::ranges::lower_bound(next.wanted, rows.first_row, {}, &wanted_row::row);
        for (auto want = first; want != next.wanted.end(); ++want) {
            const std::int32_t i = want->row - rows.first_row;
            if (i >= rows.row_count) break;
            outcome.sampled.push_back(pick(next, rows, *want, rows.past + i, outcome.top));
        }
    }

    token_logprob pick(const step& next, const sequence_rows& rows, const wanted_row& want,
                       std::int32_t position, std::vector<token_logprob>& top) {
        const std::int32_t vocabulary = options_.reserved.vocabulary;
        std::int32_t chosen = 0;
        for (std::size_t kind = 0; kind < cells_.size(); ++kind) {
            read(next, rows, kind, position);
            if (!options_.answer)
                chosen = (chosen + null_answer(seen_, vocabulary)) % vocabulary;
            else if (options_.reserved.kinds[kind].window_tokens == 0)
                chosen = options_.answer(seen_);
        }
        if (options_.samples) {
            null_logits(chosen, logits_);
            return sampler_.pick(logits_, want, next.biases, rows.slot, position, top);
        }
        for (std::int32_t i = 0; i < want.how.top_logprobs; ++i)
            top.push_back({(chosen + i) % vocabulary, static_cast<float>(-i)});
        return {.token = want.given >= 0 ? want.given : chosen, .logprob = 0};
    }

    null_options options_;
    host_sampler sampler_;
    std::vector<std::vector<cell>> cells_;  // by kind: [page][token]
    std::vector<live_sequence> live_;       // by slot
    std::vector<float> logits_;
    std::vector<std::int32_t> seen_, last_sampled_;
    std::deque<answer> pending_;
    answer current_;
    clock::time_point last_ready_{};
    std::int64_t steps_ = 0, starts_ = 0;
    std::int32_t most_rows_ = 0, most_sequences_ = 0, most_pending_ = 0;
    bool failed_ = false;
};

/// A capacity with a kind that sees everything and, unless window_tokens is 0, one that does not.
inline capacity null_capacity(std::int32_t rows, std::int32_t sequences, std::int32_t page_tokens,
                              std::int32_t vocabulary, std::int32_t pages,
                              std::int32_t window_tokens = 0, std::int32_t window_pages = 0) {
    capacity out{.rows = rows,
                 .wanted = std::max(rows, 1),
                 .sequences = sequences,
                 .page_tokens = page_tokens,
                 .vocabulary = vocabulary,
                 .kinds = {}};
    out.kinds.push_back({.window_tokens = 0, .pages = pages, .page_bytes = 4096});
    if (window_tokens > 0)
        out.kinds.push_back(
            {.window_tokens = window_tokens, .pages = window_pages, .page_bytes = 1024});
    return out;
}

}  // namespace g4::testing
