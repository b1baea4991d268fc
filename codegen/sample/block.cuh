// Sums, scans and sorts of one block, over integers. CUB has them too, for 0.8 s of compile time.
#pragma once
#include "codegen/sample/config.hpp"

namespace g4k {

__device__ inline unsigned warp_greatest(unsigned value) {
    for (int distance = 16; distance > 0; distance /= 2) {
        const unsigned other = __shfl_xor_sync(~0u, value, distance);
        value = value > other ? value : other;
    }
    return value;
}

/// Sum of the lanes up to and with the own.
__device__ inline unsigned long long warp_running_sum(unsigned long long value) {
    const int lane = static_cast<int>(threadIdx.x % 32);
    for (int distance = 1; distance < 32; distance *= 2) {
        const unsigned long long other = __shfl_up_sync(~0u, value, distance);
        if (lane >= distance) value += other;
    }
    return value;
}

/// Every thread gets the greatest. `part` is shared memory of 32; holds two barriers.
__device__ __noinline__ inline unsigned block_greatest(unsigned value, unsigned* part) {
    value = warp_greatest(value);
    if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = value;
    __syncthreads();
    unsigned greatest = 0;
    for (unsigned i = 0; i < blockDim.x / 32; ++i)
        greatest = part[i] > greatest ? part[i] : greatest;
    __syncthreads();
    return greatest;
}

/// Every thread gets the sum, always in the same order. Holds two barriers.
__device__ __noinline__ inline double block_sum(double value, double* part) {
    for (int distance = 16; distance > 0; distance /= 2)
        value += __shfl_xor_sync(~0u, value, distance);
    if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = value;
    __syncthreads();
    double sum = 0;
    for (unsigned i = 0; i < blockDim.x / 32; ++i) sum += part[i];
    __syncthreads();
    return sum;
}

/// The sum of all threads before the own, and of all. Holds two barriers.
struct block_scan_result {
    unsigned long long before, total;
};
__device__ __noinline__ inline block_scan_result block_scan(unsigned long long value,
                                                            unsigned long long* part) {
    const unsigned warp = threadIdx.x / 32;
    const unsigned long long running = warp_running_sum(value);
    if (threadIdx.x % 32 == 31) part[warp] = running;
    __syncthreads();
    block_scan_result out{running - value, 0};
    for (unsigned i = 0; i < blockDim.x / 32; ++i) {
        if (i == warp) out.before += out.total;
        out.total += part[i];
    }
    __syncthreads();
    return out;
}

/// The least power of two that is not below `count`, and not below 2.
__device__ inline int power_of_two(int count) {
    return count <= 2 ? 2 : 1 << (32 - __clz(count - 1));
}

/// Few values: each finds its place by counting those before it.
__device__ inline void block_sort_by_counting(unsigned long long* values, int count) {
    const int self = static_cast<int>(threadIdx.x);
    const unsigned long long own = self < count ? values[self] : 0;
    int before = 0;
    if (self < count) {
#pragma unroll 8
        for (int i = 0; i < count; ++i) {
            const unsigned long long other = values[i];
            before += other < own || (other == own && i < self) ? 1 : 0;
        }
    }
    __syncthreads();
    if (self < count) values[before] = own;
    __syncthreads();
}

/// Sorts `count` values of shared memory, a power of two, the least first. Begins after and ends
/// with a barrier. Batcher's bitonic network: steps over distances up to 32 stay within the 64
/// values of one warp and need no barrier.
__device__ __noinline__ inline void block_sort(unsigned long long* values, int count) {
    if (count <= 256 && count <= static_cast<int>(blockDim.x)) {
        block_sort_by_counting(values, count);
        return;
    }
    for (int size = 2; size <= count; size *= 2) {
        for (int step = size / 2; step > 0; step /= 2) {
            for (int pair = static_cast<int>(threadIdx.x); pair < count / 2;
                 pair += static_cast<int>(blockDim.x)) {
                const int left = 2 * pair - (pair & (step - 1)), right = left + step;
                const unsigned long long a = values[left], b = values[right];
                if (a != b && (a > b) == ((left & size) == 0)) {
                    values[left] = b;
                    values[right] = a;
                }
            }
            const int next = step > 1 ? step / 2 : size;
            if (step > 32 || next > 32) __syncthreads();
            else __syncwarp();
        }
    }
    __syncthreads();
}

}  // namespace g4k
