// Kernel family linear: matrix products by mma.sync on every GPU, int4 or bf16 weights, any size.
#pragma once
#include "codegen/linear/layout.hpp"
#include "g4/backends/cuda/config_text.hpp"
#include "g4/core/error.hpp"
#include "g4/emit/request.hpp"
#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

BOOST_HANA_ADAPT_STRUCT(g4k::linear_config, form, scales, group, token_tile, staged, resident,
                        row_tiles, row_warps, token_warps, column_warps, depth, span, most_blocks,
                        paired, input_count, steps, out);

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
    int most_blocks = 0;
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
    config.most_blocks = t.most_blocks;
    return config;
}

/// Shared memory that every GPU since sm_80 grants a block.
inline constexpr int general_shared_bytes = 99 * 1024;

/// For scales of the widest form and as many tokens as the tile takes: a matrix has one tiling for
/// all counts of tokens that share a tile.
inline int shared_bytes(const linear_sizes& s, const linear_tiling& t) {
    g4k::linear_config c;
    c.form = s.form;
    c.group = s.group;
    c.scales = g4k::scale_form::f32;
    return g4k::shared_bytes_of(with_tiling(c, t), t.token_tile, static_cast<int>(s.columns),
                                t.splits);
}
inline bool fits(const linear_sizes& s, const linear_tiling& t) {
    return shared_bytes(s, t) <= general_shared_bytes;
}

// The figures below: bench/gpu/linear.cpp on an H100.

/// int4, few tokens. A warp takes two units of columns when its latency is what counts, four when
/// there are rows enough to hide it; then blocks go on with further rows, two on a multiprocessor.
inline std::optional<linear_tiling> choose_resident(const linear_sizes& s, int multiprocessors) {
    constexpr int most_warps = 21, most_span = 4;  // without spills
    if (s.form != g4k::weight_form::int4) return std::nullopt;
    const int tiles = g4k::tiles_of(static_cast<int>(s.rows));
    const int units = g4k::units_of(static_cast<int>(s.columns));
    linear_tiling t{.token_tile = s.tokens <= 8 ? 8 : 16, .resident = true, .depth = 1};
    if (!s.fixed_splits) t.splits = std::max(1, g4k::divide_up(units, 2 * most_warps));
    if (t.splits > 8) return std::nullopt;
    const int share = g4k::divide_up(units, t.splits);
    const bool many_rows = tiles >= 4 * multiprocessors;
    t.span = share <= 4 ? share : many_rows ? 4 : 2;
    while (g4k::divide_up(share, t.span) > most_warps && t.span < most_span) ++t.span;
    t.column_warps = g4k::divide_up(share, t.span);
    if (t.column_warps > most_warps) return std::nullopt;
    if (many_rows) {
        t.depth = 3;
        t.most_blocks = 2 * multiprocessors;
    }
    while (!fits(s, t) && t.depth > 2) --t.depth;
    if (!fits(s, t)) {
        t.depth = 1;
        t.most_blocks = 0;
    }
    return fits(s, t) ? std::optional{t} : std::nullopt;
}

/// Few tokens, any columns whose x fits: the weights decide, and how many are on their way.
inline std::optional<linear_tiling> choose_streamed(const linear_sizes& s, int multiprocessors) {
    const bool int4 = s.form == g4k::weight_form::int4;
    const int tiles = g4k::tiles_of(static_cast<int>(s.rows));
    const int units = g4k::units_of(static_cast<int>(s.columns));
    linear_tiling t{.row_tiles = int4 ? 2 : 1, .depth = int4 ? 6 : 3, .span = int4 ? 1 : 2};
    const int blocks = g4k::divide_up(tiles, t.row_tiles);
    if (!s.fixed_splits) {
        while (t.splits < 4 && units >= 40 * t.splits && blocks * t.splits < 2 * multiprocessors)
            t.splits *= 2;
        while (t.splits < 8 && !fits(s, t)) t.splits *= 2;
    }
    while (t.column_warps > 1 && t.column_warps * t.splits * t.span > units) t.column_warps /= 2;
    if (blocks > 4 * multiprocessors && blocks < 16 * multiprocessors)
        t.most_blocks = 4 * multiprocessors;
    while (!fits(s, t) && t.depth > 2) --t.depth;
    return fits(s, t) ? std::optional{t} : std::nullopt;
}

/// Microseconds of int4 on stages: what one multiprocessor's units of rows times columns take.
inline double staged_cost(const linear_sizes& s, const linear_tiling& t, int multiprocessors) {
    const double unit = t.token_tile == 16 ? 0.031 : t.token_tile == 32 ? 0.043 : 0.077;
    const int rows = t.row_tiles * t.row_warps;
    const std::int64_t blocks =
        std::int64_t{g4k::divide_up(g4k::tiles_of(static_cast<int>(s.rows)), rows)} *
        g4k::divide_up(static_cast<int>(s.tokens), t.token_tile) * t.splits;
    const std::int64_t waves = (blocks + multiprocessors - 1) / multiprocessors;
    const int units = g4k::divide_up(g4k::units_of(static_cast<int>(s.columns)), t.splits);
    // Sums of several splits are written and read back.
    const double sums = static_cast<double>(s.tokens * s.rows) * 8 * (t.splits - 1) / 4e6;
    return 2 + unit * static_cast<double>(waves) * rows * units + 0.1 * t.splits + sums;
}

