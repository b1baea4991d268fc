// The linear kernel for many tokens: a ring of stages in shared memory feeds the block's warps.
#pragma once
#include "codegen/core/async_copy.cuh"
#include "codegen/core/depend.cuh"
#include "codegen/core/shared.cuh"
#include "codegen/linear/finish.cuh"
#include "codegen/linear/fragments.cuh"
#include "codegen/linear/stage_copies.cuh"

namespace g4k {

/// One warp's place in the block and its sums.
template <linear_config C> struct staged_warp {
    static constexpr int tiles = C.row_tiles, token_tiles = warp_tokens(C);
    int lane = threadIdx.x % 32;
    int row_warp = threadIdx.x / 32 % C.row_warps;
    int token_warp = threadIdx.x / 32 / C.row_warps % C.token_warps;
    int column_warp = threadIdx.x / 32 / C.row_warps / C.token_warps;
    float sums[tiles][token_tiles][4]{};

    /// `left`: units of columns that the stage holds.
    __device__ void add_stage(shared_address stage, int left) {
        const shared_address all_x = stage + stage_weight_bytes(C) + stage_scale_bytes(C);
#pragma unroll
        for (int s = 0; s < C.span; ++s) {
            const int unit = column_warp * C.span + s;
            if (unit >= left) return;
            stored_unit<C> units[tiles];
            stored_scales<C> scales[tiles]{};
#pragma unroll
            for (int m = 0; m < tiles; ++m) {
                const int place = (row_warp * tiles + m) * C.column_warps + column_warp;
                units[m].load(stage + (place * C.span + s) * unit_bytes(C.form));
                if constexpr (C.form == weight_form::int4)
                    scales[m].load(stage + stage_weight_bytes(C) +
                                   (place * entry_scales(C) + s * entry_scales(C) / C.span) *
                                       unit_rows * scale_bytes(C.scales));
            }
            const shared_address x = all_x + unit * C.token_tile * token_unit_bytes;
            x_place places[token_tiles];
#pragma unroll
            for (int n = 0; n < token_tiles; ++n) {
                places[n] = x_place_of(x, token_warp * token_tiles * 8 + lane / 4);
                places[n].row += n * 8 * token_unit_bytes;
            }
            unit_product<C, tiles, token_tiles>::add(sums, units, scales, places);
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
    const unit_range range = split_of(C, units_of(args.columns), args.splits, blockIdx.z);
    const int units = range.last - range.first, stages = divide_up(units, stage_units(C));
    char* shared = shared_memory();
    const shared_address ring = address_of(shared);
    const weight_copies<C> weights{args, range};
    for (int s = 0; s < C.depth - 1 && s < stages; ++s) weights.copy(s, ring + s * stage_bytes(C));
    copy_async_commit();
    let_next_start();
    wait_for_inputs();
    const x_copies<C> x{args, range};
    constexpr int x_place = stage_weight_bytes(C) + stage_scale_bytes(C);
    for (int s = 0; s < C.depth - 1; ++s) {
        if (s < stages) x.copy(s, ring + s * stage_bytes(C) + x_place);
        copy_async_commit();
    }
    staged_warp<C> mine;
    shared_address full = ring, empty = ring + (C.depth - 1) * stage_bytes(C);
    for (int s = 0; s < stages; ++s) {
        copy_async_wait<C.depth - 2>();
        __syncthreads();
        if (s + C.depth - 1 < stages) {
            weights.copy(s + C.depth - 1, empty);
            x.copy(s + C.depth - 1, empty + x_place);
        }
        copy_async_commit();
        mine.add_stage(full, units - s * stage_units(C));
        empty = full;
        full += stage_bytes(C);
        if (full == ring + C.depth * stage_bytes(C)) full = ring;
    }
    if constexpr (C.column_warps > 1) {
        copy_async_wait<0>();
        __syncthreads();
        mine.gather(reinterpret_cast<float4*>(shared));
    }
    mine.finish_all(args);
}

}  // namespace g4k
