// Attention of many rows over paged keys and values on sm_90a: copies by tensor map, wgmma, a grid
// that stays, clusters that share what they read.
#pragma once
#include "codegen/attention/compute_hopper.cuh"
#include "codegen/attention/load_hopper.cuh"
#include "codegen/core/depend.cuh"
#include "codegen/core/shared.cuh"

namespace g4k {

template <prefill_hopper_config Config> __device__ void make_hopper_barriers(char* shared) {
    using layout = hopper_layout<Config>;
    constexpr int warps = 4 * Config.blocks * (layout::wide ? 1 : 2);
    for (int ring = 0; ring < layout::rings; ++ring)
        for (int i = 0; i < layout::slots; ++i) {
            barrier_make(layout::full(shared, ring) + i, 1);
            barrier_make(layout::empty(shared, ring) + i, warps);
        }
    for (int set = 0; set < layout::sets; ++set) {
        barrier_make(layout::queries_full(shared, set), 64 / layout::sets);
        barrier_make(layout::queries_empty(shared, set), 8 / layout::sets);
    }
    barriers_made();
}

/// softmax(scale · q · kᵀ) · v of each tile; see prefill_args.
/// Launched with prefill_hopper_threads, in clusters of Config.blocks, prefill_hopper_shared_bytes.
template <prefill_hopper_config Config>
__device__ void prefill_hopper(const prefill_hopper_args& args) {
    let_next_start();
    char* shared = shared_memory();
    if (threadIdx.x == 0) {
        prefetch_map(args.keys);
        prefetch_map(args.values);
        make_hopper_barriers<Config>(shared);
    }
    if constexpr (Config.blocks > 1) meet_cluster();
    else __syncthreads();
    wait_for_inputs();

    // Registers that one warpgroup gives, two take; there are 3 * 168.
    constexpr bool wide = hopper_layout<Config>::wide;
    const int warpgroup = static_cast<int>(threadIdx.x) / 128;
    if (warpgroup == 2) {
        fewer_registers<wide ? 56 : 72>();
        const int warp = static_cast<int>(threadIdx.x) / 32 % 4, lane = threadIdx.x % 32;
        if (warp >= 2) load_queries<Config>(args, shared, static_cast<int>(threadIdx.x) % 64);
        else if (warp < hopper_layout<Config>::rings && lane == 0)
            piece_loader<Config>{args, shared, warp}.run();
        __syncwarp();
    } else {
        more_registers<wide ? 224 : 216>();
        attention_warpgroup<Config>{args.work, shared, warpgroup}.run();
    }
    if constexpr (Config.blocks > 1) meet_cluster();  // neighbours arrive at barriers of this block
}

}  // namespace g4k
