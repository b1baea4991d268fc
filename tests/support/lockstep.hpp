// Sequences that run side by side through an executor without an engine, any rows of them wanted.
#pragma once
#include "apps/bench/lockstep.hpp"
#include "g4/core/error.hpp"

namespace g4::testing {

/// `count` sequences; each step gives every one the same number of rows. Results live until the
/// next step.
class lockstep_batch {
  public:
    lockstep_batch(executor& runs_on, std::int32_t count, std::int32_t positions)
        : executor_{runs_on}, batch_{runs_on.reserved(), count, positions} {
        if (batch_.size() < count)
            throw input_error{"lockstep: expected room for ", count, " sequences of ", positions,
                              " positions in the kv cache, got room for ", batch_.size()};
    }

    /// `tokens` [count][rows] are the rows of this step. `wanted` rows of each sequence, the last
    /// ones, are asked for with `how`.
    step_result run(const std::vector<apps::token_list>& tokens, std::int32_t wanted,
                    const sampling& how = {}) {
        executor_.submit(batch_.rows(tokens, wanted, how));
        return executor_.wait();
    }

  private:
    executor& executor_;
    apps::lockstep_batch batch_;
};

}  // namespace g4::testing
