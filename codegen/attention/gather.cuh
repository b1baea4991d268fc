// How the splits of a cluster add their results: each sends every block its share of dimensions,
// and each block adds what it got in the order of splits.
#pragma once
#include "codegen/attention/layout.hpp"
#include "codegen/core/cluster.cuh"
#include "codegen/core/exp2.cuh"

namespace g4k {

/// In shared memory, behind what decode has there:
///   extents  [split][column][2]: greatest score, sum of exponentials
///   sums     [split][dimension of the share][column]
template <decode_config Config> struct gather_places {
    static constexpr decode_layout layout = decode_layout_for<Config>;
    static constexpr int group = Config.attention.q_heads / Config.attention.kv_heads;
    static constexpr int columns = layout.columns, cluster = Config.cluster;

    barrier_word* barrier;
    float *extents, *sums;

    __device__ explicit gather_places(float* place)
        : barrier{reinterpret_cast<barrier_word*>(place)},
          extents{place + 4},
          sums{extents + cluster * columns * 2} {}

    __device__ float* extent(int split, int column) const {
        return extents + (split * columns + column) * 2;
    }
    /// Of one of all dimensions: which block gathers it, and where.
    __device__ float* sum(int split, int dim, int column) const {
        return sums + (split * layout.share + dim % layout.share) * columns + column;
    }

    /// Before the first split may send.
    __device__ void make() const { cluster_barrier_make(barrier); }
    __device__ void expect(int splits) const {
        constexpr int pairs = (group + 1) / 2 * layout.share;
        if (threadIdx.x == 0)
            cluster_barrier_expect(barrier, static_cast<unsigned>(splits * 8 * (pairs + group)));
    }

    /// Greatest score of the first `splits`, and the sum of exponentials and of values under it.
    struct gathered {
        float peak, total, sum;
    };
    __device__ gathered add(int splits, int dim, int column) const {
        float peaks[cluster], peak = -infinity();
#pragma unroll
        for (int s = 0; s < cluster; ++s) {
            peaks[s] = s < splits ? extent(s, column)[0] : -infinity();
            peak = fmaxf(peak, peaks[s]);
        }
        gathered out{peak, 0, 0};
#pragma unroll
        for (int s = 0; s < cluster; ++s) {
            if (s >= splits) continue;
            const float weight = exp2_of(peaks[s] - peak);
            out.total += extent(s, column)[1] * weight;
            out.sum += *sum(s, dim, column) * weight;
        }
        return out;
    }
};

}  // namespace g4k
