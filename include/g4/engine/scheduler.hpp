// Decides which rows the next step has, and turns its answer into events. No threads, no clock:
// the same calls give the same steps.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>
#include "g4/core/error.hpp"
#include "g4/engine/check_request.hpp"
#include "g4/engine/kv_pool.hpp"
#include "g4/engine/request.hpp"
#include "g4/engine/sequence.hpp"
#include "g4/engine/step_builder.hpp"
#include "g4/gate/executor.hpp"

namespace g4 {

struct scheduler_options {
    std::int32_t max_model_len = 0;           // prompt and answer together
    std::int32_t max_num_batched_tokens = 0;  // rows of one step; never more than were reserved
    std::int32_t max_num_seqs = 0;            // live at once; never more than were reserved
    bool chunked_prefill = true;              // false: the rows of a prompt stay in one step
};

/// What has happened since the start.
struct scheduler_counts {
    std::int64_t prompt_tokens = 0, generated_tokens = 0, steps = 0;
    std::int64_t cancelled = 0;
    std::int64_t finished_stop = 0, finished_length = 0, finished_failed = 0;
};

/// An event and whose it is.
struct addressed_event {
    request_id id = 0;
    generation_event event;
};

/// Continuous batching by reservation. Requests are admitted in the order of their ids as soon as
/// a slot is free and all pages they can ever need are promised; none overtakes another. A step
/// takes the decodes first, then chunks of prompts in the same order, as far as its rows reach.
class scheduler {
  public:
    /// Errors: input_error when the options or the capacity leave no room for a row.
    scheduler(const capacity& reserved, const scheduler_options& options)
        : options_{options},
          reserved_{reserved},
          vocabulary_{reserved.vocabulary},
          max_rows_{std::min(options.max_num_batched_tokens, reserved.rows)},
          max_live_{std::min(options.max_num_seqs, reserved.sequences)},
          pool_{checked(reserved, options), max_rows_},
          builder_{max_rows_, reserved.wanted},
          by_slot_(static_cast<std::size_t>(max_live_), nullptr) {
        for (std::int32_t slot = max_live_; slot-- > 0;) free_slots_.push_back(slot);
    }

    /// Whether it may wait here. Touches nothing that changes: any thread may call it.
    /// Errors: input_error that names the field and both numbers.
    void check(const generation_request& request) const {
        check_tokens(request, vocabulary_);
        check_reserved(request, reserved_);
        check_lengths(request, options_.max_model_len);
        check_sampling(request.how, vocabulary_);
        const std::int32_t positions = sequence::positions(request);
        if (positions > longest_)
            throw input_error{"request: expected at most ", longest_, " tokens in the cache, got ",
                              positions};
        const auto prompt = static_cast<std::int64_t>(request.prompt.size());
        if (!options_.chunked_prefill && prompt > max_rows_)
            throw input_error{"request: prompt: expected at most ", max_rows_,
                              " tokens, the rows of a step, without chunked prefill, got ", prompt};
    }

    /// Puts a checked request behind those that wait; ids ascend.
    void add(request_id id, generation_request request) {
        waiting_.emplace_hint(waiting_.end(), id, std::move(request));
    }

    /// Ends a request now: its pages and its slot are free when this returns. Unknown ids are
    /// of requests that have ended.
    void cancel(request_id id, std::vector<addressed_event>& out) {
        const auto live = std::ranges::find(live_, id, [](const auto& one) { return one->id; });
        if (live != live_.end()) {
            out.push_back({id, (*live)->event()});
            end(**live);
        } else if (waiting_.erase(id) != 0) {
            out.push_back({id, {}});
        } else {
            return;
        }
        out.back().event.finish = finish_reason::cancelled;
        ++counts_.cancelled;
    }

    /// The next step, or nothing when no row can run before an answer comes. Its spans live until
    /// the next plan(). At most two planned steps may lack their answer; between two such steps
    /// nothing else is planned, so an unknown token is always the last step's.
    std::optional<step> plan(std::chrono::steady_clock::time_point now) {
        G4_ASSERT(planned_.size() < 2, "scheduler: two steps are on their way");
        builder_.begin(counts_.steps);
        for (const auto& one : live_) pool_.trim(one->pages, one->past);
        admit();
        add_decodes(decode_limit());
        add_prompts(now);
        if (builder_.rows() == 0) return std::nullopt;
        ++counts_.steps;
        planned_.push_back(builder_.take_record());
        return builder_.built();
    }

