// Plain linears straight from the mapped file: bf16, f16 or f32 rows times f32 activations.
#pragma once
#include "g4/backends/cpu/lanes_avx2.hpp"
#include "g4/backends/cpu/lanes_avx512.hpp"
#include "g4/backends/cpu/lanes_portable.hpp"
#include "g4/backends/cpu/plain_layout.hpp"
#include <algorithm>
#include <cstring>
#include <utility>

namespace g4::cpu {

namespace portable {
#define G4_CPU_TARGET G4_CPU_PORTABLE
#include "g4/backends/cpu/plain_kernels.inc"
#undef G4_CPU_TARGET
}  // namespace portable

#ifdef G4_CPU_X86
namespace avx2 {
#define G4_CPU_TARGET G4_CPU_AVX2
#include "g4/backends/cpu/plain_kernels.inc"
#undef G4_CPU_TARGET
}  // namespace avx2
namespace avx512 {
#define G4_CPU_TARGET G4_CPU_AVX512
#include "g4/backends/cpu/plain_kernels.inc"
#undef G4_CPU_TARGET
}  // namespace avx512
#endif

/// The f32 kernels for an instruction set.
inline const plain_kernels& plain_for(isa which) {
#ifdef G4_CPU_X86
    if (which == isa::avx512 || which == isa::bf16) return avx512::plain_of_this_isa;
    if (which == isa::avx2) return avx2::plain_of_this_isa;
#endif
    static_cast<void>(which);
    return portable::plain_of_this_isa;
}

}  // namespace g4::cpu
