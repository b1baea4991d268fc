// One unit of weights against the x of a warp's tokens: the arithmetic of all linear kernels.
#pragma once
#include "codegen/core/int4.cuh"
#include "codegen/core/mma.cuh"
#include "codegen/core/number.cuh"
#include "codegen/core/shared_address.cuh"
#include "codegen/linear/layout.hpp"

namespace g4k {

__device__ inline unsigned word_of(const uint4& v, int i) {
    return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w;
}

/// A unit as it is stored, one lane's part. plain: [2i + r] is of row 2g + r, columns 32i + 8t ..
template <linear_config C> struct stored_unit {
    uint4 vectors[C.form == weight_form::int4 ? 1 : 4];

    /// int4: as in memory. plain: rows of 128 bytes, chunks turned as chunk_turn says.
    __device__ void load(shared_address unit) {
        const int lane = threadIdx.x % 32;
        if constexpr (C.form == weight_form::int4) {
            vectors[0] = load_shared_16(unit + lane * 16);
        } else {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int row = lane / 4 * 2 + i % 2;
                const int chunk = (i / 2 * 4 + lane % 4) ^ chunk_turn(lane / 4);
                vectors[i] = load_shared_16(unit + row * token_unit_bytes + chunk * 16);
            }
        }
    }
    /// The mma registers of step s.
    __device__ void unpack(unsigned (&a)[4], int s) const {
        if constexpr (C.form == weight_form::int4) {
            int4_to_bf16(a, word_of(vectors[0], s));
        } else {
#pragma unroll
            for (int r = 0; r < 4; ++r)
                a[r] = word_of(vectors[s / 2 * 2 + r % 2], s % 2 * 2 + r / 2);
        }
    }
};

/// The scales of rows 2g and 2g + 1 as they are stored, of each group that meets the unit.
template <linear_config C> struct stored_scales {
    static constexpr int count = unit_scales(C), words = scale_bytes(C.scales) / 2;
    unsigned bits[count > 0 ? count : 1][words];

    /// `scales`: [groups][16 rows].
    __device__ void load(shared_address scales) {
        const int pair = threadIdx.x % 32 / 4 * 2 * scale_bytes(C.scales);
#pragma unroll
        for (int i = 0; i < count; ++i) {
            const shared_address from = scales + i * unit_rows * scale_bytes(C.scales) + pair;
            if constexpr (words == 1) {
                bits[i][0] = load_shared_4(from);
            } else {
                const uint2 both = load_shared_8(from);
                bits[i][0] = both.x;
                bits[i][words - 1] = both.y;
            }
        }
    }
    __device__ float of(int i, int row) const {
        if constexpr (C.scales == scale_form::f32) return __uint_as_float(bits[i][row]);
        const auto half = static_cast<unsigned short>(bits[i][0] >> 16 * row);
        return C.scales == scale_form::f16 ? half_to_float(half) : to_float(half);
    }
};

/// Where a lane finds the x of its token: the token's row of a unit.
struct x_place {
    shared_address row;
    int turn;
};
__device__ inline x_place x_place_of(shared_address unit, int token) {
    return {unit + token * token_unit_bytes, chunk_turn(token)};
}

/// The x of 8 tokens for two of a unit's steps, 2 half and the next.
template <linear_config C>
__device__ void load_x(unsigned (&b)[2][2], const x_place& x, int half) {
    const int t = threadIdx.x % 4;
    if constexpr (C.form == weight_form::int4 && C.group < 32) {
#pragma unroll
        for (int s = 0; s < 2; ++s) {
            const int chunk = (4 * half + 2 * s + t / 2) ^ x.turn;
            const uint2 v = load_shared_8(x.row + chunk * 16 + t % 2 * 8);
            b[s][0] = v.x;
            b[s][1] = v.y;
        }
    } else {
        const uint4 v = load_shared_16(x.row + ((4 * half + t) ^ x.turn) * 16);
        b[0][0] = v.x;
        b[0][1] = v.y;
        b[1][0] = v.z;
        b[1][1] = v.w;
    }
}

/// One unit of columns of `Tiles` row tiles and `Tokens` tiles of 8 tokens: sums += w · x. Whole
/// numbers are multiplied; a group's scale meets its f32 sum. Steps go round several sums, because
/// one sum's steps wait for each other.
template <linear_config C, int Tiles, int Tokens> struct unit_product {
    static constexpr bool scaled = C.form == weight_form::int4;
    static constexpr int steps = scaled ? 4 / at_least(unit_scales(C), 1) : 4;
    static constexpr int at_once = at_most(Tokens, 4);

    static __device__ void add(float (&sums)[Tiles][Tokens][4],
                               const stored_unit<C> (&units)[Tiles],
                               const stored_scales<C> (&scales)[Tiles],
                               const x_place (&x)[Tokens]) {
        unsigned a[Tiles][4][4];
#pragma unroll
        for (int m = 0; m < Tiles; ++m)
#pragma unroll
            for (int s = 0; s < 4; ++s) units[m].unpack(a[m][s], s);
#pragma unroll
        for (int n = 0; n < Tokens; n += at_once) add_some(sums, a, scales, x, n);
    }

  private:
    static __device__ void add_some(float (&sums)[Tiles][Tokens][4],
                                    const unsigned (&a)[Tiles][4][4],
                                    const stored_scales<C> (&scales)[Tiles],
                                    const x_place (&x)[Tokens], int first) {
        float parts[Tiles][at_once][4];
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            unsigned b[at_once][2][2];
#pragma unroll
            for (int n = 0; n < at_once; ++n) load_x<C>(b[n], x[first + n], half);
#pragma unroll
            for (int s = 2 * half; s < 2 * half + 2; ++s)
#pragma unroll
                for (int m = 0; m < Tiles; ++m)
#pragma unroll
                    for (int n = 0; n < at_once; ++n)
                        add_step(sums[m][first + n], parts[m][n], a[m][s], b[n][s % 2],
                                 scales[m], s);
        }
    }
    static __device__ void add_step(float (&sum)[4], float (&part)[4], const unsigned (&a)[4],
                                    const unsigned (&b)[2], const stored_scales<C>& scales,
                                    int s) {
        if constexpr (scaled) {
            if (s % steps == 0) part[0] = part[1] = part[2] = part[3] = 0;
            mma_bf16(part, a, b);
            if (s % steps != steps - 1) return;
#pragma unroll
            for (int k = 0; k < 4; ++k) sum[k] += part[k] * scales.of(s / steps, k / 2);
        } else {
            mma_bf16(sum, a, b);
        }
    }
};

}  // namespace g4k
