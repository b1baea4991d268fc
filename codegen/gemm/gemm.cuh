// Matrix product by tiles for sm_90a: copies, products and stores of a block overlap, and a block
// goes from tile to tile without draining its ring of stages.
#pragma once
#include "codegen/core/depend.cuh"
#include "codegen/core/shared.cuh"
#include "codegen/core/wgmma.cuh"
#include "codegen/gemm/finish.cuh"
#include "codegen/gemm/walk.cuh"

namespace g4k {

/// Shared memory of a block. `full` of a stage: its bytes are in. `empty`: all warps that multiply,
/// in both blocks of a cluster, are done with it: what one block asks for lands in both.
template <gemm_config config> struct gemm_ring {
    using shape = gemm_shape<config>;
    static constexpr int stages = shape::stages, bytes = shape::stage_bytes;
    static constexpr int x_bytes = shape::x_bytes;
    char* tiles;
    char* staging;
    barrier_word* full;
    barrier_word* empty;

    __device__ gemm_ring() {
        tiles = shared_memory();
        staging = tiles + stages * bytes;
        full = reinterpret_cast<barrier_word*>(staging + 8 * shape::staging_bytes);
        empty = full + stages;
    }
    __device__ void make() {
        for (int s = 0; s < stages; ++s) {
            barrier_make(full + s, 1);
            barrier_make(empty + s, 8 * config.cluster);
        }
        barriers_made();
    }
};

template <gemm_config config>
__device__ void gemm_copy_weights(const gemm_args& args, const gemm_ring<config>& ring,
                                  const gemm_walk<config>& at, unsigned rank, keep hint) {
    barrier_word* full = ring.full + at.stage;
    char* to = ring.tiles + at.stage * ring.bytes + ring.x_bytes;
    barrier_arrive_expecting(full, ring.bytes);
    const int column = at.depth * gemm_depth, row = at.row_tile * config.row_tile;
    if constexpr (config.cluster == 1) {
        copy_box(to, args.weights, column, row, full, hint);
    } else {
        constexpr int part = config.row_tile / config.cluster;
        const int mine = static_cast<int>(rank) * part;
        copy_box_to((1u << config.cluster) - 1, to + mine * gemm_depth * 2, args.weights, column,
                    row + mine, full, hint);
    }
}
template <gemm_config config>
__device__ void gemm_copy_x(const gemm_args& args, const gemm_ring<config>& ring,
                            const gemm_walk<config>& at) {
    copy_box(ring.tiles + at.stage * ring.bytes, args.x, at.depth * gemm_depth,
             at.token_tile * gemm_token_tile, ring.full + at.stage, keep::last_to_go);
}

/// One thread. The first round of the ring is empty, so its weights come before the inputs are
/// waited for.
template <gemm_config config>
__device__ void gemm_produce(const gemm_args& args, const gemm_ring<config>& ring, unsigned rank) {
    using walk = gemm_walk<config>;
    const keep hint = args.tokens <= gemm_token_tile * config.cluster ? keep::first_to_go
                                                                      : keep::normal;
    const auto advance = [&](walk& w) {
        w.next_stage();
        if (w.depth == w.depth_end) w.next_unit(args);
    };
    walk at{args, rank};
    walk early = at;
    for (int i = 0; i < ring.stages && early.valid(); ++i, advance(early))
        gemm_copy_weights<config>(args, ring, early, rank, hint);
    wait_for_inputs();
    for (int i = 0; i < ring.stages && at.valid(); ++i, advance(at))
        gemm_copy_x<config>(args, ring, at);
    for (; at.valid(); advance(at)) {
        barrier_wait(ring.empty + at.stage, at.parity ^ 1);
        gemm_copy_weights<config>(args, ring, at, rank, hint);
        gemm_copy_x<config>(args, ring, at);
    }
}

/// This warp has read a stage.
template <gemm_config config>
__device__ void gemm_release(const gemm_ring<config>& ring, int stage) {
    if constexpr (config.cluster == 1) {
        if (threadIdx.x % 32 == 0) barrier_arrive(ring.empty + stage);
    } else {
        if (threadIdx.x % 32 < config.cluster)
            barrier_arrive_at(ring.empty + stage, threadIdx.x % 32);
    }
}

/// The products of one tile; one group of them stays in flight while the next stage is awaited.
/// Leaves `at` in the next tile: where that lies is worked out while the last products run.
template <gemm_config config>
__device__ void gemm_multiply(const gemm_args& args, const gemm_ring<config>& ring,
                              gemm_walk<config>& at, int group, int& lead,
                              float (&sums)[gemm_shape<config>::sums]) {
    const matrix_descriptor x = k_major(ring.tiles + group * 64 * gemm_depth * 2);
    const matrix_descriptor rows = k_major(ring.tiles + ring.x_bytes);
    const int first = at.depth;
    int last_stage = -1;
    do {
        const unsigned long long offset =
            static_cast<unsigned long long>(at.stage) * (ring.bytes >> 4);
        barrier_wait(ring.full + at.stage, at.parity);
        wgmma_fence();
        wgmma_bf16(sums, x + offset, rows + offset, at.depth > first);
        wgmma_commit();
        wgmma_wait<1>();
        if (last_stage >= 0) gemm_release<config>(ring, last_stage);
#pragma unroll
        for (int k = 1; k < gemm_depth / 16; ++k)
            wgmma_bf16(sums, x + offset + 2 * k, rows + offset + 2 * k, true);
        wgmma_commit();
        if (--lead == 0) meet_arrive(1, 256);
        last_stage = at.stage;
        at.next_stage();
    } while (at.depth < at.depth_end);
    at.next_unit(args);
    wgmma_wait<0>();
    hold(sums);
    gemm_release<config>(ring, last_stage);
}

/// The second group begins when the first is gemm_lead stages ahead: then the steps and stores of
/// one tend to run beside the products of the other. They keep the distance by themselves.
inline constexpr int gemm_lead = 2;

template <gemm_config config>
__device__ void gemm_consume(const gemm_args& args, const gemm_ring<config>& ring, unsigned rank) {
    const int warp = static_cast<int>(threadIdx.x / 32) - 4, group = warp / 4;
    const gemm_scales<config> scales{args};
    char* staging = ring.staging + warp * gemm_shape<config>::staging_bytes;
    int lead = group == 0 ? config.lead : 0;
    if (group != 0 && config.lead > 0) meet(1, 256);
    for (gemm_walk<config> at{args, rank}; at.valid();) {
        float sums[gemm_shape<config>::sums];
        const int token = at.token_tile * gemm_token_tile + warp * 16;
        const int row = at.row_tile * config.row_tile, split = at.split;
        gemm_multiply<config>(args, ring, at, group, lead, sums);
        gemm_finish<config>(args, scales, sums, token, row, split, staging);
    }
    if (lead > 0) meet_arrive(1, 256);
}

template <gemm_config config> __device__ void gemm(const gemm_args& args) {
    static_assert(config.row_tile % 32 == 0 && config.row_tile <= 256);
    static_assert(config.cluster == 1 || config.cluster == 2);
    gemm_ring<config> ring;
    let_next_start();
    if (threadIdx.x == 0) {
        prefetch_map(args.x);
        prefetch_map(args.weights);
        ring.make();
    }
    __syncthreads();
    unsigned rank = 0;
    if constexpr (config.cluster > 1) {
        rank = cluster_rank();
        meet_cluster();
    }
    if (threadIdx.x < 128) {
        fewer_registers<40>();
        if (threadIdx.x == 0) gemm_produce<config>(args, ring, rank);
        else wait_for_inputs();
    } else {
        more_registers<232>();
        wait_for_inputs();
        gemm_consume<config>(args, ring, rank);
    }
    // A neighbour may still copy into this block and arrive at its barriers.
    if constexpr (config.cluster > 1) {
        __syncwarp();
        meet_cluster();
    }
}

}  // namespace g4k
