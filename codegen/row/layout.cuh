// Which elements of a part a thread of a row kernel holds, and how a team adds over its part.
#pragma once
#include "codegen/core/each.cuh"
#include "codegen/core/reduce.cuh"
#include "codegen/core/shared.cuh"
#include "codegen/row/config.hpp"

namespace g4k {

/// A thread holds `pieces` vectors of neighbours. Of a part that turns, the first half of them lies
/// in the first half of the part, and piece i + slots is what piece i turns with.
template <const row_config& Config, int Chain> struct row_layout {
    static constexpr row_chain chain = Config.chains[Chain];
    static constexpr int team = row_team(Config);
    static constexpr int page_tokens = Config.page_tokens;
    static constexpr int halves = row_turns(chain) ? 2 : 1;
    static constexpr int extent = chain.width / halves;
    static constexpr int vector = row_vector(chain, team);
    static constexpr int slots = (extent + vector * team - 1) / (vector * team);
    static constexpr int pieces = halves * slots;
    static constexpr bool full = extent == slots * vector * team;

    static constexpr int count_steps() {
        int count = 0;
        while (count < 12 && chain.steps[count].op != step_op::end) ++count;
        return count;
    }
    static constexpr int steps = count_steps();
    static constexpr int values = chain.source_count + steps;
    static constexpr bool is_norm_weight(int vector_index) {
        for (const step& s : chain.steps)
            if (s.op == step_op::rms_norm && s.vector == vector_index) return true;
        return false;
    }
    static constexpr bool is_scale(int vector_index) {
        for (const step& s : chain.steps)
            if (s.op == step_op::scale && s.vector == vector_index) return true;
        return false;
    }
    static constexpr bool reads(source_kind kind) {
        for (int i = 0; i < chain.source_count; ++i)
            if (chain.sources[i] == kind) return true;
        return false;
    }
    static constexpr bool appends() {
        for (int i = 0; i < chain.target_count; ++i)
            if (chain.targets[i].kind == target_kind::key ||
                chain.targets[i].kind == target_kind::value)
                return true;
        return false;
    }
    static constexpr int count_norm_weights() {
        int count = 0;
        for (int v = 0; v < 4; ++v) count += is_norm_weight(v) ? 1 : 0;
        return count;
    }
    /// Weights wait in registers, read while the kernel before still runs; unless they are many.
    static constexpr bool keeps_weights = count_norm_weights() * pieces * vector <= 32;
    /// Sources are asked for together, unless a thread has so much of each that one alone keeps
    /// memory busy.
    static constexpr bool asks_at_once = pieces * vector <= 16;
    /// Splits of sums that are asked for together.
    static constexpr int splits_at_once() {
        const int elements = pieces * vector;
        return Config.many_rows || elements > 16 ? 1 : 4;
    }

    __device__ static int column(int piece, int lane) {
        return piece / slots * extent + (piece % slots * team + lane) * vector;
    }
    __device__ static bool holds(int piece, int lane) {
        return full || (piece % slots * team + lane) * vector < extent;
    }
};

/// One value of a chain: what this thread has of it. Zero beyond the part.
template <class Layout> struct row_value {
    float at[Layout::pieces][Layout::vector];
};

/// Adds over one part. Every thread of the team gets the sum, in the same order in every run.
template <int Team> class row_team_sum {
  public:
    __device__ float operator()(float value) {
        value = warp_sum(value);
        if constexpr (Team > 32) {
            // Two places in turn: who writes one has passed the barrier behind the other's reads.
            float* part = reinterpret_cast<float*>(shared_memory()) + (turn_ ? 32 : 0);
            turn_ = !turn_;
            if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = value;
            __syncthreads();
            value = 0;
#pragma unroll
            for (int i = 0; i < Team / 32; ++i) value += part[i];
        }
        return value;
    }

  private:
    bool turn_ = false;
};

}  // namespace g4k
