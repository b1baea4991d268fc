// Brings the engine's events to the loop: one wake-up for all that a step made.
#pragma once
#include "g4/engine/request.hpp"
#include "g4/serve/http/server.hpp"
#include <chrono>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace g4::serve {

/// Whoever waits for events of the engine; called on the loop.
class event_receiver {
  public:
    virtual ~event_receiver() = default;
    /// `answer` is the number under which the receiver asked for the sink, `when` the moment at
    /// which the engine had the event.
    virtual void receive(std::size_t answer, generation_event&& event,
                         std::chrono::steady_clock::time_point when) = 0;
};

class event_pump : public std::enable_shared_from_this<event_pump> {
  public:
    /// The loop must outlive whoever uses the sinks.
    explicit event_pump(event_loop& loop) : loop_{loop} {}

    /// A sink for the engine: it only takes a lock for as long as a push into a vector.
    event_sink sink(std::shared_ptr<event_receiver> to, std::size_t answer) {
        return [self = shared_from_this(), to = std::move(to), answer](generation_event&& event) {
            self->push({to, answer, std::move(event), std::chrono::steady_clock::now()});
        };
    }

  private:
    struct item {
        std::shared_ptr<event_receiver> to;
        std::size_t answer;
        generation_event event;
        std::chrono::steady_clock::time_point when;
    };

    void push(item one) {
        bool first = false;
        {
            const std::lock_guard lock{mutex_};
            first = items_.empty();
            items_.push_back(std::move(one));
        }
        if (first) loop_.post([self = shared_from_this()] { self->drain(); });
    }
    void drain() {
        {
            const std::lock_guard lock{mutex_};
            taken_.swap(items_);
        }
        for (item& one : taken_) one.to->receive(one.answer, std::move(one.event), one.when);
        taken_.clear();
    }

    event_loop& loop_;
    std::mutex mutex_;
    std::vector<item> items_;  // empty: no drain() is on its way
    std::vector<item> taken_;
};

}  // namespace g4::serve