    /// The answer to the oldest planned step that has none.
    void apply(const step_result& result, std::vector<addressed_event>& out) {
        G4_ASSERT(!planned_.empty(), "scheduler: an answer without a step");
        const planned_step record = std::move(planned_.front());
        planned_.pop_front();
        G4_ASSERT(result.sampled.size() == record.wanted.size(), "scheduler: expected ",
                  record.wanted.size(), " answers, got ", result.sampled.size());
        counts_.prompt_tokens += record.prompt_rows;
        std::size_t top = 0;
        for (std::size_t i = 0; i < record.wanted.size(); ++i) {
            const wanted_by& who = record.wanted[i];
            const auto count = static_cast<std::size_t>(who.top);
            G4_ASSERT(top + count <= result.top.size(), "scheduler: alternatives are missing");
            if (sequence* live = find(who))
                take(*live, who, result.sampled[i], result.top.subspan(top, count), out);
            top += count;
        }
        for (const wanted_by& who : record.complete) {
            if (sequence* live = find(who))
                finish(*live, live->event(), finish_reason::length, out);
        }
    }

    std::int64_t running() const { return static_cast<std::int64_t>(live_.size()); }
    std::int64_t waiting() const { return static_cast<std::int64_t>(waiting_.size()); }
    std::int32_t free_slots() const { return static_cast<std::int32_t>(free_slots_.size()); }
    bool empty() const { return live_.empty() && waiting_.empty(); }
    const scheduler_counts& counts() const { return counts_; }
    const kv_pool& pool() const { return pool_; }

    /// Forgets everything that lives or waits; for when no step will run any more.
    void abandon() {
        while (!live_.empty()) end(*live_.front());
        waiting_.clear();
        planned_.clear();
    }

    /// Errors: internal_error when pages or slots are lost or shared.
    void verify() const {
        std::vector<const sequence_pages*> held;
        for (const auto& one : live_) {
            held.push_back(&one->pages);
            G4_ASSERT(by_slot_[static_cast<std::size_t>(one->slot)] == one.get(),
                      "scheduler: slot ", one->slot, " is not of request ", one->id);
        }
        pool_.verify(held);
        G4_ASSERT(free_slots_.size() + live_.size() == by_slot_.size(), "scheduler: lost a slot");
    }

  private:
    static const capacity& checked(const capacity& reserved, const scheduler_options& options) {
        const auto require = [](bool holds, const char* what, std::int32_t got) {
            if (!holds) throw input_error{"engine: ", what, ": expected at least 1, got ", got};
        };
        require(options.max_model_len >= 1, "max_model_len", options.max_model_len);
        require(options.max_num_batched_tokens >= 1, "max_num_batched_tokens",
                options.max_num_batched_tokens);
        require(options.max_num_seqs >= 1, "max_num_seqs", options.max_num_seqs);
        require(reserved.rows >= 1, "reserved rows", reserved.rows);
        require(reserved.wanted >= 1, "reserved wanted rows", reserved.wanted);
        require(reserved.sequences >= 1, "reserved sequences", reserved.sequences);
        require(reserved.page_tokens >= 1, "reserved page_tokens", reserved.page_tokens);
        G4_ASSERT(reserved.kinds.size() <= max_cache_kinds, "engine: too many cache kinds");
        for (const cache_kind& kind : reserved.kinds)
            require(kind.pages >= 1, "reserved pages", kind.pages);
        return reserved;
    }

    sequence* find(const wanted_by& who) const {
        sequence* at = by_slot_[static_cast<std::size_t>(who.slot)];
        return at != nullptr && at->id == who.id ? at : nullptr;
    }

    void admit() {
        while (!waiting_.empty() && !free_slots_.empty()) {
            auto first = waiting_.begin();
            auto next = std::make_unique<sequence>();
            if (!pool_.admit(next->pages, sequence::positions(first->second), live_.empty()))
                return;
            next->id = first->first;
            next->request = std::move(first->second);
            next->slot = free_slots_.back();
            waiting_.erase(first);
            free_slots_.pop_back();
            by_slot_[static_cast<std::size_t>(next->slot)] = next.get();
            live_.push_back(std::move(next));
        }
    }

    /// Decodes come first, but where they alone could fill every step, prompts keep an eighth of
    /// it, or when that is nothing, one row of every second step.
    std::int32_t decode_limit() const {
        const std::int32_t rows = builder_.rows_left(), wanted = builder_.wanted_left();
        const auto first =
            std::ranges::find_if(live_, [](const auto& one) { return one->prefilling(); });
        if (first == live_.end()) return std::min(rows, wanted);
        const std::int32_t rest = (*first)->prompt_tokens() - (*first)->past;
        const std::int32_t wants = (*first)->reports_prompt() ? rest : 1;
        const auto share = [&](std::int32_t of, std::int32_t need) {
            if (!options_.chunked_prefill) return std::min(of, need);
            return std::min(need, std::max(of / 8, static_cast<std::int32_t>(counts_.steps % 2)));
        };
        return std::min(rows - share(rows, rest), wanted - share(wanted, wants));
    }

