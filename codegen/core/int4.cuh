// Small weights and their scales as numbers that the matrix unit and f32 take, without rounding.
#pragma once

namespace g4k {

/// Both halves: bf16 whole numbers 128 .. 143, as the bits 0x4300 + v, less 136: v - 8. Exact.
__device__ inline unsigned less_136(unsigned pair) {
#ifdef G4K_SIMT
    const auto one = [](unsigned bits) {
        return __float_as_uint(__uint_as_float(bits << 16) - 136.0f) >> 16;
    };
    return one(pair & 0xffffu) | one(pair >> 16) << 16;
#else
    unsigned result;
    asm("fma.rn.bf16x2 %0, %1, %2, %3;"
        : "=r"(result)
        : "r"(pair), "r"(0x3f803f80u), "r"(0xc308c308u));
    return result;
#endif
}

/// bf16 128 + v of the lowest nibble of each half. Written out: of an `and` and an `or` with two
/// constants the compiler makes two instructions.
__device__ inline unsigned above_128(unsigned word) {
#ifdef G4K_SIMT
    return (word & 0x000f000fu) | 0x43004300u;
#else
    unsigned result;
    asm("lop3.b32 %0, %1, %2, %3, 0xea;"
        : "=r"(result)
        : "r"(word), "r"(0x000f000fu), "r"(0x43004300u));
    return result;
#endif
}

/// values[r]: nibble r of each half of `word` (r from the lowest), less 8, as a bf16 pair.
__device__ inline void int4_to_bf16(unsigned (&values)[4], unsigned word) {
#pragma unroll
    for (int r = 0; r < 4; ++r) values[r] = less_136(above_128(word >> 4 * r));
}

/// IEEE half by its bits; subnormals are kept.
__device__ inline float half_to_float(unsigned short bits) {
#ifdef G4K_SIMT
    const float magnitude = __uint_as_float((bits & 0x7fffu) << 13) * 0x1p112f;
    return (bits & 0x8000u) != 0 ? -magnitude : magnitude;
#else
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
#endif
}

}  // namespace g4k
