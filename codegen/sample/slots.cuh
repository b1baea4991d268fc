// What penalties remember of a sequence, when it begins.
#pragma once
#include "codegen/core/depend.cuh"
#include "codegen/sample/config.hpp"

namespace g4k {

struct alignas(16) four_words {
    unsigned at[4];
};

/// Forgets what the slot held: both strides are whole numbers of 16 bytes.
__device__ inline void clear_slot(const slot_args& args) {
    let_next_start();
    wait_for_inputs();
    const sample_slots& slots = args.slots;
    auto* counts = reinterpret_cast<four_words*>(slots.counts + args.slot * slots.count_stride);
    auto* prompt = reinterpret_cast<four_words*>(slots.prompts + args.slot * slots.prompt_stride);
    const long long threads = static_cast<long long>(gridDim.x) * blockDim.x;
    const long long self = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    for (long long i = self; i < slots.count_stride / 8; i += threads) counts[i] = {};
    for (long long i = self; i < slots.prompt_stride / 4; i += threads) prompt[i] = {};
}

__device__ inline void mark_prompt(const slot_args& args) {
    let_next_start();
    wait_for_inputs();
    unsigned* const prompt = args.slots.prompts + args.slot * args.slots.prompt_stride;
    const int threads = static_cast<int>(gridDim.x * blockDim.x);
    for (int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); i < args.token_count;
         i += threads) {
        const int token = args.tokens[i];
        atomicOr(&prompt[token / 32], 1u << token % 32);
    }
}

}  // namespace g4k
