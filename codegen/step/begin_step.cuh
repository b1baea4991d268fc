// The start of a step: which tokens its rows are, and how far each of them turns.
#pragma once
#include "codegen/core/depend.cuh"
#include "codegen/step/config.hpp"

namespace g4k {

/// cos and sin of an f32 angle. Reduced in f64: sincosf goes through memory for great angles.
__device__ inline float2 cosine_and_sine(float angle) {
    const double turns = static_cast<double>(angle) * 0.15915494309189533577;  // 1 / 2 pi
    const float share = static_cast<float>(2 * (turns - rint(turns)));
    float2 out;
    sincospif(share, &out.y, &out.x);
    return out;
}

/// Block (x, y): row x of table y; the first of a row resolves its token.
__device__ inline void begin_step(const begin_step_args& args) {
    let_next_start();
    wait_for_inputs();
    const int row = static_cast<int>(blockIdx.x), table = static_cast<int>(blockIdx.y);
    if (table == 0 && threadIdx.x == 0) {
        const int asked = args.asked_tokens[row];
        args.token_ids[row] = asked < 0 ? args.last_tokens[-1 - asked] : asked;
    }
    if (table >= args.rope_count) return;
    const rope_table_args& rope = args.ropes[table];
    const int position = args.positions[row];
    float2* to = reinterpret_cast<float2*>(rope.values) + static_cast<long long>(row) * rope.pairs;
    for (int m = static_cast<int>(threadIdx.x); m < rope.pairs; m += static_cast<int>(blockDim.x))
        to[m] = cosine_and_sine(position < 0 ? 0.0f
                                             : static_cast<float>(position) * rope.frequencies[m]);
}

}  // namespace g4k
