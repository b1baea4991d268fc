// Sixteen f32 lanes of AVX-512: the same vocabulary as lanes_portable.hpp.
#pragma once
#include "g4/backends/cpu/intrinsics.hpp"
#ifdef G4_CPU_X86
#include <cstdint>

namespace g4::cpu::avx512 {

#define G4_LANES G4_CPU_AVX512 G4_CPU_INLINE
inline constexpr int lanes = 16;
using f32v = __m512;

G4_LANES f32v set(float x) { return _mm512_set1_ps(x); }
G4_LANES f32v load(const float* at) { return _mm512_loadu_ps(at); }
G4_LANES void store(float* at, f32v x) { _mm512_storeu_ps(at, x); }
G4_LANES f32v add(f32v a, f32v b) { return _mm512_add_ps(a, b); }
G4_LANES f32v sub(f32v a, f32v b) { return _mm512_sub_ps(a, b); }
G4_LANES f32v mul(f32v a, f32v b) { return _mm512_mul_ps(a, b); }
G4_LANES f32v div(f32v a, f32v b) { return _mm512_div_ps(a, b); }
G4_LANES f32v fma(f32v a, f32v b, f32v c) { return _mm512_fmadd_ps(a, b, c); }
G4_LANES f32v max(f32v a, f32v b) { return _mm512_max_ps(a, b); }
G4_LANES f32v min(f32v a, f32v b) { return _mm512_min_ps(a, b); }
G4_LANES f32v abs(f32v a) { return _mm512_abs_ps(a); }
G4_LANES float sum_of(f32v a) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
G4_LANES float max_of(f32v a) { return _mm512_reduce_max_ps(a); }
G4_LANES f32v round(f32v a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
G4_LANES f32v times_power_of_two(f32v a, f32v n) { return _mm512_scalef_ps(a, n); }
G4_LANES f32v select_less(f32v a, f32v b, f32v yes, f32v no) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), no, yes);
}
G4_LANES f32v load_bf16(const void* at) {
    const __m256i bits = _mm256_loadu_si256(static_cast<const __m256i*>(at));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
G4_LANES f32v load_f16(const void* at) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(at)));
}
/// Nearest, ties to even; NaN stays NaN. Not by vcvtneps2bf16, which flushes subnormals.
G4_LANES void store_bf16(void* at, f32v x) {
    const __m512i bits = _mm512_castps_si512(x);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded =
        _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __mmask16 is_nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    const __m512i chosen = _mm512_mask_or_epi32(rounded, is_nan, bits, _mm512_set1_epi32(1 << 22));
    _mm256_storeu_si256(static_cast<__m256i*>(at),
                        _mm512_cvtepi32_epi16(_mm512_srli_epi32(chosen, 16)));
}
G4_LANES void load_bf16_pair(const void* at, f32v& even, f32v& odd) {
    const __m512i words = _mm512_loadu_si512(at);
    even = _mm512_castsi512_ps(_mm512_slli_epi32(words, 16));
    odd = _mm512_castsi512_ps(
        _mm512_and_si512(words, _mm512_set1_epi32(static_cast<int>(0xffff0000u))));
}
G4_LANES void store_bytes(f32v whole, std::int8_t* low, std::int8_t* high) {
    const __m512i a = _mm512_cvtps_epi32(whole);
    const __m512i h = _mm512_srai_epi32(_mm512_add_epi32(a, _mm512_set1_epi32(128)), 8);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(low), _mm512_cvtepi32_epi8(a));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(high), _mm512_cvtepi32_epi8(h));
}
/// Into L2: what is streamed needs no place in L1 long before its use.
G4_LANES void prefetch(const void* at) { _mm_prefetch(static_cast<const char*>(at), _MM_HINT_T1); }
#undef G4_LANES

}  // namespace g4::cpu::avx512
#endif
