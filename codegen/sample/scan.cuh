// The pass over all logits of all rows: tile by tile what the choice wants to know of the rest.
#pragma once
#include "codegen/core/depend.cuh"
#include "codegen/sample/row.cuh"

namespace g4k {

/// blockIdx.y is the row; a warp takes a tile at a time. Cost: bytes of the logits, and of the
/// counts for rows with penalties.
template <sample_config config> __device__ void scan_logits(const sample_args& args) {
    let_next_start();
    wait_for_inputs();
    const int row = static_cast<int>(blockIdx.y);
    const sample_row& by = args.how[row];
    if (by.active == 0) return;
    const bool penalised = logits_of_row::has_penalties(by) && by.given < 0;
    const bool reports = by.top_logprobs >= 0, draws = draws_from_all(by, args.vocabulary);
    const logits_of_row raw{args, row, false}, own{args, row, penalised};
    const long long first = static_cast<long long>(row) * config.tiles;

    const int warps = static_cast<int>(blockDim.x / 32), tiles = raw.tiles();
    const int warp = static_cast<int>(blockIdx.x) * warps + static_cast<int>(threadIdx.x / 32);
    for (int tile = warp; tile < tiles; tile += warps * static_cast<int>(gridDim.x)) {
        four_floats values = raw.read(tile);
        unsigned greatest = greatest_of(values);
        const float raw_sum = reports ? sum_of(values, greatest, 1.0f) : 0.0f;
        const bool writes = threadIdx.x % 32 == 0;
        if (writes) {
            args.scratch.raw_greatest[first + tile] = greatest;
            if (reports) args.scratch.raw_sum[first + tile] = raw_sum;
        }
        if (penalised) {
            values = own.read(tile);
            greatest = greatest_of(values);
            if (writes) args.scratch.greatest[first + tile] = greatest;
        }
        if (!draws) continue;
        const float sum = sum_of(values, greatest, by.temperature);
        if (writes) args.scratch.sum[first + tile] = sum;
    }
}

}  // namespace g4k