/// int4, many tokens: 16 to 20 warps in a block, and blocks as many as multiprocessors.
inline linear_tiling choose_staged_int4(const linear_sizes& s, int multiprocessors) {
    constexpr struct { int row_warps, column_warps; } shapes[]{{10, 2}, {5, 4}, {8, 2}, {4, 4}};
    linear_tiling best;
    double least = -1;
    for (const int token_tile : {16, 32, 64})
        for (const auto& shape : shapes)
            for (int splits = 1; splits <= (s.fixed_splits ? 1 : 8); ++splits) {
                const linear_tiling t{.token_tile = token_tile,
                                      .staged = true,
                                      .row_warps = shape.row_warps,
                                      .column_warps = shape.column_warps,
                                      .depth = 3,
                                      .splits = splits};
                const double cost = staged_cost(s, t, multiprocessors);
                if (splits > 1 && s.columns < 256 * splits) break;
                if (token_tile == 64 && s.group < 64) break;  // their scales do not fit registers
                if (!fits(s, t) || (least >= 0 && cost >= least)) continue;
                least = cost;
                best = t;
            }
    return best;
}

/// bf16, many tokens.
inline linear_tiling choose_staged_plain(const linear_sizes& s, int multiprocessors) {
    const int tiles = g4k::tiles_of(static_cast<int>(s.rows));
    const int units = g4k::units_of(static_cast<int>(s.columns));
    const bool many_rows = tiles >= 8 * multiprocessors;
    linear_tiling t{.token_tile = 64, .staged = true, .row_tiles = 2, .row_warps = 4,
                    .token_warps = 2, .column_warps = 1, .depth = 3};
    if (s.tokens <= 64 && !(many_rows && s.tokens > 32)) {
        t.token_tile = s.tokens <= 16 || (s.tokens <= 32 && !many_rows) ? 16 : 32;
        t.row_tiles = t.token_warps = 1;
        t.column_warps = units > 1 ? 2 : 1;
    }
    const auto blocks = [&] {
        return std::int64_t{g4k::divide_up(tiles, t.row_tiles * t.row_warps)} *
               g4k::divide_up(static_cast<int>(s.tokens), t.token_tile) * t.splits;
    };
    if (!s.fixed_splits)
        while (t.splits < 4 && blocks() < multiprocessors && units >= 16 * t.splits) t.splits *= 2;
    while (blocks() < multiprocessors && t.row_warps > 1) {
        t.row_warps /= 2;
        if (t.token_warps == 1 && units >= 4 * t.column_warps) t.column_warps *= 2;
    }
    return t;
}

/// The tiling that should take least time on so many multiprocessors.
inline linear_tiling choose_linear(const linear_sizes& s, int multiprocessors) {
    const bool few_rows = g4k::tiles_of(static_cast<int>(s.rows)) <= multiprocessors / 4;
    if (s.tokens <= 8 || (s.tokens <= 64 && few_rows)) {
        // Longer sums go better through rings that hold several row tiles.
        const bool long_sums = !s.fixed_splits && s.columns > 5120 && s.tokens <= 8;
        if (!long_sums)
            if (const auto t = choose_resident(s, multiprocessors)) return *t;
        if (s.tokens <= 8)
            if (const auto t = choose_streamed(s, multiprocessors)) return *t;
    }
    linear_tiling t = s.form == g4k::weight_form::int4 ? choose_staged_int4(s, multiprocessors)
                                                       : choose_staged_plain(s, multiprocessors);
    while (!fits(s, t) && t.depth > 2) --t.depth;
    while (!fits(s, t) && t.column_warps > 1) t.column_warps /= 2;
    return t;
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

/// Where ptxas is told so, because it spills a few bytes for the sake of a second block; larger
/// blocks it treats the better the less it knows (13.0, sm_80 to sm_120).
inline bool one_block_suffices(const g4k::linear_config& c) {
    return g4k::warps_of(c) < 16 || (g4k::warps_of(c) == 16 && c.token_tile < 64);
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
    name += concat("_t", config.token_tile,
                   config.staged ? "_staged" : config.resident ? "_resident" : "_streamed");
    return {name,
            concat("#include \"codegen/linear/linear.cuh\"\nusing namespace g4k;\n",
                   "constexpr linear_config config", literal(config), ";\n",
                   "extern \"C\" __global__ void __launch_bounds__(", 32 * g4k::warps_of(config),
                   one_block_suffices(config) ? ", 1" : "", ")\n", name,
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
    unsigned blocks = up(g4k::tiles_of(args.rows), g4k::block_tiles(config));
    if (config.most_blocks > 0)
        blocks = std::min(blocks, static_cast<unsigned>(config.most_blocks));
    return {.grid_x = blocks,
            .grid_y = up(args.tokens, config.token_tile),
            .grid_z = static_cast<unsigned>(args.splits),
            .threads = static_cast<unsigned>(32 * g4k::warps_of(config)),
            .shared_bytes = static_cast<unsigned>(shared)};
}

}  // namespace g4::cuda
