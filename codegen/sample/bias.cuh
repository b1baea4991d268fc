// Adds a row's biases to its logits, in place, and keeps what the logits were.
#pragma once
#include "codegen/sample/report.cuh"

namespace g4k {

/// The index of the row's first bias of a token, or -1.
__device__ inline int first_bias_of(const token_bias* biases, int count, int token) {
    for (int i = 0; i < count; ++i)
        if (biases[i].token == token) return i;
    return -1;
}

/// Several biases of one token are added one after the other by the thread that has the first.
template <sample_config config>
__device__ void add_biases(const logits_of_row& row, sample_shared<config>& shared,
                           const token_bias* biases, int count, float* raw) {
    for (int i = static_cast<int>(threadIdx.x); i < config.tiles / 32;
         i += static_cast<int>(blockDim.x))
        shared.touched[i] = 0;
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
        const int token = biases[i].token;
        if (first_bias_of(biases, count, token) != i) continue;
        float value = row.logits[token];
        raw[i] = value;
        for (int j = i; j < count; ++j)
            if (biases[j].token == token) value = __fadd_rn(value, biases[j].added);
        row.logits[token] = value;
        const int tile = token / sample_tile;
        atomicOr(&shared.touched[tile / 32], 1u << tile % 32);
    }
    __syncthreads();
}

/// Looks again at the tiles with a bias: their greatest, and their sums when `sums` is not null.
template <sample_config config>
__device__ void scan_touched(const logits_of_row& row, sample_shared<config>& shared, float* sums,
                             float temperature) {
    const int warps = static_cast<int>(blockDim.x / 32);
    for (int tile = static_cast<int>(threadIdx.x / 32); tile < row.tiles(); tile += warps) {
        if ((shared.touched[tile / 32] >> tile % 32 & 1u) == 0) continue;
        const four_floats values = row.read_by_call(tile);
        const unsigned greatest = greatest_of(values);
        const float sum = sums != nullptr ? sum_of(values, greatest, temperature) : 0.0f;
        if (threadIdx.x % 32 != 0) continue;
        shared.greatest[tile] = greatest;
        if (sums != nullptr) sums[tile] = sum;
    }
    __syncthreads();
}

/// A logit as the model gave it.
__device__ inline float raw_logit(const logits_of_row& row, const token_bias* biases, int count,
                                  const float* raw, int token) {
    const int at = first_bias_of(biases, count, token);
    return at < 0 ? row.logits[token] : raw[at];
}

}  // namespace g4k
