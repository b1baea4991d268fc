// Rounding one group of weights to int4: an fp16 scale, and a whole number from -8 to 7 for each.
// Source: auto-round 0.16.1, data_type/int.py, quant_tensor_rtn_sym, restated bit for bit.
#pragma once
#include "g4/core/dtype.hpp"
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

// Inlined into functions for other instruction sets, and compiled for theirs: an attribute.
#define G4_WEIGHTS_INLINE inline __attribute__((always_inline))

namespace g4 {

/// A group, part of a row: finite numbers, a multiple of 8 of them.
struct weight_group {
    const float* data = nullptr;
    std::size_t size = 0;
};

/// No scale is nearer to zero: 1e-5 as fp16, which is 168 · 2^-24, a subnormal.
inline constexpr std::uint16_t least_int4_scale = 0x00a8;
/// Weights of this size and more have a plain scale that is infinite in fp16.
inline constexpr float int4_weight_limit = 65520.0f * 8;

namespace detail {

// The compiler's own vectors: eight at a time whatever the processor's width is, so that every sum
// has the same order. Never arguments: how those are passed depends on the instruction set.
using eight_floats = float __attribute__((vector_size(32)));
using eight_doubles = double __attribute__((vector_size(64)));
using eight_words = std::uint32_t __attribute__((vector_size(32)));

/// Added and taken away again, it leaves the nearest whole number, of two the even one. For values
/// below 2^22.
inline constexpr float to_whole = 0x1.8p23f;

/// An eighth of the larger side, in fp16 and kept off zero. A negative one that rounds to zero
/// comes out positive.
constexpr std::uint16_t int4_scale(float eighth) {
    const std::uint16_t bits = float_to_f16(eighth);
    const bool negative = bits > 0x8000u;  // and not -0
    const std::uint16_t size = std::max<std::uint16_t>(bits & 0x7fffu, least_int4_scale);
    return static_cast<std::uint16_t>(negative ? 0x8000u | size : size);
}

/// Eight weights in steps of their scale, as whole numbers. The division is a true one, no product
/// with the reciprocal; limiting before rounding changes nothing, as the limits are whole.
G4_WEIGHTS_INLINE void int4_levels(const float* weights, float step, float* levels) {
    eight_floats steps;
    std::memcpy(&steps, weights, sizeof steps);
    steps = steps / step;
    steps = steps < -8.0f ? eight_floats{} - 8.0f : steps;
    steps = steps > 7.0f ? eight_floats{} + 7.0f : steps;
    steps = (steps + to_whole) - to_whole;
    std::memcpy(levels, &steps, sizeof steps);
}

}  // namespace detail

/// The scale of plain rounding to nearest: the larger side of the group lies at -8, so the scale is
/// negative when the largest weight is at least as far from zero as the smallest.
///   result  fp16 bits; infinite from int4_weight_limit on
G4_WEIGHTS_INLINE std::uint16_t plain_int4_scale(weight_group group) {
    detail::eight_floats low{}, high{};
    for (std::size_t i = 0; i < group.size; i += 8) {
        detail::eight_floats w;
        std::memcpy(&w, group.data + i, sizeof w);
        low = w < low ? w : low;
        high = w > high ? w : high;
    }
    float below = 0, above = 0;
    for (int k = 0; k < 8; ++k) {
        below = std::max(below, -low[k]);
        above = std::max(above, high[k]);
    }
    return detail::int4_scale(above < below ? below / 8 : above / -8);
}

/// Packs a group, eight nibbles (8 + whole number) a word, the first in the lowest bits.
G4_WEIGHTS_INLINE void round_int4(weight_group group, std::uint16_t scale, std::uint32_t* words) {
    const float step = f16_to_float(scale);
    constexpr detail::eight_words shifts{0, 4, 8, 12, 16, 20, 24, 28};
    for (std::size_t i = 0; i < group.size; i += 8) {
        detail::eight_floats levels;
        detail::int4_levels(group.data + i, step, reinterpret_cast<float*>(&levels));
        const auto whole = __builtin_convertvector(levels + 8.0f, detail::eight_words) << shifts;
        std::uint32_t word = 0;
        for (int k = 0; k < 8; ++k) word |= whole[k];
        words[i / 8] = word;
    }
}

/// The sum of squares of what rounding changes: weight - scale · whole number.
G4_WEIGHTS_INLINE double int4_error(weight_group group, std::uint16_t scale) {
    const float step = f16_to_float(scale);
    detail::eight_doubles sums{};
    for (std::size_t i = 0; i < group.size; i += 8) {
        detail::eight_floats w, levels;
        std::memcpy(&w, group.data + i, sizeof w);
        detail::int4_levels(group.data + i, step, reinterpret_cast<float*>(&levels));
        // the product is exact in float: 11 bits of a scale times 4 of a level
        const auto off = __builtin_convertvector(w, detail::eight_doubles) -
                         __builtin_convertvector(levels * step, detail::eight_doubles);
        sums += off * off;
    }
    double sum = 0;
    for (int k = 0; k < 8; ++k) sum += sums[k];
    return sum;
}

}  // namespace g4
