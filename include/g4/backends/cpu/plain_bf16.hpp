// Plain bf16 linear by AVX512-BF16: activations rounded to bf16, two products an instruction.
#pragma once
#include "g4/backends/cpu/intrinsics.hpp"
#include "g4/backends/cpu/plain_linear.hpp"
#ifdef G4_CPU_X86

namespace g4::cpu::bf16 {

// Activations are bf16 here: a row fills the first half of what an arranged row takes. Products are
// exact, sums f32; subnormal operands count as zero.

inline constexpr int tile_rows = 4, tile_tokens = 5;

G4_CPU_BF16 G4_CPU_INLINE __m512i load(const std::byte* at) { return _mm512_loadu_si512(at); }
G4_CPU_BF16 G4_CPU_INLINE __m512 dot(__m512 sum, __m512i a, __m512i b) {
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}

template <std::size_t... R>
G4_CPU_BF16 G4_CPU_INLINE void add_token(__m512* sums, const __m512i* w, const std::byte* x,
                                         std::index_sequence<R...>) {
    const __m512i pairs = load(x);
    ((sums[R] = dot(sums[R], w[R], pairs)), ...);
}

template <bool Ahead, std::size_t... R, std::size_t... T>
G4_CPU_BF16 G4_CPU_INLINE void add_step(__m512* sums, const std::byte* w, std::int64_t w_stride,
                                        const std::byte* x, std::int64_t x_stride,
                                        std::index_sequence<R...> rows, std::index_sequence<T...>) {
    // The next tile's rows: see plain_kernels.inc.
    if constexpr (Ahead && sizeof...(T) == 1)
        (avx512::prefetch(w + static_cast<std::int64_t>(R + sizeof...(R)) * w_stride), ...);
    const __m512i weights[]{load(w + static_cast<std::int64_t>(R) * w_stride)...};
    (add_token(sums + T * sizeof...(R), weights, x + static_cast<std::int64_t>(T) * x_stride, rows),
     ...);
}

template <int Rows, int Tokens, std::size_t... I>
G4_CPU_BF16 inline void dot_tile(const std::byte* w, std::int64_t w_stride, std::int64_t columns,
                                 const std::byte* x, std::int64_t x_stride, float* out,
                                 std::int64_t out_stride, std::index_sequence<I...>) {
    constexpr auto rows = std::make_index_sequence<Rows>{};
    constexpr auto tokens = std::make_index_sequence<Tokens>{};
    __m512 sums[Rows * Tokens];
    ((sums[I] = _mm512_setzero_ps()), ...);
    std::int64_t c = 0;
    for (; c + 32 <= columns; c += 32, w += 64, x += 64)
        add_step<true>(sums, w, w_stride, x, x_stride, rows, tokens);
    if (c < columns) {
        std::byte part[Rows * 64]{};
        for (int r = 0; r < Rows; ++r)
            std::memcpy(part + r * 64, w + r * w_stride, static_cast<std::size_t>(columns - c) * 2);
        add_step<false>(sums, part, 64, x, x_stride, rows, tokens);
    }
    ((out[static_cast<std::int64_t>(I / Rows) * out_stride + static_cast<std::int64_t>(I % Rows)] =
          avx512::sum_of(sums[I])),
     ...);
}

template <int Rows>
G4_CPU_BF16 inline void row_band(const std::byte* w, std::int64_t w_stride, std::int64_t columns,
                                 const std::byte* x, std::int64_t x_stride, std::int32_t tokens,
                                 float* out, std::int64_t out_stride) {
    std::int32_t t = 0;
    for (; t + tile_tokens <= tokens; t += tile_tokens)
        dot_tile<Rows, tile_tokens>(w, w_stride, columns, x + t * x_stride, x_stride,
                                    out + t * out_stride, out_stride,
                                    std::make_index_sequence<Rows * tile_tokens>{});
    for (; t < tokens; ++t)
        dot_tile<Rows, 1>(w, w_stride, columns, x + t * x_stride, x_stride, out + t * out_stride,
                          out_stride, std::make_index_sequence<Rows>{});
}

G4_CPU_BF16 inline void multiply_bf16(const plain_matrix& w, const plain_rows& x, float* result,
                                      std::int64_t stride, std::int64_t first, std::int64_t last) {
    const std::int64_t w_stride = w.columns * 2, x_stride = x.stride * 4;
    const std::int64_t fitting = (std::int64_t{1} << 17) / x.stride / tile_tokens * tile_tokens;
    const std::int32_t batch =
        static_cast<std::int32_t>(std::max<std::int64_t>(fitting, tile_tokens));
    for (std::int32_t t = 0; t < x.tokens; t += batch) {
        const std::int32_t tokens = std::min(batch, x.tokens - t);
        const std::byte* from = reinterpret_cast<const std::byte*>(x.data + t * x.stride);
        float* to = result + t * stride;
        std::int64_t r = first;
        // One token waits for memory alone, and one long stream is what the hardware reads best.
        for (; tokens > 1 && r + tile_rows <= last; r += tile_rows)
            row_band<tile_rows>(w.data + r * w_stride, w_stride, w.columns, from, x_stride, tokens,
                                to + r, stride);
        for (; r < last; ++r)
            row_band<1>(w.data + r * w_stride, w_stride, w.columns, from, x_stride, tokens, to + r,
                        stride);
    }
}

/// Other types than bf16 take the f32 kernels.
G4_CPU_AVX512 inline void plain_linear(const plain_matrix& w, const plain_rows& x, float* result,
                                       std::int64_t stride, std::int64_t first, std::int64_t last) {
    if (w.type == dtype::bf16) multiply_bf16(w, x, result, stride, first, last);
    else avx512::plain_linear(w, x, result, stride, first, last);
}

G4_CPU_AVX512 inline void arrange(const float* x, std::int64_t columns, dtype type, float* to) {
    if (type != dtype::bf16) return avx512::arrange(x, columns, type, to);
    std::byte* out = reinterpret_cast<std::byte*>(to);
    for (std::int64_t c = 0; c < columns; c += 16, out += 32) {
        alignas(64) float part[16]{};
        std::memcpy(part, x + c,
                    static_cast<std::size_t>(std::min<std::int64_t>(16, columns - c)) * 4);
        avx512::store_bf16(out, avx512::load(part));
    }
    const std::int64_t written = (columns + 15) / 16 * 32;
    std::memset(out, 0, static_cast<std::size_t>(arranged_columns(columns) * 2 - written));
}

inline constexpr plain_kernels plain_of_this_isa{arrange, plain_linear};

}  // namespace g4::cpu::bf16
#endif
