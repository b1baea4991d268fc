// Eight f32 lanes of AVX2, FMA and F16C: the same vocabulary as lanes_portable.hpp.
#pragma once
#include "g4/backends/cpu/intrinsics.hpp"
#ifdef G4_CPU_X86
#include <cstdint>
#include <cstring>

namespace g4::cpu::avx2 {

#define G4_LANES G4_CPU_AVX2 G4_CPU_INLINE
inline constexpr int lanes = 8;
using f32v = __m256;

G4_LANES f32v set(float x) { return _mm256_set1_ps(x); }
G4_LANES f32v load(const float* at) { return _mm256_loadu_ps(at); }
G4_LANES void store(float* at, f32v x) { _mm256_storeu_ps(at, x); }
G4_LANES f32v add(f32v a, f32v b) { return _mm256_add_ps(a, b); }
G4_LANES f32v sub(f32v a, f32v b) { return _mm256_sub_ps(a, b); }
G4_LANES f32v mul(f32v a, f32v b) { return _mm256_mul_ps(a, b); }
G4_LANES f32v div(f32v a, f32v b) { return _mm256_div_ps(a, b); }
G4_LANES f32v fma(f32v a, f32v b, f32v c) { return _mm256_fmadd_ps(a, b, c); }
G4_LANES f32v max(f32v a, f32v b) { return _mm256_max_ps(a, b); }
G4_LANES f32v min(f32v a, f32v b) { return _mm256_min_ps(a, b); }
G4_LANES f32v abs(f32v a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
G4_LANES float sum_of(f32v a) {
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
G4_LANES float max_of(f32v a) {
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
G4_LANES f32v round(f32v a) {
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
G4_LANES f32v times_power_of_two(f32v a, f32v n) {
    const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
}
G4_LANES f32v select_less(f32v a, f32v b, f32v yes, f32v no) {
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
G4_LANES f32v load_bf16(const void* at) {
    const __m128i bits = _mm_loadu_si128(static_cast<const __m128i*>(at));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
G4_LANES f32v load_f16(const void* at) {
    return _mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(at)));
}
/// Nearest, ties to even; NaN stays NaN.
G4_LANES void store_bf16(void* at, f32v x) {
    const __m256i bits = _mm256_castps_si256(x);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded =
        _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(1 << 22));
    const __m256 is_nan = _mm256_cmp_ps(x, x, _CMP_UNORD_Q);
    const __m256i chosen = _mm256_castps_si256(
        _mm256_blendv_ps(_mm256_castsi256_ps(rounded), _mm256_castsi256_ps(quiet), is_nan));
    const __m256i high = _mm256_srli_epi32(chosen, 16);
    const __m128i packed =
        _mm_packus_epi32(_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1));
    _mm_storeu_si128(static_cast<__m128i*>(at), packed);
}
G4_LANES void load_bf16_pair(const void* at, f32v& even, f32v& odd) {
    const __m256i words = _mm256_loadu_si256(static_cast<const __m256i*>(at));
    even = _mm256_castsi256_ps(_mm256_slli_epi32(words, 16));
    odd = _mm256_castsi256_ps(
        _mm256_and_si256(words, _mm256_set1_epi32(static_cast<int>(0xffff0000u))));
}
G4_LANES void store_bytes(f32v whole, std::int8_t* low, std::int8_t* high) {
    const __m256i a = _mm256_cvtps_epi32(whole);
    const __m256i h = _mm256_srai_epi32(_mm256_add_epi32(a, _mm256_set1_epi32(128)), 8);
    const __m256i first =
        _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 4, 8, 12,
                         -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m256i l = _mm256_shuffle_epi8(a, first), g = _mm256_shuffle_epi8(h, first);
    const std::int32_t low_words[2]{_mm256_extract_epi32(l, 0), _mm256_extract_epi32(l, 4)};
    const std::int32_t high_words[2]{_mm256_extract_epi32(g, 0), _mm256_extract_epi32(g, 4)};
    std::memcpy(low, low_words, 8);
    std::memcpy(high, high_words, 8);
}
/// Into L2: what is streamed needs no place in L1 long before its use.
G4_LANES void prefetch(const void* at) { _mm_prefetch(static_cast<const char*>(at), _MM_HINT_T1); }
#undef G4_LANES

}  // namespace g4::cpu::avx2
#endif
