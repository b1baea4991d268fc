// Instruction sets that kernels are compiled for in one binary, and what this processor runs.
#pragma once
#include <cstdint>
#include <string_view>
#if defined(__x86_64__)
#include <cpuid.h>
#define G4_CPU_X86 1
#endif

// Functions carry these, so that the program needs no -march flag and runs on any processor.
// Lambdas do not inherit them with GCC: kernels use none.
#define G4_CPU_PORTABLE
#define G4_CPU_AVX2 __attribute__((target("avx2,fma,f16c")))
#define G4_CPU_AVX512 \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define G4_CPU_BF16 \
    __attribute__(( \
        target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16")))
#define G4_CPU_INLINE inline __attribute__((always_inline))

namespace g4::cpu {

/// Each one runs what stands before it. avx512: F, BW, DQ, VL and VNNI; bf16: with BF16 on top.
enum class isa : std::uint8_t { portable, avx2, avx512, bf16 };

constexpr std::string_view name_of_isa(isa i) {
    constexpr std::string_view names[]{"portable", "avx2", "avx512-vnni", "avx512-bf16"};
    return names[static_cast<std::size_t>(i)];
}

/// The most that processor and operating system run. Which of them is fast, only a clock tells.
inline isa best_isa() {
#ifdef G4_CPU_X86
    unsigned a = 0, b = 0, c = 0, d = 0;
    const bool f16c = __get_cpuid(1, &a, &b, &c, &d) != 0 && (c >> 29 & 1u) != 0;
    __builtin_cpu_init();
    if (!f16c || !__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return isa::portable;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl") ||
        !__builtin_cpu_supports("avx512vnni"))
        return isa::avx2;
    return __builtin_cpu_supports("avx512bf16") ? isa::bf16 : isa::avx512;
#else
    return isa::portable;
#endif
}

}  // namespace g4::cpu
