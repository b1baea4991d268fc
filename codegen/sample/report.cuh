// What a row reports beside its token: log-probabilities of the model's own logits.
#pragma once
#include "codegen/sample/select.cuh"

namespace g4k {

/// log Σ e^logit over the row, from the sums of its tiles.
template <sample_config config>
__device__ double log_of_total(sample_shared<config>& shared, const float* sums, int tiles,
                               float greatest) {
    double own = 0;
    for (int tile = static_cast<int>(threadIdx.x); tile < tiles;
         tile += static_cast<int>(blockDim.x)) {
        const float away = value_of(shared.greatest[tile]) - greatest;
        own += static_cast<double>(exp_or_zero(away)) * static_cast<double>(sums[tile]);
    }
    return static_cast<double>(greatest) + log(block_sum(own, shared.warp_number));
}

/// The `count` likeliest tokens, those with lower ids first among equals.
template <sample_config config>
__device__ void report_top(const logits_of_row& row, sample_shared<config>& shared,
                           unsigned greatest, int count, double log_total, sample_choice* top) {
    int listed = gather(row, shared, bound_of_rank(shared, row.tiles(), greatest, count));
    if (listed > config.candidates) listed = list_selected(row, shared, greatest, count);
    sort_list(shared, listed);
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
        const unsigned long long entry = shared.list[i];
        const double logit = static_cast<double>(value_of(key_of_entry(entry)));
        top[i] = {token_of_entry(entry), static_cast<float>(logit - log_total)};
    }
    __syncthreads();
}

}  // namespace g4k
