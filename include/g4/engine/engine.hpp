// The thread that keeps an executor busy with what requests need, and tells them what came.
#pragma once
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>
#include "g4/core/error.hpp"
#include "g4/core/log.hpp"
#include "g4/engine/request.hpp"
#include "g4/engine/scheduler.hpp"
#include "g4/gate/executor.hpp"

namespace g4 {

struct engine_options {
    std::int32_t max_model_len = 0;           // prompt and answer together
    std::int32_t max_num_batched_tokens = 0;  // rows of one step; never more than were reserved
    std::int32_t max_num_seqs = 0;            // live at once; never more than were reserved
    std::int32_t max_waiting = 0;             // that may wait when no slot is free; 0: no limit
    bool chunked_prefill = true;              // false: the rows of a prompt stay in one step
    logger log{};
    // 2: a step is prepared and handed over while the one before it runs, and what it computes
    // for a request that has just stopped is dropped. For devices that run beside the host.
    int steps_in_flight = 1;
};

/// The queue is full: try again later.
struct overloaded_error : std::runtime_error {
    template <class... Parts>
    explicit overloaded_error(const Parts&... parts) : std::runtime_error{concat(parts...)} {}
};

struct engine_stats {
    std::int64_t running = 0, waiting = 0;
    std::int64_t prompt_tokens = 0, generated_tokens = 0, steps = 0;
    std::int64_t cancelled = 0, finished_stop = 0, finished_length = 0, finished_failed = 0;
    double kv_usage = 0;                      // part of the cache's bytes that sequences hold
    double kv_promised = 0;                   // the same with what they may still take
    std::int32_t page_tokens = 0, pages = 0;  // of the kind of cache that sees everything
};

/// Runs requests on an executor until destroyed. All members may be called from any thread but
/// from within a sink.
class engine {
  public:
    /// The executor must outlive the engine and be used by nobody else.
    /// Errors: input_error when the options leave no room for a row.
    engine(executor& runs_on, engine_options options)
        : executor_{runs_on},
          options_{std::move(options)},
          scheduler_{runs_on.reserved(),
                     {.max_model_len = options_.max_model_len,
                      .max_num_batched_tokens = options_.max_num_batched_tokens,
                      .max_num_seqs = options_.max_num_seqs,
                      .chunked_prefill = options_.chunked_prefill}} {
        if (options_.steps_in_flight != 1 && options_.steps_in_flight != 2)
            throw input_error{"engine: steps_in_flight: expected 1 or 2, got ",
                              options_.steps_in_flight};
        publish();
        thread_ = std::thread{[this] { run(); }};
    }

    /// What is left gets `cancelled`.
    ~engine() {
        {
            const std::lock_guard lock{mutex_};
            stopping_ = true;
        }
        wake_.notify_one();
        thread_.join();
    }
    engine(const engine&) = delete;
    engine& operator=(const engine&) = delete;

    /// Queues a request; its events go to `sink`, the last one with a finish.
    /// Errors: input_error when it can never run; overloaded_error when the queue is full;
    ///         device_error when the executor has failed.
    request_id submit(generation_request request, event_sink sink) {
        scheduler_.check(request);
        request_id id = 0;
        {
            const std::lock_guard lock{mutex_};
            if (failed_) throw device_error{failure_};
            const std::int64_t waiting = unfinished_ - stats_.running;
            if (options_.max_waiting > 0 && waiting >= options_.max_waiting + admissible_)
                throw overloaded_error{"engine: expected at most ", options_.max_waiting,
                                       " requests to wait, got one more"};
            id = ++last_id_;
            ++unfinished_;
            arrived_.push_back({id, std::move(request), std::move(sink)});
        }
        wake_.notify_one();
        return id;
    }

    /// Ends a request within one step; its sink gets `cancelled`, unless it ends on its own
    /// before that. Returns at once; ids of ended requests are ignored.
    void cancel(request_id id) {
        {
            const std::lock_guard lock{mutex_};
            if (failed_) return;
            cancels_.push_back(id);
        }
        wake_.notify_one();
    }

    /// Whether every request had ended, and its sink had returned, before the time was over.
    bool wait_idle(std::chrono::milliseconds timeout) {
        std::unique_lock lock{mutex_};
        return idle_.wait_for(lock, timeout, [&] { return unfinished_ == 0 && !delivering_; });
    }

    engine_stats stats() const {
        const std::lock_guard lock{mutex_};
        engine_stats out = stats_;
        out.waiting = unfinished_ - out.running;
        return out;
    }

    /// The executor threw: every request got `failed`, and no other will run.
    bool failed() const {
        const std::lock_guard lock{mutex_};
        return failed_;
    }
    /// In words why; empty as long as it has not failed.
    std::string failure() const {
        const std::lock_guard lock{mutex_};
        return failure_;
    }
    /// Calls `call` once when the executor has failed and every request knows, on the engine's
    /// thread; at once, on this one, when that has happened already.
    void on_failure(std::function<void()> call) {
        {
            const std::lock_guard lock{mutex_};
            if (!told_failure_) {
                when_failed_.push_back(std::move(call));
                return;
            }
        }
        call();
    }

  private:
    struct arrival {
        request_id id = 0;
        generation_request request;
        event_sink sink;
    };

    void run() {
        try {
            while (take_calls()) {
                if (!events_.empty()) tell();  // who cancelled need not wait for the next step
                advance();
                tell();
            }
            stop();
        } catch (const std::exception& error) {
            fail(error.what());
        }
    }

    void tell() {
        publish();
        deliver();
    }

