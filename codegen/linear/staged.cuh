// The linear kernel for many tokens: a ring of stages in shared memory feeds the block's warps.
#pragma once
#include "codegen/core/depend.cuh"
#include "codegen/core/shared.cuh"
#include "codegen/linear/finish.cuh"
#include "codegen/linear/fragments.cuh"

namespace g4k {

/// Copies what a block needs, a stage (column_warps units of columns) at a time.
template <linear_config C> struct stage_copier {
    static constexpr int threads = 32 * warps_of(C), tiles = block_tiles(C);

    const linear_args& args;
    char* ring;
    int* rows_of_x;  // of the block's tokens
    int first_unit, last_unit, units, groups;
    bool aligned;

    __device__ char* stage(int number) const { return ring + number % C.depth * stage_bytes(C); }
    __device__ int first_tile() const { return static_cast<int>(blockIdx.x) * tiles; }

    __device__ void copy_weights(int number) const {
        if constexpr (C.form == weight_form::int4) {
            copy_int4(number);
            copy_scales(number);
        } else {
            copy_plain(number);
        }
    }
    __device__ void copy_int4(int number) const {
        const int last_tile = tiles_of(args.rows) - 1;
        constexpr int count = tiles * C.column_warps * 32;
#pragma unroll
        for (int i = threadIdx.x; i < count; i += threads) {
            const int unit = first_unit + number * C.column_warps + i / 32 % C.column_warps;
            const long long tile = at_most(first_tile() + i / 32 / C.column_warps, last_tile);
            const bool valid = unit < last_unit;
            const char* from = static_cast<const char*>(args.weights) + i % 32 * 16 +
                               (tile * units + (valid ? unit : 0)) * int4_unit_bytes;
            copy_async_16(stage(number) + i * 16, from, valid);
        }
    }
    __device__ void copy_scales(int number) const {
        const int last_tile = tiles_of(args.rows) - 1;
        constexpr int chunks = unit_rows * scale_bytes(C.scales) / 16, each = unit_scales(C);
        constexpr int count = tiles * C.column_warps * each * chunks;
        char* to = stage(number) + stage_weight_bytes(C);
        for (int i = threadIdx.x; i < count; i += threads) {
            const int j = i / chunks;
            const int unit = first_unit + number * C.column_warps + j / each % C.column_warps;
            const long long tile = at_most(first_tile() + j / each / C.column_warps, last_tile);
            const int group = at_most(unit * unit_columns / C.group + j % each, groups - 1);
            const char* from = static_cast<const char*>(args.scales) + i % chunks * 16 +
                               (tile * groups + group) * (chunks * 16);
            copy_async_16(to + i * 16, from, unit < last_unit);
        }
    }
    /// Chunks of rows 2 (mod 4) are turned by half a line, as x_offset turns odd tokens.
    __device__ void copy_plain(int number) const {
        constexpr int count = tiles * C.column_warps * unit_rows * 8;
#pragma unroll
        for (int i = threadIdx.x; i < count; i += threads) {
            const int chunk = i % 8, row = i / 8 % unit_rows, j = i / 8 / unit_rows;
            const int unit = first_unit + number * C.column_warps + j % C.column_warps;
            const int column = unit * unit_columns + chunk * 8;
            const int tile = first_tile() + j / C.column_warps;
            const long long from = at_most(tile * unit_rows + row, args.rows - 1);
            const bool valid = unit < last_unit && column < args.columns;
            copy_async_16(stage(number) + (i - chunk + (chunk ^ (row & 2) << 1)) * 16,
                          static_cast<const bf16_bits*>(args.weights) +
                              from * plain_stride(args.columns) + (valid ? column : 0),
                          valid);
        }
    }
    __device__ void copy_x(int number) const {
        constexpr int count = C.column_warps * C.token_tile * 8;
        char* to = stage(number) + stage_weight_bytes(C) + stage_scale_bytes(C);
#pragma unroll
        for (int i = threadIdx.x; i < count; i += threads) {
            const int chunk = i % 8, token = i / 8 % C.token_tile, j = i / 8 / C.token_tile;
            const int unit = first_unit + number * C.column_warps + j;
            stage_x(to + j * C.token_tile * token_unit_bytes + x_offset(token, chunk),
                    args.x + rows_of_x[token] * args.x_stride,
                    unit < last_unit ? unit * unit_columns + chunk * 8 : args.columns,
                    args.columns, aligned);
        }
    }
    /// The last row stands in for those past the count: their sums are not stored.
    __device__ void find_rows() const {
        for (int i = threadIdx.x; i < C.token_tile; i += threads) {
            const int token =
                at_most(static_cast<int>(blockIdx.y) * C.token_tile + i, args.tokens - 1);
            rows_of_x[i] = args.x_rows != nullptr ? args.x_rows[token] : token;
        }
    }
};

/// One warp's place in the block and its sums.
template <linear_config C> struct staged_warp {
    static constexpr int tiles = C.row_tiles, token_tiles = warp_tokens(C);
    int lane = threadIdx.x % 32;
    int row_warp = threadIdx.x / 32 % C.row_warps;
    int token_warp = threadIdx.x / 32 / C.row_warps % C.token_warps;
    int column_warp = threadIdx.x / 32 / C.row_warps / C.token_warps;
    float sums[tiles][token_tiles][4]{};

    __device__ void load(stored_unit<C>& unit, stored_scales<C>& scales, const char* stage,
                         int m) const {
        const int place = (row_warp * tiles + m) * C.column_warps + column_warp;
        const char* from = stage + place * unit_bytes(C.form);
        if constexpr (C.form == weight_form::int4) {
            unit.vectors[0] = *reinterpret_cast<const uint4*>(from + lane * 16);
            const char* all = stage + stage_weight_bytes(C);
#pragma unroll
            for (int i = 0; i < unit_scales(C); ++i) {
                const int row = (place * unit_scales(C) + i) * unit_rows + lane / 4 * 2;
                scales.load(i, all + row * scale_bytes(C.scales));
            }
        } else {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int row = lane / 4 * 2 + i % 2;
                const int chunk = (i / 2 * 4 + lane % 4) ^ (row & 2) << 1;
                unit.vectors[i] =
                    *reinterpret_cast<const uint4*>(from + row * token_unit_bytes + chunk * 16);
            }
        }
    }
    __device__ void add_stage(const char* stage) {
        unsigned a[tiles][4][4];
        stored_scales<C> scales[tiles]{};
#pragma unroll
        for (int m = 0; m < tiles; ++m) {
            stored_unit<C> unit;
            load(unit, scales[m], stage, m);
            unpack<C>(a[m], unit);
        }
        const char* x = stage + stage_weight_bytes(C) + stage_scale_bytes(C) +
                        column_warp * C.token_tile * token_unit_bytes;
#pragma unroll
        for (int n = 0; n < token_tiles; ++n) {
            unsigned b[4][2];
            load_x<C>(b, x, (token_warp * token_tiles + n) * 8 + lane / 4);
#pragma unroll
            for (int m = 0; m < tiles; ++m) multiply<C>(sums[m][n], a[m], b, scales[m]);
        }
    }
    /// Adds the sums of the warps that took other columns, in their order.
    __device__ void gather(float4* parts) {
        constexpr int fragments = tiles * token_tiles, others = C.row_warps * C.token_warps;
        const int warp = threadIdx.x / 32;
        if (column_warp > 0) {
#pragma unroll
            for (int f = 0; f < fragments; ++f) {
                const auto& s = sums[f / token_tiles][f % token_tiles];
                parts[((warp - others) * fragments + f) * 32 + lane] =
                    make_float4(s[0], s[1], s[2], s[3]);
            }
        }
        __syncthreads();
        if (column_warp > 0) return;
#pragma unroll
        for (int f = 0; f < fragments; ++f) {
            auto& s = sums[f / token_tiles][f % token_tiles];
            for (int w = 0; w < C.column_warps - 1; ++w) {
                const float4 part = parts[((w * others + warp) * fragments + f) * 32 + lane];
                s[0] += part.x;
                s[1] += part.y;
                s[2] += part.z;
                s[3] += part.w;
            }
        }
    }
    __device__ void finish_all(const linear_args& args) const {
        if (column_warp > 0) return;
        const int tile = static_cast<int>(blockIdx.x) * block_tiles(C) + row_warp * tiles;
        const int token =
            static_cast<int>(blockIdx.y) * C.token_tile + token_warp * token_tiles * 8;
#pragma unroll
        for (int m = 0; m < tiles; ++m)
#pragma unroll
            for (int n = 0; n < token_tiles; ++n)
                finish<C>(args, tile + m, token + n * 8, sums[m][n]);
    }
};

