// int4 linear in plain loops: any processor, and what the other variants are tested against.
#pragma once
#include "g4/backends/cpu/int4_layout.hpp"
#include <cmath>
#include <cstring>

namespace g4::cpu::portable {

/// Σ a · nibble over one group, for 16 rows and one token.
inline void dot_group(const std::byte* nibbles, const std::int8_t* a, std::int32_t stride,
                      std::int32_t passes, std::int32_t group, std::int32_t* sums) {
    for (std::int32_t octet = 0; octet < group / 8; ++octet) {
        for (std::int32_t half = 0; half < 2; ++half, a += stride) {
            std::int32_t x[4];
            for (int j = 0; j < 4; ++j) x[j] = passes == 2 ? a[j] + 256 * a[4 + j] : a[j];
            const std::byte* words = nibbles + octet * 64;
            for (int row = 0; row < panel_rows; ++row)
                for (int j = 0; j < 4; ++j) {
                    const int pair = std::to_integer<int>(words[row * 4 + j]);
                    sums[row] += x[j] * (half == 0 ? pair & 15 : pair >> 4);
                }
        }
    }
}

inline void int4_linear(const int4_panels& w, const quantised_rows& x, float* result,
                        std::int64_t stride, std::int64_t first, std::int64_t last) {
    for (std::int64_t panel = first; panel < last; ++panel) {
        const std::byte* scales = w.data + panel * w.panel_bytes();
        const std::byte* nibbles = scales + w.scale_bytes();
        const std::int64_t rows = std::min<std::int64_t>(panel_rows, w.rows - panel * panel_rows);
        for (std::int32_t token = 0; token < x.tokens; ++token) {
            const std::int32_t block = token / block_tokens, at = token % block_tokens;
            const std::int32_t n = x.tokens_of(block);
            const std::int8_t* bytes = x.bytes + x.bytes_before(block) + at * x.passes * 4;
            float sums[panel_rows]{};
            for (std::int32_t g = 0; g < w.groups; ++g) {
                const std::int64_t place = x.scales_before(block) + std::int64_t{g} * n + at;
                std::int32_t dots[panel_rows];
                std::fill_n(dots, panel_rows, -8 * x.sums[place]);
                dot_group(nibbles + std::int64_t{g} * w.group * 8,
                          bytes + std::int64_t{g} * w.group * n * x.passes, n * x.passes * 4,
                          x.passes, w.group, dots);
                for (int r = 0; r < panel_rows; ++r)
                    sums[r] += static_cast<float>(dots[r]) *
                               (element_to_float(scales, w.scale_type,
                                                 static_cast<std::size_t>(g * panel_rows + r)) *
                                x.scales[place]);
            }
            std::copy_n(sums, rows, result + token * stride + panel * panel_rows);
        }
    }
}

}  // namespace g4::cpu::portable
