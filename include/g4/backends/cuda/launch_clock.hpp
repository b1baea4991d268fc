// Takes the launches of a step in turn and records how long each of them runs.
#pragma once
#include "g4/backends/cuda/kernel_set.hpp"
#include "g4/backends/cuda/launch_timer.hpp"
#include "g4/runtime/event.hpp"
#include <algorithm>

namespace g4::cuda {

/// A launch_sink. Between begin() and end() come the launches of one repeat, the same each time.
class launch_clock {
  public:
    launch_clock(const stream& order, const kernel_set& kernels)
        : order_{order}, kernels_{kernels} {}

    void begin() {
        recorded_ = launched_ = 0;
        record();
        record();
    }
    void operator()(std::int32_t kernel, const launch_shape& shape, const void* args,
                    std::size_t bytes) {
        if (launched_++ == launches_.size())
            launches_.push_back({kernels_.at(kernel).name(), shape});
        order_.launch(kernels_.at(kernel), shape, args, bytes, false);
        record();
    }
    void end(bool counts) {
        order_.synchronize();
        times_.resize(launches_.size() + 1);
        for (std::size_t i = 0; counts && i < times_.size(); ++i)
            times_[i].push_back(1e3 * double{events_[i + 1].milliseconds_since(events_[i])});
    }

    launch_times medians() {
        launch_times out{launches_};
        for (std::vector<double>& t : times_) std::sort(t.begin(), t.end());
        const auto middle = [](const std::vector<double>& t) { return t[t.size() / 2]; };
        out.between_events = middle(times_.front());
        for (std::size_t i = 0; i < launches_.size(); ++i)
            out.launches[i].microseconds = middle(times_[i + 1]);
        return out;
    }

  private:
    void record() {
        if (events_.size() == recorded_) events_.emplace_back(order_.on(), true);
        order_.record(events_[recorded_++]);
    }

    const stream& order_;
    const kernel_set& kernels_;
    std::size_t recorded_ = 0, launched_ = 0;
    std::vector<event> events_;
    std::vector<timed_launch> launches_;
    std::vector<std::vector<double>> times_;  // the first: from event to event
};

}  // namespace g4::cuda