template <linear_config C> __device__ void linear_staged(const linear_args& args) {
    char* ring = static_cast<char*>(shared_memory());
    const int units = units_of(args.columns), split = blockIdx.z;
    const int first = slice_start(units, split, args.splits);
    const int last = slice_start(units, split + 1, args.splits);
    const int stages = divide_up(last - first, C.column_warps);
    int* rows_of_x = reinterpret_cast<int*>(ring + staged_ring_bytes(C));
    const stage_copier<C> copier{args,  ring,  rows_of_x,
                                 first, last,  units,
                                 C.form == weight_form::int4 ? groups_of(args.columns, C.group) : 0,
                                 x_aligned(args)};
    for (int s = 0; s < C.depth - 1 && s < stages; ++s) copier.copy_weights(s);
    copy_async_commit();
    let_next_start();
    wait_for_inputs();
    copier.find_rows();
    __syncthreads();
    for (int s = 0; s < C.depth - 1; ++s) {
        if (s < stages) copier.copy_x(s);
        copy_async_commit();
    }
    staged_warp<C> mine;
    for (int s = 0; s < stages; ++s) {
        copy_async_wait<C.depth - 2>();
        __syncthreads();
        if (const int next = s + C.depth - 1; next < stages) {
            copier.copy_weights(next);
            copier.copy_x(next);
        }
        copy_async_commit();
        if (first + s * C.column_warps + mine.column_warp < last)
            mine.add_stage(copier.stage(s));
    }
    if constexpr (C.column_warps > 1) {
        copy_async_wait<0>();
        __syncthreads();
        mine.gather(reinterpret_cast<float4*>(ring));
    }
    mine.finish_all(args);
}

}  // namespace g4k
