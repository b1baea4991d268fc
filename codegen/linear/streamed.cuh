// The linear kernel for few tokens: weights stream through registers, each warp by itself, and the
// first of them are on their way before the kernel's inputs exist.
#pragma once
#include "codegen/core/depend.cuh"
#include "codegen/core/shared.cuh"
#include "codegen/linear/finish.cuh"
#include "codegen/linear/fragments.cuh"
#include "codegen/linear/x_rows.cuh"

namespace g4k {

/// One warp's share of a block: row_tiles tiles, some units of columns, the block's tokens.
template <linear_config C> struct streamed_warp {
    static constexpr int tiles = C.row_tiles, token_tiles = warp_tokens(C);
    struct slot {
        stored_unit<C> weights[tiles];
        stored_scales<C> scales[tiles];
    };

    const linear_args& args;
    int lane, first_tile, first_token, tokens, units;
    slot slots[C.depth];
    float sums[tiles][token_tiles][4]{};

    __device__ explicit streamed_warp(const linear_args& all)
        : args{all}, lane{static_cast<int>(threadIdx.x % 32)},
          first_tile{static_cast<int>(blockIdx.x) * tiles},
          first_token{static_cast<int>(blockIdx.y) * C.token_tile},
          tokens{at_most(C.token_tile, all.tokens - first_token)},
          units{units_of(all.columns)} {}

    __device__ void load(slot& to, int unit) const {
        const int last_tile = tiles_of(args.rows) - 1;
#pragma unroll
        for (int m = 0; m < tiles; ++m) {
            const int tile = at_most(first_tile + m, last_tile);
            if constexpr (C.form == weight_form::int4) {
                load_int4(to, m, tile, unit);
            } else {
                load_plain(to, m, tile, unit);
            }
        }
    }
    __device__ void load_int4(slot& to, int m, int tile, int unit) const {
        const char* weights = static_cast<const char*>(args.weights);
        const long long at = static_cast<long long>(tile) * units + unit;
        to.weights[m].vectors[0] = load_streaming(weights + at * int4_unit_bytes + lane * 16);
        const int groups = groups_of(args.columns, C.group);
        const char* scales = static_cast<const char*>(args.scales);
#pragma unroll
        for (int i = 0; i < unit_scales(C); ++i) {
            const int group = at_most(unit * unit_columns / C.group + i, groups - 1);
            const long long row = (static_cast<long long>(tile) * groups + group) * unit_rows;
            to.scales[m].load(i, scales + (row + lane / 4 * 2) * scale_bytes(C.scales));
        }
    }
    __device__ void load_plain(slot& to, int m, int tile, int unit) const {
        const int row = tile * unit_rows + lane / 4 * 2;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const long long at = at_most(row + i % 2, args.rows - 1) * plain_stride(args.columns);
            const int column = unit * unit_columns + i / 2 * 32 + lane % 4 * 8;
            to.weights[m].vectors[i] = uint4{};
            if (column < args.columns)
                to.weights[m].vectors[i] = load_streaming(
                    static_cast<const bf16_bits*>(args.weights) + at + column);
        }
    }

    /// x of `count` units to shared memory, by this warp for itself.
    __device__ void fetch_x(char* to, int unit, int count) const {
        const bool aligned = x_aligned(args);
        for (int token = 0; token < tokens; ++token) {
            const bf16_bits* row = x_row(args, first_token + token);
            for (int i = lane; i < count * 8; i += 32)
                stage_x(to + i / 8 * tokens * token_unit_bytes + x_offset(token, i % 8), row,
                        unit * unit_columns + i * 8, args.columns, aligned);
        }
        copy_async_commit();
    }

    __device__ void add_unit(const slot& from, const char* x) {
        unsigned a[tiles][4][4];
#pragma unroll
        for (int m = 0; m < tiles; ++m) unpack<C>(a[m], from.weights[m]);
#pragma unroll
        for (int n = 0; n < token_tiles; ++n) {
            unsigned b[4][2];
            load_x<C>(b, x, at_most(n * 8 + lane / 4, tokens - 1));
#pragma unroll
            for (int m = 0; m < tiles; ++m) multiply<C>(sums[m][n], a[m], b, from.scales[m]);
        }
    }

    /// Units first .. last - 1; `room` holds x, `held` units at once.
    __device__ void run(int first, int last, char* room, int held) {
#pragma unroll
        for (int i = 0; i < C.depth; ++i)
            if (first + i < last) load(slots[i], first + i);
        let_next_start();
        wait_for_inputs();
        const int token_bytes = tokens * token_unit_bytes;
        if (first < last) fetch_x(room, first, at_most(held, last - first));
        for (int start = first, half = 0; start < last; start += held, half ^= 1) {
            const int end = at_most(start + held, last);
            if (end < last) {
                fetch_x(room + (half ^ 1) * held * token_bytes, end, at_most(held, last - end));
                copy_async_wait<1>();
            } else {
                copy_async_wait<0>();
            }
            __syncwarp();
            const char* x = room + half * held * token_bytes;
            for (int unit = start; unit < end; unit += C.depth) {
#pragma unroll
                for (int i = 0; i < C.depth; ++i) {
                    if (unit + i >= end) continue;
                    add_unit(slots[i], x + (unit + i - start) * token_bytes);
                    if (unit + i + C.depth < last) load(slots[i], unit + i + C.depth);
                }
            }
            __syncwarp();
        }
    }
};

/// Adds the warps' sums in the order of their columns and finishes them.
template <linear_config C>
__device__ void finish_streamed(const streamed_warp<C>& mine, float4* parts) {
    constexpr int fragments = C.row_tiles * warp_tokens(C);
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    if constexpr (C.column_warps > 1) {
#pragma unroll
        for (int f = 0; f < fragments; ++f) {
            const auto& s = mine.sums[f / warp_tokens(C)][f % warp_tokens(C)];
            parts[(warp * fragments + f) * 32 + lane] = make_float4(s[0], s[1], s[2], s[3]);
        }
        __syncthreads();
        for (int f = warp; f < fragments; f += C.column_warps) {
            float sums[4]{};
#pragma unroll
            for (int w = 0; w < C.column_warps; ++w) {
                const float4 part = parts[(w * fragments + f) * 32 + lane];
                sums[0] += part.x;
                sums[1] += part.y;
                sums[2] += part.z;
                sums[3] += part.w;
            }
            finish<C>(mine.args, mine.first_tile + f / warp_tokens(C),
                      mine.first_token + f % warp_tokens(C) * 8, sums);
        }
    } else {
#pragma unroll
        for (int f = 0; f < fragments; ++f)
            finish<C>(mine.args, mine.first_tile + f / warp_tokens(C),
                      mine.first_token + f % warp_tokens(C) * 8,
                      mine.sums[f / warp_tokens(C)][f % warp_tokens(C)]);
    }
}

template <linear_config C> __device__ void linear_streamed(const linear_args& args) {
    const int warp = threadIdx.x / 32, splits = args.splits;
    const int slice = static_cast<int>(blockIdx.z) * C.column_warps + warp;
    const int slices = splits * C.column_warps;
    streamed_warp<C> mine{args};
    const int held = streamed_x_units(C, args.tokens, mine.units, splits);
    const int x_bytes = streamed_x_bytes_of(C, args.tokens, mine.units, splits);
    char* shared = static_cast<char*>(shared_memory());
    mine.run(slice_start(mine.units, slice, slices), slice_start(mine.units, slice + 1, slices),
             shared + warp * x_bytes, held);
    finish_streamed<C>(mine, reinterpret_cast<float4*>(shared + C.column_warps * x_bytes));
}

}  // namespace g4k
