// From accumulators to the result: steps in f32, rows gathered in shared memory, wide stores.
#pragma once
#include "codegen/core/number.cuh"
#include "codegen/core/steps.cuh"
#include "codegen/gemm/walk.cuh"

namespace g4k {

/// The learned numbers of scale steps, read once.
template <gemm_config config> struct gemm_scales {
    float of[8];
    __device__ explicit gemm_scales(const gemm_args& args) {
#pragma unroll
        for (int i = 0; i < gemm_shape<config>::steps; ++i)
            of[i] =
                config.steps[i].op == step_op::scale ? *args.vectors[config.steps[i].vector] : 0;
    }
};

/// apply(), with gelu as x / (1 + e^-2u) by the fast exponential and quotient: within 2^-20, far
/// less than bf16 keeps, in a fifth of the instructions: they cost as much as a tenth of a tile.
__device__ inline float gemm_apply(const step& s, float x, float y, float scale) {
    if (s.op != step_op::gelu_tanh) return apply(s, x, y, scale);
    return __fdividef(x, 1 + __expf(-1.5957691f * x * (1 + 0.044715f * x * x)));
}

/// One row of each input.
struct gemm_input_rows {
    const bf16_bits* of[2];
};
template <gemm_config config>
__device__ gemm_input_rows gemm_rows_of(const gemm_args& args, int token) {
    gemm_input_rows rows{};
#pragma unroll
    for (int i = 0; i < config.input_count; ++i) {
        const input_args& in = args.inputs[i];
        rows.of[i] = in.data + (in.rows != nullptr ? in.rows[token] : token) * in.stride;
    }
    return rows;
}

/// Steps on one element. `first`, `second`: the sums (the latter when paired).
template <gemm_config config>
__device__ float gemm_element(const gemm_scales<config>& scales, const gemm_input_rows& inputs,
                              float first, float second, int column) {
    constexpr int sources = gemm_shape<config>::sources, steps = gemm_shape<config>::steps;
    constexpr int own = sources + config.input_count;
    float values[4 + 8]{first, second};
#pragma unroll
    for (int i = 0; i < config.input_count; ++i)
        values[sources + i] = to_float(inputs.of[i][column]);
#pragma unroll
    for (int i = 0; i < steps; ++i)
        values[own + i] = gemm_apply(config.steps[i], values[config.steps[i].left],
                                     values[config.steps[i].right], scales.of[i]);
    return steps == 0 ? first : values[own + steps - 1];
}

/// Where a warp's 16 tokens of a tile go.
struct gemm_place {
    int token, column;          // first ones
    int tokens, columns;        // of the whole result
    long long out_stride;
};

/// One chunk's elements of this lane into the warp's staging rows. Lane l holds of row l / 4 (half
/// 0) and of row l / 4 + 8 (half 1), for each j, columns 8j + 2t and 8j + 2t + 1 of the tile, t =
/// l % 4: sums[4j + 2 half], sums[4j + 2 half + 1]; paired, they become column 4j + t. What lies
/// beyond the result reads its last inputs and is never stored.
template <gemm_config config, int Chunk>
__device__ void gemm_stage_chunk(const gemm_args& args, const gemm_scales<config>& scales,
                                 const float (&sums)[gemm_shape<config>::sums],
                                 const gemm_place& to, char* staging) {
    using shape = gemm_shape<config>;
    constexpr int per = config.paired ? shape::chunk / 4 : shape::chunk / 8;
    const int lane = static_cast<int>(threadIdx.x % 32), g = lane / 4, t = lane % 4;
    const int last = to.columns - 1;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        // Keeps the loads of one half behind the other: all at once take too many registers.
        if constexpr (config.input_count > 0) __syncwarp();
        const gemm_input_rows inputs =
            gemm_rows_of<config>(args, min(to.token + g + 8 * half, to.tokens - 1));
        auto* row =
            reinterpret_cast<typename shape::number*>(staging + (g + 8 * half) * shape::pitch);
#pragma unroll
        for (int i = 0; i < per; ++i) {
            const float a = sums[4 * (Chunk * per + i) + 2 * half];
            const float b = sums[4 * (Chunk * per + i) + 2 * half + 1];
            const int at = config.paired ? 4 * i + t : 8 * i + 2 * t;
            const int column = to.column + Chunk * shape::chunk + at;
            const float first =
                gemm_element<config>(scales, inputs, a, b, min(column, last));
            if constexpr (config.paired) {
                if constexpr (config.out == number_type::f32) row[at] = first;
                else row[at] = to_bf16(first);
            } else {
                const float second =
                    gemm_element<config>(scales, inputs, b, 0, min(column + 1, last));
                if constexpr (config.out == number_type::f32)
                    *reinterpret_cast<float2*>(row + at) = {first, second};
                else *reinterpret_cast<unsigned*>(row + at) = to_bf16x2(first, second);
            }
        }
    }
}

/// 16 bytes a lane from the staging rows to the result; single elements where it ends, or where its
/// rows are not aligned.
template <gemm_config config, int Chunk>
__device__ void gemm_store_chunk(const gemm_place& to, const char* staging,
                                 typename gemm_shape<config>::number* out) {
    using shape = gemm_shape<config>;
    using number = typename shape::number;
    constexpr int each = 16 / sizeof(number), lanes = shape::chunk / each;
    const int lane = static_cast<int>(threadIdx.x % 32);
    const bool wide = (reinterpret_cast<unsigned long long>(out) |
                       to.out_stride * static_cast<int>(sizeof(number))) % 16 == 0;
    const int column = to.column + Chunk * shape::chunk + lane % lanes * each;
#pragma unroll
    for (int i = lane / lanes; i < 16; i += 32 / lanes) {
        const int token = to.token + i;
        if (token >= to.tokens) break;
        const char* from = staging + i * shape::pitch + lane % lanes * 16;
        number* row = out + token * to.out_stride + column;
        if (wide && column + each <= to.columns) {
            *reinterpret_cast<uint4*>(row) = *reinterpret_cast<const uint4*>(from);
        } else {
#pragma unroll 1
            for (int e = 0; e < each && column + e < to.columns; ++e)
                row[e] = reinterpret_cast<const number*>(from)[e];
        }
    }
}

template <gemm_config config, int Chunk = 0>
__device__ void gemm_store_chunks(const gemm_args& args, const gemm_scales<config>& scales,
                                  const float (&sums)[gemm_shape<config>::sums],
                                  const gemm_place& to, char* staging,
                                  typename gemm_shape<config>::number* out) {
    using shape = gemm_shape<config>;
    if constexpr (Chunk * shape::chunk < shape::columns) {
        gemm_stage_chunk<config, Chunk>(args, scales, sums, to, staging);
        __syncwarp();
        gemm_store_chunk<config, Chunk>(to, staging, out);
        __syncwarp();
        gemm_store_chunks<config, Chunk + 1>(args, scales, sums, to, staging, out);
    }
}

/// The accumulators of a warp (16 tokens, all rows of the tile) become part of the result.
template <gemm_config config>
__device__ void gemm_finish(const gemm_args& args, const gemm_scales<config>& scales,
                            const float (&sums)[gemm_shape<config>::sums], int token, int row,
                            int split, char* staging) {
    constexpr int pairs = gemm_shape<config>::sources;
    const gemm_place to{token, row / pairs, args.tokens, args.rows / pairs, args.out_stride};
    if (token >= args.tokens) return;
    auto* out = static_cast<typename gemm_shape<config>::number*>(args.out);
    gemm_store_chunks<config>(args, scales, sums, to, staging, out + split * args.split_stride);
}

}  // namespace g4k
