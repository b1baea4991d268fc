// Sums and maxima over a warp and over a block, in the same order in every thread and run.
#pragma once

namespace g4k {

__device__ inline float warp_sum(float value) {
    for (int distance = 16; distance > 0; distance /= 2)
        value += __shfl_xor_sync(~0u, value, distance);
    return value;
}
__device__ inline float warp_max(float value) {
    for (int distance = 16; distance > 0; distance /= 2)
        value = fmaxf(value, __shfl_xor_sync(~0u, value, distance));
    return value;
}

/// Every thread gets the sum. `part` is shared memory of `Warps` floats; holds two barriers.
template <int Warps> __device__ float block_sum(float value, float* part) {
    value = warp_sum(value);
    if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = value;
    __syncthreads();
    float sum = 0;
    for (int i = 0; i < Warps; ++i) sum += part[i];
    __syncthreads();
    return sum;
}

}  // namespace g4k
