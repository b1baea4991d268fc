// One unit of weights against the x of a warp's tokens: the arithmetic of all linear kernels.
#pragma once
#include "codegen/core/int4.cuh"
#include "codegen/core/mma.cuh"
#include "codegen/core/number.cuh"
#include "codegen/linear/x_rows.cuh"

namespace g4k {

__device__ inline unsigned word_of(const uint4& v, int i) {
    return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w;
}

/// A unit as it is stored, one lane's part. plain: [2i + r] is of row 2g + r, columns 32i + 8t ..
template <linear_config C> struct stored_unit {
    uint4 vectors[C.form == weight_form::int4 ? 1 : 4];
};

/// The scales of rows 2g and 2g + 1 as they are stored, of each group that meets the unit.
template <linear_config C> struct stored_scales {
    static constexpr int count = unit_scales(C), words = scale_bytes(C.scales) / 2;
    unsigned bits[count > 0 ? count : 1][words];

    __device__ void load(int i, const void* pair) {
        if constexpr (words == 1) {
            bits[i][0] = *static_cast<const unsigned*>(pair);
        } else {
            const uint2 both = *static_cast<const uint2*>(pair);
            bits[i][0] = both.x;
            bits[i][words - 1] = both.y;
        }
    }
    __device__ float of(int i, int row) const {
        if constexpr (C.scales == scale_form::f32) return __uint_as_float(bits[i][row]);
        const auto half = static_cast<unsigned short>(bits[i][0] >> 16 * row);
        return C.scales == scale_form::f16 ? half_to_float(half) : to_float(half);
    }
};

/// The mma registers of the unit's four steps.
template <linear_config C>
__device__ void unpack(unsigned (&a)[4][4], const stored_unit<C>& unit) {
#pragma unroll
    for (int s = 0; s < 4; ++s) {
        if constexpr (C.form == weight_form::int4) {
            int4_to_bf16(a[s], word_of(unit.vectors[0], s));
        } else {
#pragma unroll
            for (int r = 0; r < 4; ++r)
                a[s][r] = word_of(unit.vectors[s / 2 * 2 + r % 2], s % 2 * 2 + r / 2);
        }
    }
}

/// The x of one tile of 8 tokens for the unit's four steps; `token` is the row that this lane's
/// g stands for.
template <linear_config C>
__device__ void load_x(unsigned (&b)[4][2], const char* x, int token) {
    const int t = threadIdx.x % 4;
    if constexpr (C.form == weight_form::int4 && C.group < 32) {
#pragma unroll
        for (int s = 0; s < 4; ++s) {
            const uint2 v = *reinterpret_cast<const uint2*>(x + x_offset(token, 2 * s + t / 2) +
                                                            t % 2 * 8);
            b[s][0] = v.x;
            b[s][1] = v.y;
        }
    } else {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            const uint4 v = *reinterpret_cast<const uint4*>(x + x_offset(token, 4 * i + t));
            b[2 * i][0] = v.x;
            b[2 * i][1] = v.y;
            b[2 * i + 1][0] = v.z;
            b[2 * i + 1][1] = v.w;
        }
    }
}

/// sums += unit · x. Whole numbers are multiplied; a group's scale meets its f32 sum.
template <linear_config C>
__device__ void multiply(float (&sums)[4], const unsigned (&a)[4][4], const unsigned (&b)[4][2],
                         const stored_scales<C>& scales) {
    if constexpr (C.form == weight_form::plain_bf16) {
#pragma unroll
        for (int s = 0; s < 4; ++s) mma_bf16(sums, a[s], b[s]);
    } else {
        constexpr int steps = 4 / unit_scales(C);
#pragma unroll
        for (int i = 0; i < unit_scales(C); ++i) {
            float part[4]{};
#pragma unroll
            for (int s = 0; s < steps; ++s) mma_bf16(part, a[i * steps + s], b[i * steps + s]);
#pragma unroll
            for (int k = 0; k < 4; ++k) sums[k] += part[k] * scales.of(i, k / 2);
        }
    }
}

}  // namespace g4k
