// Kernel family attention on every GPU: decode in splits, their merge, and prefill by mma.sync.
#pragma once
#include "codegen/attention/layout.hpp"
#include "g4/backends/cuda/config_text.hpp"
#include "g4/core/error.hpp"
#include "g4/emit/request.hpp"
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

BOOST_HANA_ADAPT_STRUCT(g4k::attention_config, head_dim, q_heads, kv_heads, window, scale,
                        page_tokens);
BOOST_HANA_ADAPT_STRUCT(g4k::decode_config, attention, tile, slots, cluster);

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

/// `what` is decode, merge or prefill: the kernel's function and its file; `head` what stands
/// before the function's name.
template <class Config>
kernel_request attention_request(std::string name, const Config& config, std::string_view kind,
                                 std::string_view what, std::string_view head) {
    return {name, concat("#include \"codegen/attention/", what, ".cuh\"\nusing namespace g4k;\n",
                         "constexpr ", kind, "_config config", literal(config), ";\n",
                         "extern \"C\" __global__ void ", head, "\n", name,
                         "(const __grid_constant__ ", kind == "decode" ? "decode" : "prefill",
                         "_args args) { ", what, "<config>(args); }\n")};
}
inline std::string attention_name(const g4k::attention_config& c, std::string_view what) {
    return concat("g4_attention_", what, "_", c.q_heads, "x", c.kv_heads, "_d", c.head_dim,
                  c.window > 0 ? concat("_w", c.window) : "");
}

/// A kernel of decode, and into how many pieces it cuts a row's keys.
struct decode_choice {
    g4k::decode_config config;
    int splits = 1;
    int parts() const { return splits / config.cluster; }
};

/// What every GPU takes: two blocks on every multiprocessor, if there are keys enough.
///   longest  keys that the longest row sees, or will see before a replay is captured anew
inline decode_choice choose_plain_decode(const g4k::attention_config& c, int rows,
                                         std::int64_t longest, int multiprocessors) {
    decode_choice out{.config = {.attention = c}};
    g4k::decode_config& config = out.config;
    config.tile = std::min(c.head_dim > 256 ? 16 : 32, c.page_tokens);
    while (g4k::decode_layout_of(config).shared_bytes > g4k::decode_shared_bytes) --config.slots;
    const std::int64_t seen = c.window > 0 ? std::min<std::int64_t>(longest, c.window) : longest;
    const std::int64_t tiles = std::max<std::int64_t>(1, (seen + config.tile - 1) / config.tile);
    const std::int64_t room = 2 * std::int64_t{multiprocessors} / (std::int64_t{rows} * c.kv_heads);
    out.splits = static_cast<int>(std::clamp<std::int64_t>(room, 1, tiles));
    return out;
}

/// With `clusters` (sm_90 and later) also what pays there, as measured on an H100. Clusters of four
/// and eight leave multiprocessors idle where memory decides: 1.2 times the time at 32 rows.
inline decode_choice choose_decode(const g4k::attention_config& c, int rows, std::int64_t longest,
                                   int multiprocessors, bool clusters) {
    const decode_choice plain = choose_plain_decode(c, rows, longest, multiprocessors);
    const g4k::decode_layout layout = g4k::decode_layout_of(plain.config);
    if (!clusters || c.page_tokens != 64 || layout.warps * layout.slice % 64 != 0) return plain;
    const auto fits = [](const decode_choice& choice) {
        return g4k::decode_layout_of(choice.config).shared_bytes <= g4k::decode_shared_bytes;
    };
    const std::int64_t blocks = std::int64_t{rows} * c.kv_heads;
    const std::int64_t seen = c.window > 0 ? std::min<std::int64_t>(longest, c.window) : longest;
    // One tile for each split: no key waits for another. Eight splits merge on the chip.
    const decode_choice eight{{c, 64, 2, 8}, 8};
    if (8 * blocks <= multiprocessors && seen > 64 && seen <= 512 && fits(eight)) return eight;
    const decode_choice wide{{c, 32, 2, 1}, static_cast<int>((seen + 31) / 32)};
    if (c.head_dim > 256 && wide.splits * blocks <= multiprocessors && fits(wide)) return wide;
    if (plain.splits != 2) return plain;
    decode_choice two = plain;
    two.config.cluster = 2;
    while (!fits(two)) --two.config.slots;
    return two;
}

