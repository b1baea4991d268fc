// Kernel family attention on every GPU: decode in splits, their merge, and prefill by mma.sync.
#pragma once
#include "codegen/attention/layout.hpp"
#include "g4/backends/cuda/config_text.hpp"
#include "g4/core/error.hpp"
#include "g4/emit/request.hpp"
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

BOOST_HANA_ADAPT_STRUCT(g4k::attention_config, head_dim, q_heads, kv_heads, window, scale,
                        page_tokens);

namespace g4::cuda {

/// Errors: internal_error, in words, for a config that no kernel is made for.
inline void check_attention(const g4k::attention_config& c) {
    const auto expect = [&](bool holds, const char* what) {
        if (!holds) throw internal_error{"attention: expected ", what, ", got ", literal(c)};
    };
    expect(c.head_dim > 0 && c.head_dim % 8 == 0 && c.head_dim <= g4k::max_head_dim,
           "a head dimension that is a multiple of 8, at most 512");
    expect(c.kv_heads > 0 && c.q_heads % c.kv_heads == 0 &&
               g4k::query_group(c) <= g4k::max_query_group,
           "1 to 16 query heads for each kv head");
    expect(c.page_tokens == 16 || c.page_tokens == 32 || c.page_tokens == 64,
           "pages of 16, 32 or 64 tokens");
    expect(c.window >= 0, "a window of some tokens, or 0");
}

/// `what` is decode, merge or prefill: the kernel's function and its file.
inline kernel_request attention_request(const g4k::attention_config& c, std::string_view what,
                                        std::string_view args, int threads) {
    check_attention(c);
    const std::string name =
        concat("g4_attention_", what, "_", c.q_heads, "x", c.kv_heads, "_d", c.head_dim,
               c.window > 0 ? concat("_w", c.window) : "");
    return {name, concat("#include \"codegen/attention/", what, ".cuh\"\nusing namespace g4k;\n",
                         "constexpr attention_config config", literal(c), ";\n",
                         "extern \"C\" __global__ void __launch_bounds__(", threads, ")\n", name,
                         "(const __grid_constant__ ", args, " args) { ", what,
                         "<config>(args); }\n")};
}

inline kernel_request decode_request(const g4k::attention_config& c) {
    return attention_request(c, "decode", "decode_args", g4k::decode_layout_of(c).threads);
}
inline launch_shape decode_shape(const g4k::attention_config& c, const g4k::decode_args& args) {
    const g4k::decode_layout layout = g4k::decode_layout_of(c);
    return {.grid_x = static_cast<unsigned>(args.splits),
            .grid_y = static_cast<unsigned>(c.kv_heads),
            .grid_z = static_cast<unsigned>(args.rows),
            .threads = static_cast<unsigned>(layout.threads),
            .shared_bytes = static_cast<unsigned>(layout.shared_bytes)};
}

/// Follows a decode of more than one split, with the same arguments.
inline kernel_request merge_request(const g4k::attention_config& c) {
    return attention_request(c, "merge", "decode_args", g4k::merge_layout::threads);
}
inline launch_shape merge_shape(const g4k::attention_config& c, const g4k::decode_args& args) {
    return {.grid_x = static_cast<unsigned>(g4k::parts_of(c.head_dim, g4k::merge_layout::dims)),
            .grid_y = static_cast<unsigned>(c.q_heads),
            .grid_z = static_cast<unsigned>(args.rows),
            .threads = g4k::merge_layout::threads,
            .shared_bytes = g4k::merge_layout::shared_bytes};
}

/// Into how many pieces a row's keys are cut so that two blocks stand on every multiprocessor.
///   longest  keys that the longest row sees, or will see before a replay is captured anew
inline int choose_splits(const g4k::attention_config& c, int rows, std::int64_t longest,
                         int multiprocessors) {
    const int tile = g4k::decode_layout_of(c).tile;
    const std::int64_t seen = c.window > 0 ? std::min<std::int64_t>(longest, c.window) : longest;
    const std::int64_t tiles = (seen + tile - 1) / tile + (c.window > 0 && seen == c.window);
    const std::int64_t blocks = std::int64_t{rows} * c.kv_heads;
    return static_cast<int>(
        std::clamp<std::int64_t>(2 * std::int64_t{multiprocessors} / blocks, 1, tiles));
}

/// What decode leaves for merge: `partial` first, then `extent`. One split needs neither.
struct decode_scratch { std::size_t partial_bytes = 0, extent_bytes = 0; };
inline decode_scratch decode_scratch_of(const g4k::attention_config& c, int rows, int splits) {
    if (splits <= 1) return {};
    const std::size_t places = static_cast<std::size_t>(rows) *
                               static_cast<std::size_t>(c.q_heads) *
                               static_cast<std::size_t>(splits);
    return {places * static_cast<std::size_t>(c.head_dim) * sizeof(float),
            places * 2 * sizeof(float)};
}

/// Rows of a sequence that one tile of prefill takes at most.
inline int prefill_tile_rows(const g4k::attention_config& c) {
    return g4k::prefill_layout_of(c).rows;
}
/// Every row of every sequence, longest context first: the last blocks to start should be short.
inline std::vector<g4k::prefill_tile> prefill_tiles(
    const std::vector<g4k::sequence_entry>& sequences, int tile_rows) {
    std::vector<g4k::prefill_tile> out;
    for (int s = 0; s < static_cast<int>(sequences.size()); ++s) {
        const int count = sequences[static_cast<std::size_t>(s)].row_count;
        for (int row = 0; row < count; row += tile_rows)
            out.push_back({s, row, std::min(tile_rows, count - row), 0});
    }
    const auto end_of = [&](const g4k::prefill_tile& t) {
        return sequences[static_cast<std::size_t>(t.sequence)].past + t.first + t.count;
    };
    std::ranges::stable_sort(out, [&](const auto& a, const auto& b) {
        return end_of(a) > end_of(b);
    });
    return out;
}

inline kernel_request prefill_request(const g4k::attention_config& c) {
    return attention_request(c, "prefill", "prefill_args", g4k::prefill_layout_of(c).threads);
}
/// One block for each tile and kv head; more tiles than `args.tile_count` do no harm.
inline launch_shape prefill_shape(const g4k::attention_config& c, const g4k::prefill_args& args) {
    const g4k::prefill_layout layout = g4k::prefill_layout_of(c);
    return {.grid_x = static_cast<unsigned>(c.kv_heads),
            .grid_y = static_cast<unsigned>(args.tile_count),
            .threads = static_cast<unsigned>(layout.threads),
            .shared_bytes = static_cast<unsigned>(layout.shared_bytes)};
}

}  // namespace g4::cuda
