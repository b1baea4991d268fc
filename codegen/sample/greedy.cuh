// Steps in which every row takes its greatest logit and reports nothing: one pass, one kernel.
#pragma once
#include "codegen/core/depend.cuh"
#include "codegen/core/shared.cuh"
#include "codegen/sample/row.cuh"

namespace g4k {

/// A token by its logit, then by the lower id, as one number: the greatest is the one to take.
__device__ inline unsigned long long ranked(unsigned key, int token) {
    return static_cast<unsigned long long>(key) << 32 | ~static_cast<unsigned>(token);
}
__device__ inline unsigned long long block_best(unsigned long long best, unsigned long long* part) {
    for (int distance = 16; distance > 0; distance /= 2) {
        const unsigned long long other = __shfl_xor_sync(~0u, best, distance);
        best = other > best ? other : best;
    }
    if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = best;
    __syncthreads();
    for (unsigned i = 0; i < blockDim.x / 32; ++i) best = part[i] > best ? part[i] : best;
    __syncthreads();
    return best;
}

/// This thread's best of the block's logits: four neighbours at a time, several loads in flight.
__device__ inline unsigned long long best_of_stretch(const float* logits, int vocabulary,
                                                     bool in_fours) {
    constexpr int loads = 4;
    const int threads = static_cast<int>(blockDim.x), step = threads * 4;
    unsigned key = 0;
    int token = 0;
    const int stretch = step * loads;
    for (int begin = static_cast<int>(blockIdx.x) * stretch; begin < vocabulary;
         begin += stretch * static_cast<int>(gridDim.x)) {
        four_floats four[loads];
#pragma unroll
        for (int i = 0; i < loads; ++i) {
            const int at = begin + i * step + static_cast<int>(threadIdx.x) * 4;
            if (in_fours && at + 4 <= vocabulary) {
                four[i] = *reinterpret_cast<const four_floats*>(logits + at);
            } else {
                for (int j = 0; j < 4; ++j)
                    four[i].at[j] =
                        at + j < vocabulary ? logits[at + j] : value_of(key_of_minus_infinity);
            }
        }
#pragma unroll
        for (int i = 0; i < loads; ++i)
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                const unsigned own = key_of(four[i].at[j]);
                const int at = begin + i * step + static_cast<int>(threadIdx.x) * 4 + j;
                token = own > key ? at : token;
                key = own > key ? own : key;
            }
    }
    return ranked(key, token);
}

/// blockIdx.y is the row, whose last block to end takes the best of all. Shared memory: 33 numbers
/// of 8 bytes.
template <sample_config config> __device__ void choose_greatest(const sample_args& args) {
    auto* part = reinterpret_cast<unsigned long long*>(shared_memory());
    let_next_start();
    wait_for_inputs();
    const int row = static_cast<int>(blockIdx.y);
    const sample_row& by = args.how[row];
    if (by.active == 0) return;
    const float* logits = args.logits + row * args.logits_stride;
    unsigned long long best =
        block_best(best_of_stretch(logits, args.vocabulary, args.logits_stride % 4 == 0), part);

    unsigned long long* const all = args.scratch.best + static_cast<long long>(row) * config.tiles;
    if (threadIdx.x == 0) {
        all[blockIdx.x] = best;
        __threadfence();
        part[32] = atomicAdd(&args.scratch.tickets[row], 1u);
        __threadfence();
    }
    __syncthreads();
    if (part[32] != gridDim.x - 1) return;
    best = 0;
    for (unsigned i = threadIdx.x; i < gridDim.x; i += blockDim.x) {
        const unsigned long long other = __ldcg(&all[i]);
        best = other > best ? other : best;
    }
    best = block_best(best, part);
    if (threadIdx.x != 0) return;
    args.scratch.tickets[row] = 0;
    const bool usable = sound(static_cast<unsigned>(best >> 32));
    const int greatest = static_cast<int>(~static_cast<unsigned>(best));
    const int token = !usable ? -1 : by.given >= 0 ? by.given : greatest;
    args.tokens[row] = token;
    args.sampled[row] = {token, 0};
    if (by.slot < 0 || by.given >= 0 || !usable) return;
    unsigned short& seen = args.slots.counts[by.slot * args.slots.count_stride + token];
    if (seen != 0xffffu) ++seen;
}

}  // namespace g4k