inline void check_decode(const g4k::decode_config& c) {
    check_attention(c.attention);
    const auto expect = [&](bool holds, const char* what) {
        if (!holds) throw internal_error{"decode: expected ", what, ", got ", literal(c)};
    };
    expect((c.tile == 16 || c.tile == 32 || c.tile == 64) && c.tile <= c.attention.page_tokens,
           "tiles of 16, 32 or 64 keys that are no longer than a page");
    expect(c.slots >= 2, "two slots or more");
    const g4k::decode_layout layout = g4k::decode_layout_of(c);
    expect(c.cluster == 1 || layout.warps * layout.slice % (8 * c.cluster) == 0,
           "a cluster whose blocks gather 8 dimensions each, or multiples");
}
inline kernel_request decode_request(const g4k::decode_config& c) {
    check_decode(c);
    const std::string name =
        concat(attention_name(c.attention, "decode"), "_t", c.tile, "x", c.slots, "_c", c.cluster);
    return attention_request(
        name, c, "decode", "decode",
        concat("__launch_bounds__(", g4k::decode_layout_of(c).threads, ", 1)",
               c.cluster > 1 ? concat(" __cluster_dims__(", c.cluster, ", 1, 1)") : ""));
}
inline launch_shape decode_shape(const g4k::decode_config& c, const g4k::decode_args& args) {
    const g4k::decode_layout layout = g4k::decode_layout_of(c);
    return {.grid_x = static_cast<unsigned>(args.splits),
            .grid_y = static_cast<unsigned>(c.attention.kv_heads),
            .grid_z = static_cast<unsigned>(args.rows),
            .threads = static_cast<unsigned>(layout.threads),
            .shared_bytes = static_cast<unsigned>(layout.shared_bytes)};
}

/// Follows a decode of more than one part, with the same arguments.
inline kernel_request merge_request(const g4k::decode_config& c) {
    check_decode(c);
    return attention_request(
        concat(attention_name(c.attention, "merge"), "_t", c.tile, "_c", c.cluster), c, "decode",
        "merge", concat("__launch_bounds__(", g4k::merge_layout::threads, ")"));
}
inline launch_shape merge_shape(const g4k::decode_config& c, const g4k::decode_args& args) {
    const int pieces = g4k::parts_of(c.attention.head_dim, g4k::merge_layout::dims);
    return {.grid_x = static_cast<unsigned>(pieces),
            .grid_y = static_cast<unsigned>(c.attention.q_heads),
            .grid_z = static_cast<unsigned>(args.rows),
            .threads = g4k::merge_layout::threads,
            .shared_bytes = g4k::merge_layout::shared_bytes};
}

/// What decode leaves for merge: `partial` and `extent`. One part needs neither.
struct decode_scratch {
    std::size_t partial_bytes = 0, extent_bytes = 0;
};
inline decode_scratch decode_scratch_of(const decode_choice& c, int rows) {
    if (c.parts() <= 1) return {};
    const std::size_t places = static_cast<std::size_t>(rows) *
                               static_cast<std::size_t>(c.config.attention.q_heads) *
                               static_cast<std::size_t>(c.parts());
    return {places * static_cast<std::size_t>(c.config.attention.head_dim) * sizeof(float),
            places * 2 * sizeof(float)};
}

/// Rows of a sequence that one tile of prefill takes at most.
inline int prefill_tile_rows(const g4k::attention_config& c) {
    return g4k::prefill_layout_of(c).rows;
}
/// How many tiles the rows of one sequence make.
constexpr int prefill_tile_count(int rows, int tile_rows) {
    return (rows + tile_rows - 1) / tile_rows;
}
/// Writes the rows of the sequences that have `least_rows` or more as tiles to `first`, and gives
/// the end. Longest context first: the last blocks to start should be short.
inline g4k::prefill_tile* cut_into_tiles(std::span<const g4k::sequence_entry> sequences,
                                         int tile_rows, int least_rows, g4k::prefill_tile* first) {
    g4k::prefill_tile* end = first;
    for (int s = 0; s < static_cast<int>(sequences.size()); ++s) {
        const int count = sequences[static_cast<std::size_t>(s)].row_count;
        for (int row = 0; count >= least_rows && row < count; row += tile_rows)
            *end++ = {s, row, std::min(tile_rows, count - row), 0};
    }
    const auto end_of = [&](const g4k::prefill_tile& t) {
        return sequences[static_cast<std::size_t>(t.sequence)].past + t.first + t.count;
    };
    std::stable_sort(first, end,
                     [&](const auto& a, const auto& b) { return end_of(a) > end_of(b); });
    return end;
}
/// Every row of every sequence.
inline std::vector<g4k::prefill_tile> prefill_tiles(
    const std::vector<g4k::sequence_entry>& sequences, int tile_rows) {
    std::size_t count = 0;
    for (const g4k::sequence_entry& s : sequences)
        count += static_cast<std::size_t>(prefill_tile_count(s.row_count, tile_rows));
    std::vector<g4k::prefill_tile> out(count);
    cut_into_tiles(sequences, tile_rows, 1, out.data());
    return out;
}

inline kernel_request prefill_request(const g4k::attention_config& c) {
    check_attention(c);
    return attention_request(attention_name(c, "prefill"), c, "attention", "prefill",
                             concat("__launch_bounds__(", g4k::prefill_layout_of(c).threads, ")"));
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
