// Kernel family gemm: matrix products for many tokens on sm_90, bf16 by wgmma and the copy engine.
#pragma once
#include "codegen/gemm/config.hpp"
#include "g4/backends/cuda/config_text.hpp"
#include "g4/core/error.hpp"
#include "g4/emit/request.hpp"
#include "g4/emit/tiled_array.hpp"
#include <algorithm>
#include <cstdint>
#include <string>

BOOST_HANA_ADAPT_STRUCT(g4k::gemm_config, row_tile, lead, cluster, paired, input_count, steps, out);

namespace g4::cuda {

/// y[tokens, rows] = x[tokens, columns] · w[rows, columns]ᵀ, rows of x x_stride elements apart.
struct gemm_sizes {
    std::int64_t tokens = 0, rows = 0, columns = 0, x_stride = 0;
};

/// Why this family does not take a product, in words; empty: it does. Every other size is taken:
/// odd numbers of tokens and rows are masked, columns beyond the last read as zero.
inline std::string gemm_refuses(const gemm_sizes& s) {
    if (s.columns % 8 != 0)
        return concat("gemm: expected columns in multiples of 8 (16 bytes), got ", s.columns);
    if (s.x_stride % 8 != 0)
        return concat("gemm: expected rows of x 16-byte aligned, got a stride of ", s.x_stride,
                      " elements");
    if (std::max({s.tokens, s.rows, s.columns}) >= std::int64_t{1} << 31)
        return concat("gemm: expected sizes below 2^31, got ", s.tokens, " x ", s.rows, " x ",
                      s.columns);
    return {};
}

/// Tiles and how many blocks share the columns of one.
struct gemm_tiling {
    int row_tile = 256, cluster = 1, splits = 1;
    friend bool operator==(const gemm_tiling&, const gemm_tiling&) = default;
};

inline constexpr int gemm_row_tiles[]{256, 192, 160, 128, 64};

/// Predicted microseconds, to compare tilings with: within a quarter of 123 measurements on an H100
/// of 132 multiprocessors (bench/gpu/gemm.cpp). Splits count what the reader adds, too.
inline double gemm_cost(const gemm_sizes& s, const gemm_tiling& t, int multiprocessors) {
    const auto up = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
    const std::int64_t tokens = up(s.tokens, g4k::gemm_token_tile * t.cluster) * t.cluster;
    const std::int64_t units = tokens * up(s.rows, t.row_tile) * t.splits;
    const std::int64_t at_once = multiprocessors / t.cluster * t.cluster;
    const auto waves = static_cast<double>(up(units, at_once));
    const double busy = static_cast<double>(units) / (waves * static_cast<double>(at_once));
    const double tile = t.row_tile;
    // A stage: what shared memory moves (each warpgroup reads all rows), what L2 hands to all
    // multiprocessors at once (74 bytes a nanosecond each), what tensor cores reach under load.
    const double ring = (3 * tile + 256) / (t.cluster == 1 ? 1600 : 1540);
    const double l2 = busy * 128 * (g4k::gemm_token_tile + tile / t.cluster) / 74e3;
    const double stage = std::max({ring, l2, busy * tile / 360});
    const auto stages = static_cast<double>(up(up(s.columns, g4k::gemm_depth), t.splits));
    const double products = 2 + waves * (stages * stage + 0.6 + 0.0112 * tile);

    const auto results = static_cast<double>(s.tokens * s.rows);
    const double memory = 2.5 + (2 * static_cast<double>((s.rows + s.tokens) * s.columns) +
                                 4 * results * t.splits) / 3.2e6;
    return std::max(products, memory) + 0.06 * std::min(products, memory) +
           results * (t.splits - 1) / 1e6;
}

/// The tiling that should take least time. most_splits: 1 unless the result is f32 sums that the
/// reader adds; more are only taken where tiles are too few to fill the device.
inline gemm_tiling choose_gemm(const gemm_sizes& s, int most_splits, int multiprocessors) {
    gemm_tiling best;
    double least = -1;
    for (const int cluster : {1, 2})
        for (const int row_tile : gemm_row_tiles)
            for (int splits = 1; splits <= most_splits; ++splits) {
                if (splits > 1 && s.columns / g4k::gemm_depth < 4 * splits) break;
                const gemm_tiling t{row_tile, cluster, splits};
                const double cost = gemm_cost(s, t, multiprocessors);
                if (least >= 0 && cost >= least) continue;
                least = cost;
                best = t;
            }
    return best;
}

/// A config of this tiling; what else it computes is the caller's.
inline g4k::gemm_config with_tiling(g4k::gemm_config config, const gemm_tiling& t) {
    config.row_tile = t.row_tile;
    config.cluster = t.cluster;
    return config;
}

inline kernel_request gemm_request(const g4k::gemm_config& config) {
    G4_ASSERT(config.row_tile % 32 == 0 && config.row_tile <= 256);
    std::string name = concat("g4_gemm_", config.row_tile, config.cluster > 1 ? "_pair" : "",
                              config.paired ? "_gate_up" : "");
    constexpr std::string_view steps[]{"",    "_gelu",    "_silu",  "_add",     "_mul",
                                       "_by", "_scale", "_softcap", "_norm", "_rope"};
    for (const g4k::step& s : config.steps) name += steps[static_cast<std::size_t>(s.op)];
    if (config.out == g4k::number_type::f32) name += "_f32";
    return {name,
            concat("#include \"codegen/gemm/gemm.cuh\"\nusing namespace g4k;\n",
                   "constexpr gemm_config config", literal(config), ";\n",
                   "extern \"C\" __global__ void ",
                   config.cluster > 1 ? concat("__cluster_dims__(", config.cluster, ") ") : "",
                   "__launch_bounds__(", g4k::gemm_threads, ", 1)\n", name,
                   "(const __grid_constant__ gemm_args args) { gemm<config>(args); }\n"),
            true};
}

inline launch_shape gemm_launch(const g4k::gemm_config& config, const g4k::gemm_args& args,
                                int multiprocessors) {
    const auto up = [](int a, int b) { return (a + b - 1) / b; };
    const int units = up(args.tokens, g4k::gemm_token_tile * config.cluster) *
                      up(args.rows, config.row_tile) * args.splits;
    const int blocks = std::min(units, multiprocessors / config.cluster) * config.cluster;
    return {.grid_x = static_cast<unsigned>(blocks),
            .threads = static_cast<unsigned>(g4k::gemm_threads),
            .shared_bytes = static_cast<unsigned>(g4k::gemm_shared_bytes(config))};
}

/// How the copy engine sees x: args.x. `tokens` may be all that the buffer holds.
inline tiled_array gemm_x_array(const gemm_sizes& s) {
    return {.element = tile_element::bf16,
            .swizzle = tile_swizzle::bytes_128,
            .rank = 2,
            .sizes = {static_cast<std::uint64_t>(s.columns), static_cast<std::uint64_t>(s.tokens)},
            .stride_bytes = {static_cast<std::uint64_t>(s.x_stride) * 2},
            .box = {g4k::gemm_depth, g4k::gemm_token_tile}};
}
/// The same for the matrix, which lies row behind row: args.weights.
inline tiled_array gemm_weights_array(const g4k::gemm_config& config, const gemm_sizes& s) {
    return {.element = tile_element::bf16,
            .swizzle = tile_swizzle::bytes_128,
            .rank = 2,
            .sizes = {static_cast<std::uint64_t>(s.columns), static_cast<std::uint64_t>(s.rows)},
            .stride_bytes = {static_cast<std::uint64_t>(s.columns) * 2},
            .box = {g4k::gemm_depth,
                    static_cast<std::uint32_t>(config.row_tile / config.cluster)}};
}

}  // namespace g4::cuda
