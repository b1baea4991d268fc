// What the sm_90a prefill kernel is compiled for and launched with. The host and NVRTC read it.
#pragma once
#include "codegen/attention/config.hpp"
#include "codegen/core/tensor_map.hpp"

namespace g4k {

/// Head dimensions 256 and 512 on pages of 64 tokens. Tiles have at most 64 rows.
///   blocks  of a cluster, which share what each reads of keys and values: 1 or 2
///   piece   of keys and values that is copied at a time, in 8 KiB: 1, 2 or 4
struct prefill_hopper_config {
    attention_config attention;
    int blocks = 1;
    int piece = 4;
};

inline constexpr int prefill_hopper_threads = 384;

constexpr int prefill_hopper_rings(const prefill_hopper_config& c) {
    return c.attention.head_dim == 512 ? 2 : 1;
}
/// Pieces that each ring holds.
constexpr int prefill_hopper_slots(const prefill_hopper_config& c) {
    return (c.attention.head_dim == 512 ? 72 : 160) / (8 * c.piece);
}
/// Queries, rings, weights that warpgroups lend each other, numbers of rows, barriers, the work.
constexpr int prefill_hopper_shared_bytes(const prefill_hopper_config& c) {
    const int pieces = prefill_hopper_rings(c) * prefill_hopper_slots(c);
    const int lent = c.attention.head_dim == 512 ? 16 : 0;
    return (64 + pieces * 8 * c.piece + lent + 1) * 1024 + (2 * pieces + 4) * 8 + 128;
}

/// The pool of the cache kind as rows of head_dim elements, in boxes of 64 elements a row: `keys`
/// in boxes of 64 rows (32 where a cluster shares single panels), `values` in boxes of 16 · piece
/// rows; see g4::cuda::prefill_hopper_maps.
struct prefill_hopper_args {
    prefill_args work;
    tensor_map keys, values;
};

}  // namespace g4k
