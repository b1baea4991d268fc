// Kernel family attention, prefill on sm_90: wgmma, and pages by the copy engine.
#pragma once
#include "codegen/attention/config_hopper.hpp"
#include "g4/backends/cuda/attention.hpp"
#include "g4/emit/request.hpp"
#include "g4/emit/tiled_array.hpp"
#include <algorithm>
#include <cstdint>
#include <string>

BOOST_HANA_ADAPT_STRUCT(g4k::prefill_hopper_config, attention, blocks, piece);

namespace g4::cuda {

/// Rows of a prefill_tile, at most.
inline constexpr int prefill_hopper_rows = 64;

/// Why this family does not take an attention, in words; empty: it does. Rows of queries and
/// results are 16-byte aligned, and strides multiples of 8 elements.
inline std::string prefill_hopper_refuses(const g4k::attention_config& c) {
    if (c.head_dim != 256 && c.head_dim != 512)
        return concat("attention: expected heads of 256 or 512 dimensions, got ", c.head_dim);
    if (c.page_tokens != 64)
        return concat("attention: expected pages of 64 tokens, got ", c.page_tokens);
    if (c.head_dim == 256 && c.q_heads / c.kv_heads % 2 != 0)
        return concat("attention: expected an even number of query heads for a kv head, got ",
                      c.q_heads, " for ", c.kv_heads);
    if (!(c.scale > 0)) return concat("attention: expected a positive scale, got ", c.scale);
    return {};
}

/// Blocks of a cluster share keys and values where their heads share a kv head and contexts are
/// long; within a window L2 keeps up, and blocks alone wait for nobody. Measured on an H100: 585 by
/// pairs against 541 TFLOP/s alone at 16k tokens, 457 against 462 within a window of 512.
inline g4k::prefill_hopper_config choose_prefill_hopper(const g4k::attention_config& c) {
    const bool wide = c.head_dim == 512;
    const int heads = wide ? 1 : 2, group = c.q_heads / c.kv_heads;
    return {.attention = c,
            .blocks = group % (2 * heads) == 0 && c.window == 0 ? 2 : 1,
            .piece = wide ? 1 : 4};
}

/// Query heads of one cluster: a tile is work for q_heads / this many clusters.
inline int prefill_hopper_heads(const g4k::prefill_hopper_config& c) {
    return c.blocks * (c.attention.head_dim == 512 ? 1 : 2);
}

inline kernel_request prefill_hopper_request(const g4k::prefill_hopper_config& config) {
    const g4k::attention_config& c = config.attention;
    G4_ASSERT(prefill_hopper_refuses(c).empty());
    const std::string name = concat("g4_attention_prefill_", c.head_dim, "_sm90",
                                    c.window > 0 ? concat("_w", c.window) : "");
    return {name,
            concat("#include \"codegen/attention/prefill_hopper.cuh\"\nusing namespace g4k;\n",
                   "constexpr prefill_hopper_config config", literal(config), ";\n",
                   "extern \"C\" __global__ void __cluster_dims__(", config.blocks,
                   ") __launch_bounds__(", g4k::prefill_hopper_threads, ", 1)\n", name,
                   "(const __grid_constant__ prefill_hopper_args args) ",
                   "{ prefill_hopper<config>(args); }\n"),
            true};
}

inline launch_shape prefill_hopper_launch(const g4k::prefill_hopper_config& config,
                                          const g4k::prefill_args& args, int multiprocessors) {
    const int row_bytes = 2 * config.attention.head_dim;
    G4_ASSERT(args.cache.page_bytes % row_bytes == 0 && args.cache.layer_offset % row_bytes == 0);
    const int works = args.tile_count * (config.attention.q_heads / prefill_hopper_heads(config));
    const int clusters = std::min(works, multiprocessors / config.blocks);
    return {.grid_x = static_cast<unsigned>(clusters * config.blocks),
            .threads = static_cast<unsigned>(g4k::prefill_hopper_threads),
            .shared_bytes = static_cast<unsigned>(g4k::prefill_hopper_shared_bytes(config))};
}

/// How the copy engine sees the pool of a cache kind, from cache_args::base on:
/// prefill_hopper_args::keys. The same for all layers.
inline tiled_array prefill_hopper_keys(const g4k::prefill_hopper_config& config,
                                       std::int64_t pool_bytes) {
    const auto row_bytes = static_cast<std::uint64_t>(2 * config.attention.head_dim);
    const bool by_rows = config.piece < config.blocks;
    const int rows = by_rows ? 32 : 64, panels = by_rows ? 1 : config.piece / config.blocks;
    return {.element = tile_element::bf16,
            .swizzle = tile_swizzle::bytes_128,
            .rank = 3,
            .sizes = {64, static_cast<std::uint64_t>(pool_bytes) / row_bytes, row_bytes / 128},
            .stride_bytes = {row_bytes, 128},
            .box = {64, static_cast<std::uint32_t>(rows), static_cast<std::uint32_t>(panels)}};
}
/// ... prefill_hopper_args::values.
inline tiled_array prefill_hopper_values(const g4k::prefill_hopper_config& config,
                                         std::int64_t pool_bytes) {
    tiled_array out = prefill_hopper_keys(config, pool_bytes);
    out.box = {64, static_cast<std::uint32_t>(16 * config.piece),
               static_cast<std::uint32_t>(4 / config.blocks)};
    return out;
}

}  // namespace g4::cuda
