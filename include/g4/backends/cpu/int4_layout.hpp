// How int4 weights and fixed-point activations lie in memory: the one layout that all kernels read.
#pragma once
#include "g4/core/dtype.hpp"
#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace g4::cpu {

/// Rows of a panel: one 512-bit register of 32-bit sums.
inline constexpr std::int32_t panel_rows = 16;
/// Tokens of a block of activations: with two byte passes, twelve sums for each of two panels.
inline constexpr std::int32_t block_tokens = 6;
/// The longest group a panel has; longer ones of a file are split and their scale repeated.
inline constexpr std::int32_t max_panel_group = 256;

/// A packed matrix: panels of 16 rows, one behind the other. A panel is its scales, then its
/// nibbles, both from a multiple of 64 bytes:
///   scales   scale_type [groups][16]
///   nibbles  [groups][group / 8][16] words; byte j of a word holds columns j (low) and j + 4
///            (high) of its eight, so one `and` gives four unsigned bytes for vpdpbusd
/// Rows past `rows` have scale 0, columns past `columns` the activation 0.
struct int4_panels {
    const std::byte* data = nullptr;
    std::int64_t rows = 0, columns = 0;
    std::int32_t group = 0, groups = 0;
    dtype scale_type = dtype::f16;

    constexpr std::int64_t count() const { return (rows + panel_rows - 1) / panel_rows; }
    constexpr std::int64_t scale_bytes() const {
        const std::int64_t bytes = std::int64_t{groups} * panel_rows * bytes_of(scale_type);
        return (bytes + 63) / 64 * 64;
    }
    constexpr std::int64_t nibble_bytes() const {
        return std::int64_t{groups} * group * panel_rows / 2;
    }
    constexpr std::int64_t panel_bytes() const { return scale_bytes() + nibble_bytes(); }
    constexpr std::int64_t bytes() const { return count() * panel_bytes(); }
};

/// Activations as whole numbers: x[t, c] = scale[t, c / group] * a, where
///   passes 2: a = 256 * high + low, both signed bytes: 16-bit fixed point, |a| <= 127 * 256
///   passes 1: a is a signed byte
/// In blocks of 6 tokens; the last may have fewer. A block of n tokens:
///   bytes   [groups][group / 4][n][passes][4], low before high
///   scales  [groups][n]; sums [groups][n], of a over the group
struct quantised_rows {
    const std::int8_t* bytes = nullptr;
    const float* scales = nullptr;
    const std::int32_t* sums = nullptr;
    std::int32_t tokens = 0, passes = 2, group = 0, groups = 0;

    constexpr std::int32_t blocks() const { return (tokens + block_tokens - 1) / block_tokens; }
    constexpr std::int32_t tokens_of(std::int32_t block) const {
        return std::min(block_tokens, tokens - block * block_tokens);
    }
    constexpr std::int64_t bytes_before(std::int32_t block) const {
        return std::int64_t{block} * block_tokens * passes * group * groups;
    }
    constexpr std::int64_t scales_before(std::int32_t block) const {
        return std::int64_t{block} * block_tokens * groups;
    }
};

/// y[t, r] = Σ of groups of (Σ a · nibble − 8 · Σ a) · (scale · activation scale): inner sums
/// exact in integers, the outer ones f32 in the order of the groups: the same bits for one token
/// and for many.
///   result  [tokens] rows of `stride` floats, from column 0 = row 0 of the matrix
///   first, last  panels
using int4_kernel = void (*)(const int4_panels& weights, const quantised_rows& x, float* result,
                             std::int64_t stride, std::int64_t first, std::int64_t last);

}  // namespace g4::cpu
