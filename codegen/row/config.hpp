// What a row kernel is compiled for and launched with. The host and NVRTC read it: no includes.
#pragma once
#include "codegen/core/config.hpp"

namespace g4k {

/// Where a chain reads an element from.
///   sums   f32 [splits][rows][stride]: partial sums of a linear, added in the order of splits
///   f32    [rows][stride]
///   bf16   [rows][stride]
///   table  bf16 [vocabulary][stride], the row of the token id
enum class source_kind { sums, f32, bf16, table };

/// What a chain leaves behind: a value in a buffer, or in the cache as keys or values.
enum class target_kind { bf16, f32, key, value };
struct row_target {
    int value = 0;
    target_kind kind = target_kind::bf16;
    bool operator==(const row_target&) const = default;
};

/// What is computed for each part of each row: rms_norm and rope reach over one part.
/// Values: sources, then the results of steps. add, mul read `right`, another value.
struct row_chain {
    int width = 0;         // elements of a part; even; rope: pairs lie width / 2 apart
    int parts = 0;         // of a row, side by side
    int source_count = 0;  // at most 3
    source_kind sources[3]{};
    step steps[12]{};
    int target_count = 0;  // at most 3
    row_target targets[3]{};
};

inline constexpr int max_row_chains = 4;
inline constexpr int max_row_width = 16384;

struct row_config {
    int chain_count = 0;
    row_chain chains[max_row_chains]{};
    int team = 0;            // threads that share one part: 32, or a whole block; 0: row_team
    int page_tokens = 0;     // of key and value targets
    bool many_rows = false;  // cut for throughput, not for latency; computes the same
};

struct row_source_args {
    const void* data;        // already at the chain's first column
    long long stride;        // elements from row to row
    long long split_stride;  // elements, sums
    int splits;              // sums
    const int* rows;         // row r of the launch is row rows[r] of data; null: r
};
struct row_target_args {
    void* data;  // bf16, f32: already at the first column
    long long stride;
    cache_args cache;  // key, value: part p is kv head p
};
struct row_chain_args {
    row_source_args sources[3];
    row_target_args targets[3];
    const float* vectors[4];  // [width] weights of norms, 16-byte aligned; [1] number of scale
    const float* rope;        // [step rows][width / 2][2]: cos and sin; null without rope
};

struct row_args {
    int rows;
    const int* step_rows;  // row r of the launch is row step_rows[r] of the step; null: r
    step_tables tables;
    row_chain_args chains[max_row_chains];
};

// How the work is cut: the host sizes the grid by it, the kernel finds its place by it.

constexpr bool row_turns(const row_chain& chain) {
    for (const step& s : chain.steps)
        if (s.op == step_op::rope) return true;
    return false;
}

/// Rows from which row_config::many_rows pays: there is more than one for each multiprocessor.
inline constexpr int row_many_rows = 128;

/// A part goes to one warp, or to a block whose threads hold 8 elements each, 16 of many rows, or
/// more of a part that is wider than 512 threads hold so.
constexpr int row_team(const row_config& config) {
    if (config.team != 0) return config.team;
    int width = 0;
    for (int c = 0; c < config.chain_count; ++c)
        if (config.chains[c].width > width) width = config.chains[c].width;
    if (width <= 512) return 32;
    const int vectors = (width + 7) / 8, least = config.many_rows ? 2 : 1;
    const int slots = vectors > 512 * least ? (vectors + 511) / 512 : least;
    return (vectors + slots * 32 - 1) / (slots * 32) * 32;
}

/// Elements that a thread reads at once: a power of two that divides the part, or the half of one
/// that turns, and keeps more than half of the team at work where one does.
constexpr int row_vector(const row_chain& chain, int team) {
    const int extent = row_turns(chain) ? chain.width / 2 : chain.width;
    int vector = 8;
    while (vector > 1 && (extent % vector != 0 || vector * team >= 2 * extent)) vector /= 2;
    return vector;
}

/// Parts that one team treats, one after the other: more than one of many rows, once all
/// multiprocessors are busy, so that weights stay in registers.
constexpr int row_items_each(const row_config& config, int items) {
    if (!config.many_rows) return 1;
    const int enough = row_team(config) == 32 ? 16384 : 4096;
    const int each = items / enough;
    return each < 1 ? 1 : each > 4 ? 4 : each;
}

constexpr int row_blocks(const row_config& config, const row_chain& chain, int rows,
                         int teams_of_block) {
    const int items = rows * chain.parts;
    const int each = row_items_each(config, items) * teams_of_block;
    return (items + each - 1) / each;
}

}  // namespace g4k
