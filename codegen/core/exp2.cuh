// 2 to the power of x by the special function unit: exp2f spends four instructions more on
// results below 2^-126, which sums of exponentials do not need.
#pragma once

namespace g4k {

/// Within 2^-22 of the result; 0 below 2^-126 and for -infinity.
__device__ inline float exp2_of(float x) {
#ifdef G4K_SIMT
    return x < -126.0f ? 0.0f : exp2f(x);
#else
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
#endif
}

__device__ inline float infinity() { return __int_as_float(0x7f800000); }
inline constexpr float log2_of_e = 1.44269504f;

}  // namespace g4k
