// What becomes of the sums: the config's steps, and the place of each value.
#pragma once
#include "codegen/core/number.cuh"
#include "codegen/core/steps.cuh"
#include "codegen/linear/layout.hpp"

namespace g4k {

constexpr int step_count(const linear_config& c) {
    int count = 0;
    while (count < 8 && c.steps[count].op != step_op::end) ++count;
    return count;
}

/// One output: the last step's value.
template <linear_config C>
__device__ float run_steps(const linear_args& args, int token, int column, float first,
                           float second) {
    constexpr int results = C.paired ? 2 : 1, steps = step_count(C);
    float values[results + C.input_count + steps];
    values[0] = first;
    if constexpr (C.paired) values[1] = second;
#pragma unroll
    for (int i = 0; i < C.input_count; ++i) {
        const input_args& input = args.inputs[i];
        const long long row = input.rows != nullptr ? input.rows[token] : token;
        values[results + i] = to_float(input.data[row * input.stride + column]);
    }
#pragma unroll
    for (int s = 0; s < steps; ++s) {
        constexpr auto& list = C.steps;
        const float scale =
            list[s].op == step_op::scale ? args.vectors[at_least(list[s].vector, 0)][0] : 1;
        values[results + C.input_count + s] =
            apply(list[s], values[list[s].left], values[list[s].right], scale);
    }
    return values[results + C.input_count + steps - 1];
}

/// Stores the columns `column`, and column + 1 where `both`, of one token.
template <linear_config C>
__device__ void store(const linear_args& args, int token, int column, float first, float second,
                      bool both) {
    const long long at =
        blockIdx.z * args.split_stride + token * args.out_stride + column;
    if constexpr (C.out == number_type::f32) {
        float* out = static_cast<float*>(args.out) + at;
        if (both && (reinterpret_cast<unsigned long long>(out) & 7) == 0) {
            *reinterpret_cast<float2*>(out) = make_float2(first, second);
        } else {
            out[0] = first;
            if (both) out[1] = second;
        }
    } else {
        bf16_bits* out = static_cast<bf16_bits*>(args.out) + at;
        if (both && (reinterpret_cast<unsigned long long>(out) & 3) == 0) {
            *reinterpret_cast<unsigned*>(out) = to_bf16x2(first, second);
        } else {
            out[0] = to_bf16(first);
            if (both) out[1] = to_bf16(second);
        }
    }
}

/// Sums of one mma tile, complete: rows 16 tile .., tokens `first_token` ..
template <linear_config C>
__device__ void finish(const linear_args& args, int tile, int first_token,
                       const float (&sums)[4]) {
    const int lane = threadIdx.x % 32, row = tile * unit_rows + lane / 4 * 2;
    if (row >= args.rows) return;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        const int token = first_token + lane % 4 * 2 + i;
        if (token >= args.tokens) continue;
        if constexpr (C.paired) {
            const float value = run_steps<C>(args, token, row / 2, sums[i], sums[2 + i]);
            store<C>(args, token, row / 2, value, 0, false);
        } else {
            const bool both = row + 1 < args.rows;
            const float first = run_steps<C>(args, token, row, sums[i], 0);
            const float second = both ? run_steps<C>(args, token, row + 1, sums[2 + i], 0) : 0;
            store<C>(args, token, row, first, second, both);
        }
    }
}

/// Adds the warps' sums in the order of their columns and finishes them.
template <linear_config C>
__device__ void finish_parts(const linear_args& args, const float4* parts, int first_tile,
                             int first_token) {
    constexpr int token_tiles = warp_tokens(C), fragments = C.row_tiles * token_tiles;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    // More at once would cost registers.
    [[maybe_unused]] constexpr int at_once = at_most(C.column_warps, 8);
    for (int f = warp; f < fragments; f += C.column_warps) {
        float sums[4]{};
#pragma unroll at_once
        for (int w = 0; w < C.column_warps; ++w) {
            const float4 part = parts[(w * fragments + f) * 32 + lane];
            sums[0] += part.x;
            sums[1] += part.y;
            sums[2] += part.z;
            sums[3] += part.w;
        }
        finish<C>(args, first_tile + f / token_tiles, first_token + f % token_tiles * 8, sums);
    }
}

}  // namespace g4k
