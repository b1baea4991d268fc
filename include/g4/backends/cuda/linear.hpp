// Kernel family linear: matrix products by mma.sync on every GPU, int4 or bf16 weights, any size.
#pragma once
#include "codegen/linear/layout.hpp"
#include "g4/backends/cuda/config_text.hpp"
#include "g4/core/error.hpp"
#include "g4/emit/request.hpp"
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

BOOST_HANA_ADAPT_STRUCT(g4k::linear_config, form, scales, group, token_tile, staged, resident,
                        row_tiles, row_warps, token_warps, column_warps, depth, span, paired, input_count,
                        steps, out);

namespace g4k {

constexpr auto spellings(weight_form) {
    return std::array<std::string_view, 2>{"weight_form::plain_bf16", "weight_form::int4"};
}
constexpr auto spellings(scale_form) {
    return std::array<std::string_view, 3>{"scale_form::f16", "scale_form::bf16",
                                           "scale_form::f32"};
}

}  // namespace g4k

namespace g4::cuda {

/// What decides how a product is cut. `fixed_splits`: its steps are not empty or its result is
/// bf16, so that one block must see a whole sum.
struct linear_sizes {
    g4k::weight_form form = g4k::weight_form::plain_bf16;
    int group = 0;
    std::int64_t tokens = 0, rows = 0, columns = 0;
    bool fixed_splits = false;
};

/// How a product is cut: the fields of linear_config of these names, and blocks that share columns.
struct linear_tiling {
    int token_tile = 8;
    bool staged = false, resident = false;
    int row_tiles = 1, row_warps = 1, token_warps = 1, column_warps = 4, depth = 8, span = 1;
    int splits = 1;
    friend bool operator==(const linear_tiling&, const linear_tiling&) = default;
};

/// A config of this tiling; what else it computes is the caller's.
constexpr g4k::linear_config with_tiling(g4k::linear_config config, const linear_tiling& t) {
    config.token_tile = t.token_tile;
    config.staged = t.staged;
    config.resident = t.resident;
    config.row_tiles = t.row_tiles;
    config.row_warps = t.row_warps;
    config.token_warps = t.token_warps;
    config.column_warps = t.column_warps;
    config.depth = t.depth;
    config.span = t.span;
    return config;
}

/// Shared memory that every GPU since sm_80 grants a block.
inline constexpr int general_shared_bytes = 99 * 1024;

inline int shared_bytes(const linear_sizes& s, const linear_tiling& t) {
    g4k::linear_config c;
    c.form = s.form;
    c.group = s.group;
    c.scales = g4k::scale_form::f32;
    return g4k::shared_bytes_of(with_tiling(c, t), static_cast<int>(s.tokens),
                                static_cast<int>(s.columns), t.splits);
}

/// Few tokens: the weights decide, and how many of them are on their way at once.
inline linear_tiling choose_streamed(const linear_sizes& s, int multiprocessors) {
    const bool int4 = s.form == g4k::weight_form::int4;
    const int tiles = g4k::tiles_of(static_cast<int>(s.rows));
    const int units = g4k::units_of(static_cast<int>(s.columns));
    linear_tiling t;
    t.token_tile = s.tokens <= 8 ? 8 : 16;
    t.row_tiles = s.tokens > 4 && tiles >= 2 * multiprocessors ? 2 : 1;
    t.column_warps = 4;
    const std::int64_t blocks = g4k::divide_up(tiles, t.row_tiles);
    if (!s.fixed_splits)
        while (t.splits < 8 && units >= 64 * t.splits && blocks * t.splits < 4 * multiprocessors)
            t.splits *= 2;
    const int slice = g4k::divide_up(units, t.splits);
    if (blocks * t.splits < 2 * multiprocessors && slice >= 32 && s.tokens <= 8)
        t.column_warps = 8;
    while (t.column_warps > 1 && t.column_warps > slice) t.column_warps /= 2;
    const int each = g4k::divide_up(slice, t.column_warps);
    t.depth = std::max(2, std::min(each + 1, (int4 ? 10 : 4) / t.row_tiles));
    while (shared_bytes(s, t) > general_shared_bytes && t.depth > 2) --t.depth;
    return t;
}

/// Many tokens: tiles large enough for the tensor cores, small enough that every multiprocessor
/// gets some.
inline linear_tiling choose_staged(const linear_sizes& s, int multiprocessors) {
    const int tiles = g4k::tiles_of(static_cast<int>(s.rows));
    const int units = g4k::units_of(static_cast<int>(s.columns));
    const bool int4 = s.form == g4k::weight_form::int4;
    linear_tiling t{.staged = true};
    t.token_tile = s.tokens <= 16 ? 16 : s.tokens <= 32 ? 32 : s.tokens <= 64 ? 64 : 128;
    t.row_tiles = t.token_tile >= 64 ? 2 : 1;
    t.row_warps = 4;
    t.token_warps = t.token_tile == 128 ? 2 : 1;
    t.column_warps = t.token_tile == 128 || units < 2 ? 1 : 2;
    t.depth = int4 && t.token_tile < 128 ? 4 : 3;
    const auto blocks = [&] {
        return static_cast<std::int64_t>(g4k::divide_up(tiles, t.row_tiles * t.row_warps)) *
               g4k::divide_up(static_cast<int>(s.tokens), t.token_tile);
    };
    if (!s.fixed_splits)
        while (t.splits < 8 && blocks() * t.splits < 2 * multiprocessors && units >= 16 * t.splits)
            t.splits *= 2;
    while (blocks() * t.splits < multiprocessors && t.row_warps > 1) {
        t.row_warps /= 2;
        if (t.token_tile <= 64 && units >= 4 * t.column_warps) t.column_warps *= 2;
    }
    while (shared_bytes(s, t) > general_shared_bytes && t.depth > 2) --t.depth;
    while (shared_bytes(s, t) > general_shared_bytes) t.column_warps /= 2;
    return t;
}

inline linear_tiling choose_linear(const linear_sizes& s, int multiprocessors) {
    if (s.tokens <= 8) {
        const linear_tiling t = choose_streamed(s, multiprocessors);
        if (shared_bytes(s, t) <= general_shared_bytes) return t;  // else x is too long to stay
    }
    return choose_staged(s, multiprocessors);
}

/// Throws internal_error, in words, for a config that no kernel is made for.
inline void check_linear(const g4k::linear_config& c) {
    const auto expect = [](bool holds, const char* what) {
        if (!holds) throw internal_error{"linear: expected ", what};
    };
    expect(c.form == g4k::weight_form::plain_bf16 ||
               (c.group >= 16 && c.group == g4k::device_group(c.group)),
           "groups of 16, 32, 64 or 128 columns");
    expect(c.token_tile % (8 * c.token_warps) == 0, "whole tiles of 8 tokens a warp");
    expect(c.staged || (c.row_warps == 1 && c.token_warps == 1),
           "a streamed block of column warps");
    expect(c.depth >= (c.resident ? 1 : 2), "a ring of at least two entries");
    expect(!c.resident || (!c.staged && c.form == g4k::weight_form::int4), "resident int4");
    expect(c.row_tiles >= 1 && g4k::warps_of(c) <= 32, "at most 1024 threads");
    expect(!c.paired || c.steps[0].op != g4k::step_op::end, "steps that join a pair");
    expect(c.input_count <= 2, "at most two inputs");
}

inline kernel_request linear_request(const g4k::linear_config& config) {
    check_linear(config);
    const bool int4 = config.form == g4k::weight_form::int4;
    std::string name = concat("g4_linear_", int4 ? concat("int4_g", config.group) : "bf16",
                              config.paired ? "_gate_up" : "");
    constexpr std::string_view steps[]{"",    "_gelu",  "_silu",    "_add",  "_mul",
                                       "_by", "_scale", "_softcap", "_norm", "_rope"};
    for (const g4k::step& s : config.steps) name += steps[static_cast<std::size_t>(s.op)];
    if (config.out == g4k::number_type::f32) name += "_f32";
    name += concat("_t", config.token_tile, config.staged ? "_staged" : config.resident ? "_resident" : "");
    return {name,
            concat("#include \"codegen/linear/linear.cuh\"\nusing namespace g4k;\n",
                   "constexpr linear_config config", literal(config), ";\n",
                   "extern \"C\" __global__ void __launch_bounds__(", 32 * g4k::warps_of(config),
                   ")\n", name,
                   "(const __grid_constant__ linear_args args) { linear<config>(args); }\n")};
}

/// Errors: internal_error when the tiling needs more shared memory than general kernels may.
inline launch_shape linear_shape(const g4k::linear_config& config, const g4k::linear_args& args) {
    const int shared = g4k::shared_bytes_of(config, args.tokens, args.columns, args.splits);
    if (shared > general_shared_bytes)
        throw internal_error{"linear: expected at most ", general_shared_bytes,
                             " bytes of shared memory, got ", shared, " for ", args.tokens,
                             " tokens, ", args.columns, " columns, ", literal(config)};
    const auto up = [](int n, int by) { return static_cast<unsigned>(g4k::divide_up(n, by)); };
    return {.grid_x = up(g4k::tiles_of(args.rows), g4k::block_tiles(config)),
            .grid_y = up(args.tokens, config.token_tile),
            .grid_z = static_cast<unsigned>(args.splits),
            .threads = static_cast<unsigned>(32 * g4k::warps_of(config)),
            .shared_bytes = static_cast<unsigned>(shared)};
}

}  // namespace g4::cuda