    /// Takes over what other threads asked for, and sleeps while there is nothing to do.
    bool take_calls() {
        std::vector<arrival> arrived;
        std::vector<request_id> cancels;
        bool go_on = true;
        {
            std::unique_lock lock{mutex_};
            wake_.wait(lock, [&] {
                return stopping_ || !arrived_.empty() || !cancels_.empty() || in_flight_ > 0 ||
                       !scheduler_.empty();
            });
            arrived.swap(arrived_);
            cancels.swap(cancels_);
            go_on = !stopping_;
        }
        for (arrival& one : arrived) {
            sinks_.emplace(one.id, std::move(one.sink));
            scheduler_.add(one.id, std::move(one.request));
        }
        for (const request_id id : cancels) scheduler_.cancel(id, events_);
        return go_on;
    }

    /// Hands over one step if one can be made, and waits for one when no more may be on the way.
    void advance() {
        if (const std::optional<step> next = scheduler_.plan(std::chrono::steady_clock::now())) {
            ++in_flight_;
            executor_.submit(*next);
            if (in_flight_ < options_.steps_in_flight) return;
        }
        if (in_flight_ == 0) {
            G4_ASSERT(scheduler_.empty(), "engine: requests are left, and no step can be made");
            return;
        }
        const step_result result = executor_.wait();
        --in_flight_;
        scheduler_.apply(result, events_);
#ifndef NDEBUG
        scheduler_.verify();
#endif
    }

    void deliver() {
        for (addressed_event& one : std::exchange(events_, {})) {
            const auto sink = sinks_.find(one.id);
            G4_ASSERT(sink != sinks_.end(), "engine: request ", one.id, " has had its last event");
            const bool last = one.event.finish != finish_reason::none;
            call(sink->second, std::move(one.event));
            if (last) sinks_.erase(sink);
        }
        const std::lock_guard lock{mutex_};
        delivering_ = false;
        if (unfinished_ == 0) idle_.notify_all();
    }

    /// A sink that throws breaks its contract; that must not end the others' answers.
    void call(const event_sink& sink, generation_event&& event) noexcept {
        try {
            sink(std::move(event));
        } catch (const std::exception& error) {
            options_.log.error("engine: an event sink threw: ", error.what());
        }
    }

    /// What others may ask about, true before they hear of it by an event.
    void publish() {
        const scheduler_counts& counts = scheduler_.counts();
        const auto ended = std::ranges::count_if(events_, [](const addressed_event& one) {
            return one.event.finish != finish_reason::none;
        });
        const std::lock_guard lock{mutex_};
        unfinished_ -= ended;
        delivering_ = !events_.empty();
        stats_.running = scheduler_.running();
        stats_.prompt_tokens = counts.prompt_tokens;
        stats_.generated_tokens = counts.generated_tokens;
        stats_.steps = counts.steps;
        stats_.cancelled = counts.cancelled;
        stats_.finished_stop = counts.finished_stop;
        stats_.finished_length = counts.finished_length;
        stats_.finished_failed = counts.finished_failed + failures_;
        stats_.kv_usage = scheduler_.pool().held();
        stats_.kv_promised = scheduler_.pool().held_or_promised();
        stats_.page_tokens = executor_.reserved().page_tokens;
        for (const cache_kind& kind : executor_.reserved().kinds) {
            if (kind.window_tokens == 0 || stats_.pages == 0) stats_.pages = kind.pages;
        }
        admissible_ = scheduler_.waiting() > 0 ? 0 : scheduler_.free_slots();
    }

    /// The engine is being destroyed: cancels what is left, and leaves the executor at rest.
    void stop() {
        for (const auto& [id, sink] : sinks_) scheduler_.cancel(id, events_);
        tell();
        for (; in_flight_ > 0; --in_flight_) executor_.wait();
    }

    /// No step will run any more: everyone hears of it, those who come later from submit().
    void fail(const std::string& why) {
        options_.log.error("engine: stopped: ", why);
        std::vector<arrival> arrived;
        {
            const std::lock_guard lock{mutex_};
            failed_ = true;
            failure_ = concat("engine: the executor failed and takes no more requests: ", why);
            arrived.swap(arrived_);
        }
        tell();  // what had come before
        scheduler_.abandon();
        for (arrival& one : arrived) sinks_.emplace(one.id, std::move(one.sink));
        generation_event event;
        event.finish = finish_reason::failed;
        event.error = failure_;
        for (const auto& [id, sink] : sinks_) events_.push_back({id, event});
        failures_ = static_cast<std::int64_t>(sinks_.size());
        tell();
        std::vector<std::function<void()>> calls;
        {
            const std::lock_guard lock{mutex_};
            told_failure_ = true;
            calls.swap(when_failed_);
        }
        for (const auto& call : calls) call();
    }

    executor& executor_;
    engine_options options_;

    // of the engine's thread alone
    scheduler scheduler_;
    std::unordered_map<request_id, event_sink> sinks_;
    std::vector<addressed_event> events_;
    int in_flight_ = 0;
    std::int64_t failures_ = 0;  // requests that the executor left behind

    mutable std::mutex mutex_;  // over what follows
    std::condition_variable wake_, idle_;
    std::vector<arrival> arrived_;
    std::vector<request_id> cancels_;
    engine_stats stats_;
    std::int64_t unfinished_ = 0;  // requests that run or wait
    bool delivering_ = false;      // events are on their way to sinks
    std::int32_t admissible_ = 0;  // arrivals that would get a slot at once
    request_id last_id_ = 0;
    bool stopping_ = false, failed_ = false, told_failure_ = false;
    std::string failure_;
    std::vector<std::function<void()>> when_failed_;

    std::thread thread_;
};

}  // namespace g4
