// What attention reads: paged keys and values of one layer, and the queries of one sequence.
#pragma once
#include <cstddef>
#include <cstdint>

namespace g4::cpu {

/// Keys and values of one layer as one sequence sees them, in bf16. A page holds
///   keys [kv_heads][page_tokens][head_dim], then values likewise
struct cache_view {
    std::byte* base = nullptr;            // page 0 of the layer
    std::int64_t page_bytes = 0;          // of the layer
    const std::int32_t* pages = nullptr;  // the sequence's, for the layer's kind
    std::int32_t skipped = 0;             // pages at the front that were freed
    std::int32_t page_tokens = 0, kv_heads = 0, head_dim = 0;

    std::byte* key(std::int32_t head, std::int32_t position) const {
        const std::int32_t page = pages[position / page_tokens - skipped];
        const std::int64_t row = std::int64_t{head} * page_tokens + position % page_tokens;
        return base + page * page_bytes + row * head_dim * 2;
    }
    std::byte* value(std::int32_t head, std::int32_t position) const {
        return key(head, position) + page_bytes / 2;
    }
};

/// Queries of some rows of one sequence.
struct attention_rows {
    const std::byte* query = nullptr;          // bf16, of all sequences
    std::int64_t query_stride = 0;             // bytes a row
    const std::int32_t* query_rows = nullptr;  // where each row's query lies
    const std::int32_t* positions = nullptr;   // of each row, ascending
    float* result = nullptr;                   // [rows][q_heads][head_dim]
    std::int64_t result_stride = 0;            // floats a row
    std::int32_t window = 0;                   // tokens that a row sees, itself included; 0: all
    float scale = 1;
    cache_view cache{};
};

/// Keys come in parts of 256, cut at absolute positions: each is attended alone, then the parts are
/// merged in order. So the bits of a row do not depend on its chunk, batch, or number of threads.
inline constexpr std::int32_t part_keys = 256;
/// Queries that share a pass over keys: the heads of a group, of a few rows.
inline constexpr std::int32_t tile_queries = 16;
inline constexpr std::int32_t max_head_dim = 512;

/// Queries [row][head] of one tile: `heads` heads from `first_head` on, all of one kv head, of rows
/// [first_row, first_row + rows). heads * rows <= tile_queries.
struct query_tile {
    std::int32_t kv_head = 0, first_head = 0, heads = 1;
    std::int32_t first_row = 0, rows = 1;
    constexpr std::int32_t count() const { return heads * rows; }
};

/// The outcome of keys for the queries of a tile: sums [count][head_dim] of e^(score - peak) ·
/// value, totals [count] of e^(score - peak).
struct attention_state {
    float* sums = nullptr;
    float* peaks = nullptr;
    float* totals = nullptr;
};

/// One instruction set's attention.
struct attention_kernels {
    /// A tile against the keys of one part. A part that no query sees gives peaks of -infinity.
    void (*attend_part)(const attention_rows& q, const query_tile& tile, std::int32_t part,
                        const attention_state& out) = nullptr;
    /// Adds one part to what earlier parts gave; before the first, clear `total`.
    void (*merge)(const attention_state& total, const attention_state& part, std::int32_t queries,
                  std::int32_t head_dim) = nullptr;
    /// sums / totals to the result rows.
    void (*finish)(const attention_rows& q, const query_tile& tile,
                   const attention_state& total) = nullptr;
};

}  // namespace g4::cpu
