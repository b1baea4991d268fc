// Adds what the splits of a decoded row gave, in the order of splits whatever their number of
// blocks: the same bits in every run.
#pragma once
#include "codegen/attention/layout.hpp"
#include "codegen/attention/splits.cuh"
#include "codegen/core/depend.cuh"
#include "codegen/core/exp2.cuh"
#include "codegen/core/number.cuh"
#include "codegen/core/shared.cuh"

namespace g4k {

/// Sums of some splits: four dimensions, with the peak that they are scaled to.
struct merged {
    float peak, total, sums[4];

    __device__ void add(float other_peak, float other_total, const float4& other) {
        const float next = fmaxf(peak, other_peak);
        if (other_peak == -infinity()) return;
        const float mine = exp2_of(peak - next), its = exp2_of(other_peak - next);
        peak = next;
        total = total * mine + other_total * its;
        sums[0] = sums[0] * mine + other.x * its;
        sums[1] = sums[1] * mine + other.y * its;
        sums[2] = sums[2] * mine + other.z * its;
        sums[3] = sums[3] * mine + other.w * its;
    }
};

/// Every `merge_layout::lanes`th part from `lane` on. Four loads are under way at a time.
template <int HeadDim>
__device__ merged merge_lane(const decode_args& args, long long first_part, int dim, int active,
                             int lane) {
    constexpr int step = merge_layout::lanes, deep = 4;
    const float* partial = args.partial + first_part * HeadDim + dim;
    const float* extent = args.extent + first_part * 2;
    merged out{-infinity(), 0, {}};
    for (int first = lane; first < active; first += step * deep) {
        float4 sums[deep];
        float2 extents[deep];
#pragma unroll
        for (int i = 0; i < deep; ++i) {
            const int part = first + step * i;
            if (part >= active) continue;
            extents[i] = *reinterpret_cast<const float2*>(extent + 2 * part);
            sums[i] = *reinterpret_cast<const float4*>(partial + part * HeadDim);
        }
#pragma unroll
        for (int i = 0; i < deep; ++i)
            if (first + step * i < active) out.add(extents[i].x, extents[i].y, sums[i]);
    }
    return out;
}

/// Grid: pieces of 64 dimensions, query heads, rows.
template <decode_config Config> __device__ void merge(const decode_args& args) {
    constexpr int head_dim = Config.attention.head_dim;
    let_next_start();
    const int row = static_cast<int>(blockIdx.z), head = static_cast<int>(blockIdx.y);
    const int column = static_cast<int>(threadIdx.x) % 16;
    const int lane = static_cast<int>(threadIdx.x) / 16;
    const int dim = static_cast<int>(blockIdx.x) * merge_layout::dims + 4 * column;
    const int position = args.tables.positions[args.step_rows ? args.step_rows[row] : row];
    const int splits = splits_of<Config>(position, args.splits).active;
    const int active = (splits + Config.cluster - 1) / Config.cluster;
    wait_for_inputs();
    merged* lanes = reinterpret_cast<merged*>(shared_memory());
    const long long place = static_cast<long long>(row) * Config.attention.q_heads + head;
    if (dim < head_dim)
        lanes[threadIdx.x] =
            merge_lane<head_dim>(args, place * (args.splits / Config.cluster), dim, active, lane);
    __syncthreads();
    if (lane != 0 || dim >= head_dim) return;
    merged sum = lanes[column];
    for (int i = 1; i < min(active, merge_layout::lanes); ++i) {
        const merged& other = lanes[16 * i + column];
        sum.add(other.peak, other.total,
                {other.sums[0], other.sums[1], other.sums[2], other.sums[3]});
    }
    const float scale = active > 0 ? 1 / sum.total : 0.0f;
    const long long to = args.out_rows ? args.out_rows[row] : row;
    *reinterpret_cast<uint2*>(args.out + to * args.out_stride + head * head_dim + dim) = {
        to_bf16x2(sum.sums[0] * scale, sum.sums[1] * scale),
        to_bf16x2(sum.sums[2] * scale, sum.sums[3] * scale)};
}

}  // namespace g4k
