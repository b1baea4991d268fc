// Reads memory from end to end as fast as the device can: the limit that times are held against.
#pragma once
#include "codegen/bench/config.hpp"
#include "codegen/core/depend.cuh"

namespace g4k {

__device__ inline unsigned combined(const uint4& piece) {
    return piece.x ^ piece.y ^ piece.z ^ piece.w;
}

/// Each thread takes every so manieth piece, four of them asked for together.
__device__ inline void read(const read_args& args) {
    let_next_start();
    wait_for_inputs();
    const auto* from = static_cast<const uint4*>(args.data);
    const long long threads = static_cast<long long>(gridDim.x) * blockDim.x;
    const long long self = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    unsigned kept = 0;
    long long at = self;
    for (; at + 3 * threads < args.count; at += 4 * threads) {
        const uint4 a = from[at], b = from[at + threads];
        const uint4 c = from[at + 2 * threads], d = from[at + 3 * threads];
        kept ^= combined(a) ^ combined(b) ^ combined(c) ^ combined(d);
    }
    for (; at < args.count; at += threads) kept ^= combined(from[at]);
    args.kept[self] = kept;
}

}  // namespace g4k
