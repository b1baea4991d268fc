// What an engine asks of a back end: its capacity, and steps in order. Any back end stands behind.
#pragma once
#include "g4/gate/step.hpp"
#include <cstdint>
#include <vector>

namespace g4 {

/// Pages of one kind of cache: layers of equal bytes and window share them.
struct cache_kind {
    std::int32_t window_tokens = 0;  // how far a reader looks back, itself included; 0: everything
    std::int32_t pages = 0;          // that the pool holds; all free at start, numbered from 0
    std::int64_t page_bytes = 0;     // of one page, over all layers of the kind
};

/// What the plan reserved at start. The engine never asks for more, so a step cannot run out.
struct capacity {
    std::int32_t rows = 0;           // of one step
    std::int32_t wanted = 0;         // of one step
    std::int32_t sequences = 0;      // of one step; slots are numbered below it
    std::int32_t page_tokens = 0;
    std::int32_t vocabulary = 0;
    std::int32_t top_logprobs = 0;   // that a wanted row may report; 0: the whole vocabulary
    std::int32_t biases = 0;         // of a wanted row; 0: any number
    std::vector<cache_kind> kinds;   // at most max_cache_kinds
};

/// A back end that runs the plan. Steps run in the order of submit().
///   submit  returns before or after the step has run; the spans may be reused when it returns
///   wait    blocks until the oldest step that was not waited for has run
///   At most two steps may be submitted and not waited for.
/// Errors: device_error from either; the executor is then done, and says so again.
class executor {
  public:
    virtual ~executor() = default;
    virtual const capacity& reserved() const = 0;
    virtual void submit(const step& next) = 0;
    virtual step_result wait() = 0;
};

}  // namespace g4
