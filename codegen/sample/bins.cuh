// A histogram over an interval of keys, which shrinks to the bin that matters.
#pragma once
#include "codegen/sample/block.cuh"
#include "codegen/sample/key.cuh"

namespace g4k {

/// Keys from least to greatest; bin 0 has the greatest. Bins count, or hold masses.
template <sample_config config> struct key_bins {
    sample_shared<config>& shared;
    unsigned least, greatest;
    bool of_masses;
    int shift = 0;

    __device__ key_bins(sample_shared<config>& shared, unsigned least, unsigned greatest,
                        bool of_masses)
        : shared{shared}, least{least}, greatest{greatest}, of_masses{of_masses} {}

    /// Ends with a barrier.
    __device__ void clear() {
        for (int i = static_cast<int>(threadIdx.x); i < config.bins;
             i += static_cast<int>(blockDim.x))
            shared.in_bin.count[i] = shared.in_bin.low[i] = shared.in_bin.high[i] = 0;
        const unsigned width = greatest - least;
        const int bits = width == 0 ? 0 : 32 - __clz(static_cast<int>(width));
        const int bin_bits = 31 - __clz(config.bins);
        shift = bits > bin_bits ? bits - bin_bits : 0;
        __syncthreads();
    }
    __device__ bool holds(unsigned key) const { return key >= least && key <= greatest; }
    __device__ unsigned bin_of(unsigned key) const { return (greatest - key) >> shift; }

    __device__ unsigned long long total() const {
        return block_scan(own_bins(), shared.warp_sum).total;
    }
    /// Narrows the interval to the first bin with which the running sum reaches `wanted`, from
    /// which what came before is taken. The result is what the bin holds.
    __device__ unsigned long long open(unsigned long long& wanted) {
        unsigned long long before = block_scan(own_bins(), shared.warp_sum).before;
        for (int i = first(); i < last(); ++i) {
            const unsigned long long own = in(i);
            if (before < wanted && wanted <= before + own) {
                shared.found = static_cast<unsigned>(i);
                shared.found_before = before;
                shared.found_mass = own;
            }
            before += own;
        }
        __syncthreads();
        wanted -= shared.found_before;
        greatest -= shared.found << shift;
        const unsigned widest = (1u << shift) - 1;
        if (greatest - least > widest) least = greatest - widest;
        const unsigned long long found = shared.found_mass;
        __syncthreads();
        return found;
    }

  private:
    __device__ unsigned long long in(int bin) const {
        if (!of_masses) return shared.in_bin.count[bin];
        return static_cast<unsigned long long>(shared.in_bin.high[bin]) << 32 |
               shared.in_bin.low[bin];
    }
    __device__ static int per_thread() {
        return (config.bins + static_cast<int>(blockDim.x) - 1) / static_cast<int>(blockDim.x);
    }
    __device__ static int first() { return static_cast<int>(threadIdx.x) * per_thread(); }
    __device__ static int last() {
        return first() + per_thread() < config.bins ? first() + per_thread() : config.bins;
    }
    __device__ unsigned long long own_bins() const {
        unsigned long long sum = 0;
        for (int i = first(); i < last(); ++i) sum += in(i);
        return sum;
    }
};

/// A bound that at least `rank` logits reach, and little more: at least that many tiles do.
template <sample_config config>
__device__ __noinline__ unsigned bound_of_rank(sample_shared<config>& shared, int tiles,
                                               unsigned greatest, int rank) {
    if (rank >= tiles) return key_of_minus_infinity;
    const int threads = static_cast<int>(blockDim.x), self = static_cast<int>(threadIdx.x);
    unsigned most_below = 0;
    for (int tile = self; tile < tiles; tile += threads) {
        const unsigned below = ~shared.greatest[tile];
        most_below = below > most_below ? below : most_below;
    }
    key_bins<config> bins{shared, ~block_greatest(most_below, shared.warp_key), greatest, false};
    auto left = static_cast<unsigned long long>(rank);
    unsigned long long found = 0;
    do {
        bins.clear();
        for (int tile = self; tile < tiles; tile += threads)
            if (bins.holds(shared.greatest[tile]))
                atomicAdd(&shared.in_bin.count[bins.bin_of(shared.greatest[tile])], 1u);
        __syncthreads();
        found = bins.open(left);
    } while (bins.least < bins.greatest && found > left + 8);
    return bins.least;
}

}  // namespace g4k
