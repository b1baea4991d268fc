// From a checkpoint's int4 layout to panels.
#pragma once
#include "g4/backends/cpu/int4_layout.hpp"
#include "g4/core/error.hpp"
#include "g4/gate/weights.hpp"
#include <cstring>
#include <string_view>

namespace g4::cpu {

/// The longest group up to 128 that divides `group`, which itself when it fits a panel.
constexpr std::int32_t panel_group_of(std::int32_t group) {
    if (group <= max_panel_group) return group;
    for (std::int32_t divisor = 128; divisor >= 32; divisor -= 32)
        if (group % divisor == 0) return divisor;
    return 32;
}

/// The shape of a matrix once packed, without memory: bytes() says how much it takes.
/// Errors: input_error for a group that is no multiple of 32, or columns no multiple of 8.
inline int4_panels panels_of(const weight& from, std::string_view name) {
    if (from.group < 32 || from.group % 32 != 0)
        throw input_error{"cpu: ", name, ": expected a group of a multiple of 32, got ",
                          from.group};
    if (from.columns % 8 != 0)
        throw input_error{"cpu: ", name, ": expected columns in eights, got ", from.columns};
    int4_panels out;
    out.rows = from.rows;
    out.columns = from.columns;
    out.group = panel_group_of(from.group);
    out.groups = static_cast<std::int32_t>((from.columns + out.group - 1) / out.group);
    out.scale_type = from.scale_type;
    return out;
}

namespace detail {

/// Nibbles n0 .. n7 of a word to bytes n_j | n_(j + 4) << 4.
constexpr std::uint32_t interleave(std::uint32_t word) {
    const auto spread = [](std::uint32_t four) {
        four = (four | four << 8) & 0x00ff00ffu;
        return (four | four << 4) & 0x0f0f0f0fu;
    };
    return spread(word & 0xffffu) | spread(word >> 16) << 4;
}

inline void pack_scales(const weight& from, const int4_panels& shape, std::int64_t panel,
                        std::byte* to) {
    const std::size_t size = static_cast<std::size_t>(bytes_of(shape.scale_type));
    const std::int64_t first = panel * panel_rows;
    const std::int64_t rows = std::min<std::int64_t>(panel_rows, from.rows - first);
    for (std::int32_t g = 0; g < shape.groups; ++g) {
        const std::int64_t source = std::int64_t{g} * shape.group / from.group;
        std::memcpy(to + static_cast<std::size_t>(g) * panel_rows * size,
                    from.scales + static_cast<std::size_t>(source * from.rows + first) * size,
                    static_cast<std::size_t>(rows) * size);
    }
}

}  // namespace detail

/// Fills panels [first, last) of `to`, which is all of the matrix; panels may be packed in
/// parallel.
inline void pack_panels(const weight& from, const int4_panels& shape, std::byte* to,
                        std::int64_t first, std::int64_t last) {
    for (std::int64_t panel = first; panel < last; ++panel) {
        std::byte* out = to + panel * shape.panel_bytes();
        const std::int64_t row = panel * panel_rows;
        const std::int64_t rows = std::min<std::int64_t>(panel_rows, from.rows - row);
        const bool padded =
            rows < panel_rows || shape.columns < std::int64_t{shape.groups} * shape.group;
        std::memset(out, 0,
                    static_cast<std::size_t>(padded ? shape.panel_bytes() : shape.scale_bytes()));
        detail::pack_scales(from, shape, panel, out);
        out += shape.scale_bytes();
        for (std::int64_t octet = 0; octet < from.columns / 8; ++octet, out += 64) {
            std::uint32_t words[panel_rows]{};
            std::memcpy(words, from.data + (octet * from.rows + row) * 4,
                        static_cast<std::size_t>(rows) * 4);
            for (std::uint32_t& word : words) word = detail::interleave(word);
            std::memcpy(out, words, sizeof words);
        }
    }
}

}  // namespace g4::cpu
