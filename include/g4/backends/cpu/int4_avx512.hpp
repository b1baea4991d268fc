// int4 linear with AVX-512 VNNI: one token streams nibbles, several unpack each group once into L1.
#pragma once
#include "g4/backends/cpu/int4_layout.hpp"
#include "g4/backends/cpu/intrinsics.hpp"
#ifdef G4_CPU_X86
#include <cstring>
#include <utility>

namespace g4::cpu::avx512 {

/// Scales of 16 rows in one group, exact.
G4_CPU_AVX512 G4_CPU_INLINE __m512 load_scales(const std::byte* scales, dtype type,
                                               std::int64_t group) {
    if (type == dtype::f32)
        return _mm512_loadu_ps(reinterpret_cast<const float*>(scales) + group * panel_rows);
    const __m256i half =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(scales + group * panel_rows * 2));
    if (type == dtype::f16) return _mm512_cvtph_ps(half);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

G4_CPU_AVX512 G4_CPU_INLINE __m512i quad(const std::int8_t* at) {
    std::int32_t four;
    std::memcpy(&four, at, 4);
    return _mm512_set1_epi32(four);
}

/// sum += the products of four unsigned and four signed bytes, in each lane.
G4_CPU_AVX512 G4_CPU_INLINE void add_products(__m512i& sum, __m512i unsigned_bytes,
                                              __m512i signed_bytes) {
#if defined(__clang__)
    sum = _mm512_dpbusd_epi32(sum, unsigned_bytes, signed_bytes);
#else
    // GCC 12 copies each of 24 sums before and behind the intrinsic: half the speed.
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(unsigned_bytes), "v"(signed_bytes));
#endif
}

/// low + 256 * high + start, as f32.
template <int Passes>
G4_CPU_AVX512 G4_CPU_INLINE __m512 combine(const __m512i* sums, std::int32_t activation_sum) {
    __m512i total = _mm512_add_epi32(sums[0], _mm512_set1_epi32(-8 * activation_sum));
    if constexpr (Passes == 2) total = _mm512_add_epi32(total, _mm512_slli_epi32(sums[1], 8));
    return _mm512_cvtepi32_ps(total);
}

// The folds below are the unrolling: GCC 12 keeps an array of sums in registers only when every
// index is a constant before its loop passes run.

/// A panel times `Tokens` tokens, straight from nibbles: bound by memory, not by unpacking.
///   V  0 .. Tokens * Passes - 1: a token's byte pass
template <int Tokens, int Passes, std::size_t... V, std::size_t... T>
G4_CPU_AVX512 G4_CPU_INLINE void stream_panel(const int4_panels& w, const std::byte* scales,
                                              const quantised_rows& x, __m512* totals,
                                              std::index_sequence<V...>,
                                              std::index_sequence<T...>) {
    constexpr int step = Tokens * Passes * 4;
    const __m512i mask = _mm512_set1_epi8(15);
    const std::byte* nibbles = scales + w.scale_bytes();
    const std::int8_t* a = x.bytes;
    for (std::int32_t g = 0; g < w.groups; ++g) {
        __m512i low[Tokens * Passes], high[Tokens * Passes];
        ((low[V] = high[V] = _mm512_setzero_si512()), ...);
        for (std::int32_t octet = 0; octet < w.group / 8; ++octet, nibbles += 64, a += 2 * step) {
            // Far ahead into L2, where more reads may be under way than L1 allows, then into L1.
            _mm_prefetch(reinterpret_cast<const char*>(nibbles) + 8192, _MM_HINT_T1);
            _mm_prefetch(reinterpret_cast<const char*>(nibbles) + 2048, _MM_HINT_T0);
            const __m512i word = _mm512_load_si512(nibbles);
            const __m512i first = _mm512_and_si512(word, mask);
            const __m512i second = _mm512_and_si512(_mm512_srli_epi16(word, 4), mask);
            (add_products(low[V], first, quad(a + 4 * V)), ...);
            (add_products(high[V], second, quad(a + step + 4 * V)), ...);
        }
        ((low[V] = _mm512_add_epi32(low[V], high[V])), ...);
        const __m512 weight_scale = load_scales(scales, w.scale_type, g);
        const float* scale = x.scales + std::int64_t{g} * Tokens;
        const std::int32_t* sum = x.sums + std::int64_t{g} * Tokens;
        ((totals[T] =
              _mm512_fmadd_ps(combine<Passes>(low + T * Passes, sum[T]),
                              _mm512_mul_ps(weight_scale, _mm512_set1_ps(scale[T])), totals[T])),
         ...);
    }
}

