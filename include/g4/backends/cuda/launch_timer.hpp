// How long each launch of a step takes: for benchmarks, which ask an executor whether it can tell.
#pragma once
#include "g4/emit/request.hpp"
#include "g4/gate/step.hpp"
#include "g4/runtime/stream.hpp"
#include <functional>
#include <string>
#include <vector>

namespace g4::cuda {

/// One launch that ran alone: nothing overlapped its start or its end.
struct timed_launch {
    std::string kernel;
    launch_shape shape;
    double microseconds = 0;  // from event to event, median of the repeats
};

struct launch_times {
    std::vector<timed_launch> launches;  // in order
    double between_events = 0;           // microseconds with nothing in between: part of each time
};

class launch_timer {
  public:
    virtual ~launch_timer() = default;
    /// Runs a step that many times; its results are dropped, its rows are in the caches.
    ///   occupy  puts work in front of each repeat, so long that the host has asked for all of the
    ///           step before the device comes to it
    /// No step may be in flight. Errors: as submit.
    virtual launch_times time_launches(const step& next, int repeats,
                                       const std::function<void(const stream&)>& occupy) = 0;
};

}  // namespace g4::cuda
