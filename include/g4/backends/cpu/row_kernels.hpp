// Kernels of one row: norms, activations, conversions, and the step from f32 to fixed point.
#pragma once
#include "g4/backends/cpu/int4_layout.hpp"
#include "g4/backends/cpu/isa.hpp"
#include "g4/backends/cpu/lanes_avx2.hpp"
#include "g4/backends/cpu/lanes_avx512.hpp"
#include "g4/backends/cpu/lanes_portable.hpp"
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace g4::cpu {

/// Where one token's fixed-point row goes: its first quad, and the steps to the next ones.
struct quantised_place {
    std::int8_t* bytes = nullptr;
    float* scales = nullptr;
    std::int32_t* sums = nullptr;
    std::int32_t quad_stride = 0, scale_stride = 0;
};

/// One instruction set's row kernels. All work in place on f32 and allow any length and alignment;
/// an element's result does not depend on its place or on its neighbours, but for the norm.
struct row_kernels {
    /// x = gelu(x), the tanh form; relative error < 1e-6.
    void (*gelu_tanh)(float* x, std::int64_t n);
    /// x = x * sigmoid(x); relative error < 1e-6.
    void (*silu)(float* x, std::int64_t n);
    /// x = e^x, 0 below -87.3, e^88 above 88; relative error < 1e-6.
    void (*exponential)(float* x, std::int64_t n);
    /// x = cap * tanh(x / cap); relative error < 1e-6.
    void (*softcap)(float* x, std::int64_t n, float cap);
    void (*add)(float* x, const float* y, std::int64_t n);
    void (*mul)(float* x, const float* y, std::int64_t n);
    void (*multiply)(float* x, std::int64_t n, float factor);
    /// From bf16, f16 or f32, exactly.
    void (*widen)(const std::byte* from, dtype type, float* to, std::int64_t n);
    /// To bf16, nearest, ties to even.
    void (*narrow)(const float* from, std::uint16_t* to, std::int64_t n);
    /// x = x / sqrt(mean(x²) + epsilon) * weight, for each of `parts` parts; weight may be null.
    void (*rms_norm)(float* x, const float* weight, std::int64_t parts, std::int64_t width,
                     float epsilon);
    /// Rotates the first `turning` pairs of each part, half a part apart:
    /// (x, y) = (x cos - y sin, y cos + x sin). cosine, sine [turning].
    void (*rope)(float* x, const float* cosine, const float* sine, std::int64_t parts,
                 std::int64_t width, std::int64_t turning);
    /// One token's row to fixed point, group by group; columns past `columns` count as 0. A group
    /// that holds NaN or infinity gets the scale NaN, so that no result hides it.
    void (*quantise)(const float* x, std::int64_t columns, std::int32_t group, std::int32_t groups,
                     std::int32_t passes, const quantised_place& to);
};

namespace portable {
#define G4_CPU_TARGET G4_CPU_PORTABLE
#include "g4/backends/cpu/row_kernels.inc"
#undef G4_CPU_TARGET
}  // namespace portable

#ifdef G4_CPU_X86
namespace avx2 {
#define G4_CPU_TARGET G4_CPU_AVX2
#include "g4/backends/cpu/row_kernels.inc"
#undef G4_CPU_TARGET
}  // namespace avx2
namespace avx512 {
#define G4_CPU_TARGET G4_CPU_AVX512
#include "g4/backends/cpu/row_kernels.inc"
#undef G4_CPU_TARGET
}  // namespace avx512
#endif

inline const row_kernels& rows_for(isa which) {
#ifdef G4_CPU_X86
    if (which == isa::avx512 || which == isa::bf16) return avx512::rows_of_this_isa;
    if (which == isa::avx2) return avx2::rows_of_this_isa;
#endif
    static_cast<void>(which);
    return portable::rows_of_this_isa;
}

}  // namespace g4::cpu