G4_CPU_AVX512 G4_CPU_INLINE __mmask16 rows_left(const int4_panels& w, std::int64_t panel) {
    const std::int64_t left = w.rows - panel * panel_rows;
    if (left <= 0) return 0;
    return static_cast<__mmask16>(left >= panel_rows ? 0xffffu : (1u << left) - 1u);
}

template <int Tokens, int Passes, std::size_t... T>
G4_CPU_AVX512 inline void stream(const int4_panels& w, const quantised_rows& x, float* result,
                                 std::int64_t stride, std::int64_t first, std::int64_t last,
                                 std::index_sequence<T...> tokens) {
    for (std::int64_t panel = first; panel < last; ++panel) {
        __m512 totals[Tokens];
        ((totals[T] = _mm512_setzero_ps()), ...);
        stream_panel<Tokens, Passes>(w, w.data + panel * w.panel_bytes(), x, totals,
                                     std::make_index_sequence<Tokens * Passes>{}, tokens);
        const __mmask16 mask = rows_left(w, panel);
        (_mm512_mask_storeu_ps(result + static_cast<std::int64_t>(T) * stride + panel * panel_rows,
                               mask, totals[T]),
         ...);
    }
}

/// The nibbles of one group of two panels as bytes: [group / 4][2][64].
G4_CPU_AVX512 inline void unpack_group(const std::byte* one, const std::byte* two,
                                       std::int32_t group, std::byte* bytes) {
    const __m512i mask = _mm512_set1_epi8(15);
    for (std::int32_t octet = 0; octet < group / 8; ++octet, one += 64, two += 64, bytes += 256) {
        const __m512i a = _mm512_load_si512(one), b = _mm512_load_si512(two);
        _mm512_store_si512(bytes, _mm512_and_si512(a, mask));
        _mm512_store_si512(bytes + 64, _mm512_and_si512(b, mask));
        _mm512_store_si512(bytes + 128, _mm512_and_si512(_mm512_srli_epi16(a, 4), mask));
        _mm512_store_si512(bytes + 192, _mm512_and_si512(_mm512_srli_epi16(b, 4), mask));
    }
}

G4_CPU_AVX512 G4_CPU_INLINE void add_to_both(__m512i& one, __m512i& two, __m512i w_one,
                                             __m512i w_two, __m512i x) {
    add_products(one, w_one, x);
    add_products(two, w_two, x);
}

/// One group of 32 rows times a block of tokens, added to totals [token][32].
template <int Tokens, int Passes, std::size_t... V, std::size_t... T>
G4_CPU_AVX512 inline void multiply_block(const std::byte* bytes, std::int32_t group,
                                         const std::int8_t* a, const float* scale,
                                         const std::int32_t* sum, __m512 scale_one,
                                         __m512 scale_two, float* totals, std::index_sequence<V...>,
                                         std::index_sequence<T...>) {
    __m512i one[Tokens * Passes], two[Tokens * Passes];
    ((one[V] = two[V] = _mm512_setzero_si512()), ...);
    for (std::int32_t k = 0; k < group / 4; ++k, bytes += 128, a += Tokens * Passes * 4) {
        const __m512i w_one = _mm512_load_si512(bytes), w_two = _mm512_load_si512(bytes + 64);
        (add_to_both(one[V], two[V], w_one, w_two, quad(a + 4 * V)), ...);
    }
    ((_mm512_store_ps(totals + 32 * T,
                      _mm512_fmadd_ps(combine<Passes>(one + T * Passes, sum[T]),
                                      _mm512_mul_ps(scale_one, _mm512_set1_ps(scale[T])),
                                      _mm512_load_ps(totals + 32 * T))),
      _mm512_store_ps(totals + 32 * T + 16,
                      _mm512_fmadd_ps(combine<Passes>(two + T * Passes, sum[T]),
                                      _mm512_mul_ps(scale_two, _mm512_set1_ps(scale[T])),
                                      _mm512_load_ps(totals + 32 * T + 16)))),
     ...);
}

template <int Passes>
G4_CPU_AVX512 inline void multiply_tokens(std::int32_t tokens, const std::byte* bytes,
                                          std::int32_t group, const std::int8_t* a,
                                          const float* scale, const std::int32_t* sum,
                                          __m512 scale_one, __m512 scale_two, float* totals) {
#define G4_CPU_CASE(n)                                                                      \
    case n:                                                                                 \
        return multiply_block<n, Passes>(bytes, group, a, scale, sum, scale_one, scale_two, \
                                         totals, std::make_index_sequence<n * Passes>{},    \
                                         std::make_index_sequence<n>{})
    switch (tokens) {
        G4_CPU_CASE(1);
        G4_CPU_CASE(2);
        G4_CPU_CASE(3);
        G4_CPU_CASE(4);
        G4_CPU_CASE(5);
        G4_CPU_CASE(6);
    }
#undef G4_CPU_CASE
}

