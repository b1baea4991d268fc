// Four f32 lanes by the compiler's vector extension: the vocabulary of kernels on any processor.
#pragma once
#include "g4/backends/cpu/isa.hpp"
#include "g4/core/dtype.hpp"
#include <cmath>
#include <cstring>

namespace g4::cpu::portable {

inline constexpr int lanes = 4;
using f32v = float __attribute__((vector_size(16)));

G4_CPU_INLINE f32v set(float x) { return f32v{x, x, x, x}; }
G4_CPU_INLINE f32v load(const float* at) {
    f32v out;
    std::memcpy(&out, at, sizeof out);
    return out;
}
G4_CPU_INLINE void store(float* at, f32v x) { std::memcpy(at, &x, sizeof x); }
G4_CPU_INLINE f32v add(f32v a, f32v b) { return a + b; }
G4_CPU_INLINE f32v sub(f32v a, f32v b) { return a - b; }
G4_CPU_INLINE f32v mul(f32v a, f32v b) { return a * b; }
G4_CPU_INLINE f32v div(f32v a, f32v b) { return a / b; }
G4_CPU_INLINE f32v fma(f32v a, f32v b, f32v c) { return a * b + c; }
G4_CPU_INLINE f32v max(f32v a, f32v b) { return a > b ? a : b; }
G4_CPU_INLINE f32v min(f32v a, f32v b) { return a < b ? a : b; }
G4_CPU_INLINE f32v abs(f32v a) { return a < 0.0f ? -a : a; }
G4_CPU_INLINE float sum_of(f32v a) { return (a[0] + a[2]) + (a[1] + a[3]); }
G4_CPU_INLINE float max_of(f32v a) {
    const float one = a[0] > a[1] ? a[0] : a[1], two = a[2] > a[3] ? a[2] : a[3];
    return one > two ? one : two;
}
/// Nearest whole number, ties to even.
G4_CPU_INLINE f32v round(f32v a) {
    return f32v{std::nearbyint(a[0]), std::nearbyint(a[1]), std::nearbyint(a[2]),
                std::nearbyint(a[3])};
}
/// a * 2^n for whole n from -126 to 127. NaN stays NaN.
G4_CPU_INLINE f32v times_power_of_two(f32v a, f32v n) {
    f32v out = a;
    for (int i = 0; i < lanes; ++i) {
        const std::int32_t power = n[i] == n[i] ? static_cast<std::int32_t>(n[i]) : 0;
        out[i] *= std::bit_cast<float>((power + 127) << 23);
    }
    return out;
}
/// Where a < b: yes, else no.
G4_CPU_INLINE f32v select_less(f32v a, f32v b, f32v yes, f32v no) { return a < b ? yes : no; }

G4_CPU_INLINE f32v load_bf16(const void* at) {
    std::uint16_t bits[lanes];
    std::memcpy(bits, at, sizeof bits);
    return f32v{bf16_to_float(bits[0]), bf16_to_float(bits[1]), bf16_to_float(bits[2]),
                bf16_to_float(bits[3])};
}
G4_CPU_INLINE f32v load_f16(const void* at) {
    std::uint16_t bits[lanes];
    std::memcpy(bits, at, sizeof bits);
    return f32v{f16_to_float(bits[0]), f16_to_float(bits[1]), f16_to_float(bits[2]),
                f16_to_float(bits[3])};
}
G4_CPU_INLINE void store_bf16(void* at, f32v x) {
    std::uint16_t bits[lanes];
    for (int i = 0; i < lanes; ++i) bits[i] = float_to_bf16(x[i]);
    std::memcpy(at, bits, sizeof bits);
}
/// The even and the odd ones of 2 * lanes bf16: a word needs no shuffle to give both.
G4_CPU_INLINE void load_bf16_pair(const void* at, f32v& even, f32v& odd) {
    std::uint16_t bits[2 * lanes];
    std::memcpy(bits, at, sizeof bits);
    even = f32v{bf16_to_float(bits[0]), bf16_to_float(bits[2]), bf16_to_float(bits[4]),
                bf16_to_float(bits[6])};
    odd = f32v{bf16_to_float(bits[1]), bf16_to_float(bits[3]), bf16_to_float(bits[5]),
               bf16_to_float(bits[7])};
}
/// Whole numbers as 256 * high + low, both signed bytes.
G4_CPU_INLINE void store_bytes(f32v whole, std::int8_t* low, std::int8_t* high) {
    for (int i = 0; i < lanes; ++i) {
        const std::int32_t a = static_cast<std::int32_t>(whole[i]);
        low[i] = static_cast<std::int8_t>(a & 255);
        high[i] = static_cast<std::int8_t>((a + 128) >> 8);
    }
}
G4_CPU_INLINE void prefetch(const void* at) { __builtin_prefetch(at, 0, 2); }

}  // namespace g4::cpu::portable
