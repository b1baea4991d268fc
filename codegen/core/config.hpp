// What every kernel family shares with the host: pointwise steps, the step's tables, cache pages.
// The host and NVRTC read it: no includes.
#pragma once

namespace g4k {

using bf16_bits = unsigned short;

/// One operation on the elements of a row. Values are numbered: a family's sources first, then the
/// results of earlier steps. `number` is epsilon, factor or cap; `vector` indexes the family's
/// vectors: the weight of a norm (none: -1), or the one learned number of scale.
enum class step_op { end, gelu_tanh, silu, add, mul, multiply, scale, softcap, rms_norm, rope };
struct step {
    step_op op = step_op::end;
    int left = 0, right = 0;
    float number = 0;
    int vector = -1;
    bool operator==(const step&) const = default;
};

enum class number_type { bf16, f32 };

inline constexpr int max_cache_kinds = 4;

/// One sequence of the step. Row i of it stands at position past + i. The page of position p in
/// cache kind k is pages[first_page[k] + p / page_tokens - skipped[k]].
struct sequence_entry {
    int first_row, row_count, past, slot;
    int first_page[max_cache_kinds], skipped[max_cache_kinds];
};

/// The step as kernels see it, in device memory. A padded row has position -1: nothing of it is
/// appended, its attention is zero. Padded rows belong to sequence 0.
struct step_tables {
    const int* token_ids;        // [rows], resolved: none is negative
    const int* positions;        // [rows]
    const int* sequence_of;      // [rows]
    const sequence_entry* sequences;
    const int* pages;
};

/// One layer's keys and values in the pages of its kind. In a page the layer's piece lies at
/// layer_offset: [keys, values][kv_head][page_tokens][head_dim] bf16; 16-byte aligned throughout.
struct cache_args {
    char* base;
    long long page_bytes, layer_offset;
    int kind;
};

}  // namespace g4k
