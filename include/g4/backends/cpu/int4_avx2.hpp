// int4 linear with AVX2: products of bytes summed in 16 bits, which 32 columns cannot overflow.
#pragma once
#include "g4/backends/cpu/int4_layout.hpp"
#include "g4/backends/cpu/intrinsics.hpp"
#ifdef G4_CPU_X86
#include <cstring>
#include <utility>

namespace g4::cpu::avx2 {

G4_CPU_AVX2 G4_CPU_INLINE __m256 load_scales(const std::byte* scales, dtype type,
                                             std::int64_t first) {
    if (type == dtype::f32) return _mm256_loadu_ps(reinterpret_cast<const float*>(scales) + first);
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(scales + first * 2));
    if (type == dtype::f16) return _mm256_cvtph_ps(half);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

G4_CPU_AVX2 G4_CPU_INLINE __m256i quad(const std::int8_t* at) {
    std::int32_t four;
    std::memcpy(&four, at, 4);
    return _mm256_set1_epi32(four);
}

G4_CPU_AVX2 G4_CPU_INLINE __m256i load(const std::byte* at) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
}

/// Eight products in 16 bits cannot overflow: 8 * 2 * 15 * 128 < 2^15.
template <int Step, std::size_t... K>
G4_CPU_AVX2 G4_CPU_INLINE __m256i dot_32(const __m256i* bytes, const std::int8_t* a,
                                         std::index_sequence<K...>) {
    __m256i products = _mm256_setzero_si256();
    ((products = _mm256_add_epi16(
          products, _mm256_maddubs_epi16(bytes[K], quad(a + Step * static_cast<int>(K))))),
     ...);
    return _mm256_madd_epi16(products, _mm256_set1_epi16(1));
}

/// 32 columns of one half panel (8 rows) times V byte passes, added to sums.
template <int Step, std::size_t... V>
G4_CPU_AVX2 G4_CPU_INLINE void multiply_32(const std::byte* nibbles, const std::int8_t* a,
                                           __m256i* sums, std::index_sequence<V...>) {
    const __m256i mask = _mm256_set1_epi8(15);
    __m256i bytes[8];
    for (int octet = 0; octet < 4; ++octet) {
        const __m256i word = load(nibbles + octet * 64);
        bytes[2 * octet] = _mm256_and_si256(word, mask);
        bytes[2 * octet + 1] = _mm256_and_si256(_mm256_srli_epi16(word, 4), mask);
    }
    ((sums[V] =
          _mm256_add_epi32(sums[V], dot_32<Step>(bytes, a + 4 * V, std::make_index_sequence<8>{}))),
     ...);
}

template <int Passes>
G4_CPU_AVX2 G4_CPU_INLINE __m256 combine(const __m256i* sums, std::int32_t activation_sum) {
    __m256i total = _mm256_add_epi32(sums[0], _mm256_set1_epi32(-8 * activation_sum));
    if constexpr (Passes == 2) total = _mm256_add_epi32(total, _mm256_slli_epi32(sums[1], 8));
    return _mm256_cvtepi32_ps(total);
}

/// Half a panel times one block of tokens.
template <int Tokens, int Passes, std::size_t... V, std::size_t... T>
G4_CPU_AVX2 inline void multiply_block(const int4_panels& w, const std::byte* scales, int half,
                                       const quantised_rows& x, std::int32_t block, float* out,
                                       std::int64_t stride, std::int64_t rows,
                                       std::index_sequence<V...> passes,
                                       std::index_sequence<T...>) {
    const std::byte* nibbles = scales + w.scale_bytes() + half * 32;
    const std::int8_t* a = x.bytes + x.bytes_before(block);
    const float* scale = x.scales + x.scales_before(block);
    const std::int32_t* sum = x.sums + x.scales_before(block);
    __m256 totals[Tokens];
    ((totals[T] = _mm256_setzero_ps()), ...);
    for (std::int32_t g = 0; g < w.groups; ++g, scale += Tokens, sum += Tokens) {
        __m256i sums[Tokens * Passes];
        ((sums[V] = _mm256_setzero_si256()), ...);
        for (std::int32_t k = 0; k < w.group; k += 32) {
            multiply_32<Tokens * Passes * 4>(nibbles, a, sums, passes);
            nibbles += 256;
            a += 32 * Tokens * Passes;
        }
        const __m256 weight_scale = load_scales(scales, w.scale_type, g * panel_rows + half * 8);
        ((totals[T] =
              _mm256_fmadd_ps(combine<Passes>(sums + T * Passes, sum[T]),
                              _mm256_mul_ps(weight_scale, _mm256_set1_ps(scale[T])), totals[T])),
         ...);
    }
    float kept[Tokens][8];
    (_mm256_storeu_ps(kept[T], totals[T]), ...);
    (std::memcpy(out + static_cast<std::int64_t>(T) * stride, kept[T],
                 static_cast<std::size_t>(rows) * sizeof(float)),
     ...);
}

template <int Passes>
G4_CPU_AVX2 inline void multiply_half(const int4_panels& w, std::int64_t panel, int half,
                                      const quantised_rows& x, float* result, std::int64_t stride) {
    const std::int64_t row = panel * panel_rows + half * 8;
    const std::int64_t rows = std::min<std::int64_t>(8, w.rows - row);
    if (rows <= 0) return;
    const std::byte* scales = w.data + panel * w.panel_bytes();
    for (std::int32_t b = 0; b < x.blocks(); ++b) {
        float* out = result + std::int64_t{b} * block_tokens * stride + row;
#define G4_CPU_CASE(n)                                                      \
    case n:                                                                 \
        multiply_block<n, Passes>(w, scales, half, x, b, out, stride, rows, \
                                  std::make_index_sequence<n * Passes>{},   \
                                  std::make_index_sequence<n>{});           \
        break
        switch (x.tokens_of(b)) {
            G4_CPU_CASE(1);
            G4_CPU_CASE(2);
            G4_CPU_CASE(3);
            G4_CPU_CASE(4);
            G4_CPU_CASE(5);
            G4_CPU_CASE(6);
        }
#undef G4_CPU_CASE
    }
}

G4_CPU_AVX2 inline void int4_linear(const int4_panels& w, const quantised_rows& x, float* result,
                                    std::int64_t stride, std::int64_t first, std::int64_t last) {
    for (std::int64_t panel = first; panel < last; ++panel)
        for (int half = 0; half < 2; ++half) {
            if (x.passes == 2) multiply_half<2>(w, panel, half, x, result, stride);
            else multiply_half<1>(w, panel, half, x, result, stride);
        }
}

}  // namespace g4::cpu::avx2
#endif