    void add_decodes(std::int32_t limit) {
        ready_.clear();
        for (const auto& one : live_) {
            if (one->wants_next_token()) ready_.push_back(one.get());
        }
        if (static_cast<std::int32_t>(ready_.size()) > limit) {  // whoever waited longest
            std::ranges::sort(ready_, {}, [](const sequence* one) {
                return std::pair{one->last_step, one->id};
            });
            ready_.resize(static_cast<std::size_t>(std::max(limit, 0)));
        }
        for (sequence* one : ready_) builder_.add_decode(*one, pool_);
    }

    void add_prompts(std::chrono::steady_clock::time_point now) {
        for (const auto& one : live_) {
            if (!one->prefilling()) continue;
            const std::int32_t count = chunk_rows(*one);
            if (count == 0) {
                if (!options_.chunked_prefill) return;
                continue;
            }
            if (one->past == 0) one->scheduled = now;
            builder_.add_prompt(*one, count, pool_);
        }
    }

    std::int32_t chunk_rows(const sequence& of) const {
        const std::int32_t rest = of.prompt_tokens() - of.past;
        if (!options_.chunked_prefill && rest > builder_.rows_left()) return 0;
        std::int32_t count = std::min(rest, builder_.rows_left());
        if (of.reports_prompt()) count = std::min(count, builder_.wanted_left());
        if (count == rest && builder_.wanted_left() == 0) --count;  // its last row samples
        return count == 0 ? 0 : pool_.rows_that_fit(of.pages, of.past, count);
    }

    void take(sequence& of, const wanted_by& who, const token_logprob& token,
              std::span<const token_logprob> top, std::vector<addressed_event>& out) {
        if (token.token < 0) {
            generation_event event = of.event();
            event.error = "the model gave no usable logits for this request";
            return finish(of, std::move(event), finish_reason::failed, out);
        }
        generated_token got{.token = token, .top = {top.begin(), top.end()}};
        if (who.of_prompt) {
            of.prompt_report.push_back(std::move(got));
            return;
        }
        ++of.generated;
        --of.awaited;
        ++counts_.generated_tokens;
        of.last_token = token.token;
        generation_event event = of.event();
        event.tokens.push_back(std::move(got));
        event.prompt = std::exchange(of.prompt_report, {});
        if (std::ranges::count(of.request.stop_tokens, token.token) != 0)
            finish(of, std::move(event), finish_reason::stop, out);
        else if (of.generated == of.request.max_tokens)
            finish(of, std::move(event), finish_reason::length, out);
        else
            out.push_back({of.id, std::move(event)});
    }

    void finish(sequence& of, generation_event event, finish_reason why,
                std::vector<addressed_event>& out) {
        event.prompt.insert(event.prompt.end(), std::move_iterator{of.prompt_report.begin()},
                            std::move_iterator{of.prompt_report.end()});
        event.finish = why;
        ++(why == finish_reason::stop     ? counts_.finished_stop
           : why == finish_reason::length ? counts_.finished_length
                                          : counts_.finished_failed);
        out.push_back({of.id, std::move(event)});
        end(of);
    }

    /// Rows of it that are on their way write its pages before any later step does, and their
    /// answers find nobody.
    void end(sequence& of) {
        pool_.release(of.pages);
        by_slot_[static_cast<std::size_t>(of.slot)] = nullptr;
        free_slots_.push_back(of.slot);
        live_.erase(std::ranges::find(live_, &of, [](const auto& one) { return one.get(); }));
    }

    scheduler_options options_;
    capacity reserved_;
    std::int32_t vocabulary_;
    std::int32_t max_rows_, max_live_;
    kv_pool pool_;
    std::int32_t longest_ = pool_.longest(options_.max_model_len);
    step_builder builder_;
    std::map<request_id, generation_request> waiting_;
    std::vector<std::unique_ptr<sequence>> live_;  // in the order of admission
    std::vector<sequence*> by_slot_;
    std::vector<std::int32_t> free_slots_;
    std::deque<planned_step> planned_;
    std::vector<sequence*> ready_;
    scheduler_counts counts_;
};

}  // namespace g4
