// Which tiles a block computes, in which order, and where it stands in its ring of stages.
#pragma once
#include "codegen/gemm/config.hpp"

namespace g4k {

/// Blocks that run at the same time should share tokens and rows in L2: they take squares of the
/// result, about so many tiles of tokens wide.
inline constexpr int gemm_band = 16;

template <number_type type> struct gemm_number {
    using type_of = bf16_bits;
};
template <> struct gemm_number<number_type::f32> {
    using type_of = float;
};

/// The numbers of a config, computed where device code may read them.
template <gemm_config config> struct gemm_shape {
    using number = typename gemm_number<config.out>::type_of;
    static constexpr int stages = gemm_stages(config);
    static constexpr int stage_bytes = gemm_stage_bytes(config);
    static constexpr int x_bytes = gemm_token_tile * gemm_depth * 2;
    static constexpr int sums = config.row_tile / 2;  // accumulators of a thread
    static constexpr int columns = config.paired ? config.row_tile / 2 : config.row_tile;
    static constexpr int chunk = gemm_chunk(config);
    static constexpr int pitch = gemm_pitch(config);
    static constexpr int staging_bytes = gemm_staging_bytes(config);
    static constexpr int sources = config.paired ? 2 : 1;
    static constexpr int steps = gemm_step_count(config);
};

/// The stages that one block goes through: all columns of its first tile, then of the next.
template <gemm_config config> struct gemm_walk {
    int unit, token_tile, row_tile, split;  // tiles count from 0
    int depth, depth_end;                   // in units of gemm_depth columns
    int stage = 0;
    unsigned parity = 0;                    // of the full barrier of this stage

    __device__ explicit gemm_walk(const gemm_args& args, unsigned rank)
        : unit{static_cast<int>(blockIdx.x) / config.cluster}, rank_{static_cast<int>(rank)} {
        enter(args);
    }
    __device__ bool valid() const { return unit < units_; }
    __device__ void next_stage() {
        ++depth;
        if (++stage == gemm_shape<config>::stages) {
            stage = 0;
            parity ^= 1;
        }
    }
    __device__ void next_unit(const gemm_args& args) {
        unit += static_cast<int>(gridDim.x) / config.cluster;
        enter(args);
    }

  private:
    int units_, rank_;

    // Divisions cost 100 cycles each: those that most products do not need are left out.
    __device__ void enter(const gemm_args& args) {
        constexpr int tokens_together = gemm_token_tile * config.cluster;
        constexpr int wide = gemm_band / config.cluster;
        const int across = (args.tokens + tokens_together - 1) / tokens_together;
        const int down = (args.rows + config.row_tile - 1) / config.row_tile;
        const int depths = (args.columns + gemm_depth - 1) / gemm_depth;
        int tile = unit;
        units_ = across * down * args.splits;
        split = depth = 0;
        depth_end = depths;
        if (args.splits > 1) {
            split = unit / (across * down);
            tile = unit - split * across * down;
            depth = static_cast<int>(static_cast<long long>(depths) * split / args.splits);
            depth_end =
                static_cast<int>(static_cast<long long>(depths) * (split + 1) / args.splits);
        }
        const int before = across > wide ? tile / (wide * down) * wide : 0;
        const int inside = tile - before * down;
        const int width = across - before < wide ? across - before : wide;
        row_tile = width > 1 ? inside / width : inside;
        token_tile = (before + inside - row_tile * width) * config.cluster + rank_;
    }
};

}  // namespace g4k
