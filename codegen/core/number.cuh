// bf16 by its bits, so that kernels need no CUDA header (cuda_bf16.h costs NVRTC 100 ms and more).
#pragma once

namespace g4k {

__device__ inline float to_float(unsigned short bf16) {
    return __uint_as_float(static_cast<unsigned>(bf16) << 16);
}

/// Nearest, ties to even; NaN stays NaN.
__device__ inline unsigned short to_bf16(float value) {
    const unsigned bits = __float_as_uint(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fffu;
    return static_cast<unsigned short>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

/// Two neighbours of a row: the first in the low half, as in memory.
__device__ inline unsigned to_bf16x2(float first, float second) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800 && !defined(G4K_SIMT)
    unsigned packed;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(second), "f"(first));
    return packed;
#else
    return static_cast<unsigned>(to_bf16(first)) | static_cast<unsigned>(to_bf16(second)) << 16;
#endif
}
__device__ inline float first_of(unsigned bf16x2) { return __uint_as_float(bf16x2 << 16); }
__device__ inline float second_of(unsigned bf16x2) {
    return __uint_as_float(bf16x2 & 0xffff0000u);
}

}  // namespace g4k
