// How attention kernels cut their work: numbers on which host and device agree. Both read it.
#pragma once
#include "codegen/attention/config.hpp"

namespace g4k {

inline constexpr int max_query_group = 16, max_head_dim = 512;
inline constexpr int decode_shared_bytes = 99 * 1024;  // what sm_89 and sm_120 give a block

constexpr int query_group(const attention_config& c) { return c.q_heads / c.kv_heads; }
constexpr int parts_of(int whole, int part) { return (whole + part - 1) / part; }

/// A block of decode takes the query heads of one kv head. Each of its warps owns a slice of the
/// dimensions, of queries, keys, values and sums alike, and copies it for itself: warps meet only
/// to add the scores of a tile of keys. Keys and values of a tile go through a ring of slots.
struct decode_layout {
    int columns;       // query heads, padded to the 8 columns of an mma
    int steps, slice;  // of 16 dimensions for each warp; dimensions
    int warps, threads;
    int slot_bytes;     // of the ring; a slot takes a tile of keys or of values
    int score_stride;   // floats from head to head: 4 over a multiple of 16, for the banks
    int score_floats;   // of one warp
    int share;          // dimensions whose sums a block of a cluster gathers
    int gather_floats;  // of a block of a cluster
    int shared_bytes;
};

constexpr decode_layout decode_layout_of(const decode_config& c) {
    decode_layout out{};
    out.columns = 8 * parts_of(query_group(c.attention), 8);
    const int steps = parts_of(c.attention.head_dim, 16);
    out.steps = parts_of(steps, 4);
    out.slice = 16 * out.steps;
    out.warps = parts_of(steps, out.steps);
    out.threads = 32 * out.warps;
    out.slot_bytes = out.warps * c.tile * out.slice * 2;
    out.score_stride = c.tile + 4;
    out.score_floats = out.columns * out.score_stride;
    out.share = out.warps * out.slice / c.cluster;
    out.gather_floats = c.cluster > 1 ? c.cluster * out.columns * (out.share + 2) + 4 : 0;
    out.shared_bytes =
        c.slots * out.slot_bytes + (2 * out.warps * out.score_floats + out.gather_floats) * 4;
    return out;
}

/// A block of prefill takes some rows of one sequence with all query heads of one kv head:
/// row-major as [row][head], 16 of them for each warp. Where a head has more than 256 dimensions,
/// two warps share 16 rows: each owns one half of the dimensions, and they add their scores.
struct prefill_layout {
    int halves;        // of the dimensions
    int steps, slice;  // of 16 dimensions for each warp; dimensions
    int held;          // steps of queries in registers; the rest waits in shared memory
    int warps, threads;
    int queries;            // [row][head] pairs of a block
    int rows;               // of the sequence
    int tile;               // keys
    int slots, slot_bytes;  // of the ring; a slot takes a tile of keys or of values
    int shared_bytes;
};

constexpr prefill_layout prefill_layout_of(const attention_config& c) {
    prefill_layout out{};
    out.halves = c.head_dim > 256 ? 2 : 1;
    out.steps = parts_of(parts_of(c.head_dim, 16), out.halves);
    if (out.halves == 2) out.steps = 4 * parts_of(out.steps, 4);
    out.slice = 16 * out.steps;
    const int held = out.halves == 2 ? 14 : 12;
    out.held = out.steps < held ? out.steps : held;
    out.warps = 8;
    out.threads = 32 * out.warps;
    out.queries = 16 * out.warps / out.halves;
    out.rows = out.queries / query_group(c);
    out.tile = out.halves == 2 ? 16 : 32;
    if (c.page_tokens < out.tile) out.tile = c.page_tokens;
    out.slot_bytes = out.tile * out.halves * out.slice * 2;
    out.slots = 5;
    const int queries = (out.steps - out.held) * out.threads * 16;
    const int scores = out.halves == 2 ? out.warps * 16 * out.tile * 4 : 0;
    out.shared_bytes = out.slots * out.slot_bytes + queries + scores;
    return out;
}

/// Device code may read a constant where it may not call a host function.
template <decode_config Config>
inline constexpr decode_layout decode_layout_for = decode_layout_of(Config);
template <attention_config Config>
inline constexpr prefill_layout prefill_layout_for = prefill_layout_of(Config);

/// A block of merge takes 64 dimensions of one query head; eight threads share a piece of four,
/// and leave six floats each in shared memory.
struct merge_layout {
    static constexpr int dims = 64, threads = 128, lanes = 8;
    static constexpr int shared_bytes = threads * 24;
};

}  // namespace g4k