/// Blocks of tokens that share an unpacked group: their totals (128 bytes a token) stay in L1,
/// their activations in L2.
inline constexpr std::int32_t tile_blocks = 16;

/// Two panels times blocks [first_block, last_block). `two` may be `one`: then only one is stored.
template <int Passes>
G4_CPU_AVX512 inline void multiply_pair(const int4_panels& w, const quantised_rows& x,
                                        float* result, std::int64_t stride, std::int64_t panel,
                                        bool pair, std::int32_t first_block,
                                        std::int32_t last_block) {
    alignas(64) std::byte bytes[max_panel_group * 32];
    alignas(64) float totals[tile_blocks * block_tokens * 32];
    const std::byte* one = w.data + panel * w.panel_bytes();
    const std::byte* two = pair ? one + w.panel_bytes() : one;
    const std::int32_t first_token = first_block * block_tokens;
    const std::int32_t tokens = std::min(last_block * block_tokens, x.tokens) - first_token;
    std::memset(totals, 0, static_cast<std::size_t>(tokens) * 128);
    for (std::int32_t g = 0; g < w.groups; ++g) {
        const std::int64_t at = w.scale_bytes() + std::int64_t{g} * w.group * 8;
        unpack_group(one + at, two + at, w.group, bytes);
        const __m512 scale_one = load_scales(one, w.scale_type, g);
        const __m512 scale_two = load_scales(two, w.scale_type, g);
        for (std::int32_t b = first_block; b < last_block; ++b) {
            const std::int32_t n = x.tokens_of(b);
            const std::int64_t scales = x.scales_before(b) + std::int64_t{g} * n;
            multiply_tokens<Passes>(
                n, bytes, w.group,
                x.bytes + x.bytes_before(b) + std::int64_t{g} * w.group * n * Passes,
                x.scales + scales, x.sums + scales, scale_one, scale_two,
                totals + (b - first_block) * block_tokens * 32);
        }
    }
    const __mmask16 mask_one = rows_left(w, panel);
    const __mmask16 mask_two = pair ? rows_left(w, panel + 1) : __mmask16{0};
    float* out = result + first_token * stride + panel * panel_rows;
    for (std::int32_t t = 0; t < tokens; ++t, out += stride) {
        _mm512_mask_storeu_ps(out, mask_one, _mm512_load_ps(totals + 32 * t));
        _mm512_mask_storeu_ps(out + 16, mask_two, _mm512_load_ps(totals + 32 * t + 16));
    }
}

template <int Passes>
G4_CPU_AVX512 inline void multiply(const int4_panels& w, const quantised_rows& x, float* result,
                                   std::int64_t stride, std::int64_t first, std::int64_t last) {
    for (std::int32_t b = 0; b < x.blocks(); b += tile_blocks)
        for (std::int64_t panel = first; panel < last; panel += 2)
            multiply_pair<Passes>(w, x, result, stride, panel, panel + 1 < last, b,
                                  std::min(b + tile_blocks, x.blocks()));
}

/// Few tokens stream; more repay the unpacking.
template <int Passes>
G4_CPU_AVX512 inline void multiply_or_stream(const int4_panels& w, const quantised_rows& x,
                                             float* result, std::int64_t stride, std::int64_t first,
                                             std::int64_t last) {
#define G4_CPU_CASE(n) \
    case n:            \
        return stream<n, Passes>(w, x, result, stride, first, last, std::make_index_sequence<n>{})
    switch (x.tokens) {
        G4_CPU_CASE(1);
        G4_CPU_CASE(2);
        G4_CPU_CASE(3);
        G4_CPU_CASE(4);
    }
#undef G4_CPU_CASE
    multiply<Passes>(w, x, result, stride, first, last);
}

G4_CPU_AVX512 inline void int4_linear(const int4_panels& w, const quantised_rows& x, float* result,
                                      std::int64_t stride, std::int64_t first, std::int64_t last) {
    if (x.passes == 2) multiply_or_stream<2>(w, x, result, stride, first, last);
    else multiply_or_stream<1>(w, x, result, stride, first, last);
}

}  // namespace g4::cpu::avx512
#endif
