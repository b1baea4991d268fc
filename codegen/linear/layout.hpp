// Where weights, scales and the shared memory of a linear kernel lie: agreed by packing, launch and
// kernel. The host and NVRTC read it.
//
// A unit is 16 rows and 64 columns. mma row g is matrix row 2g of the unit, row g + 8 is row
// 2g + 1, so that one lane ends with a pair. The order of columns inside a sum is free: lane
// (g, t) takes, of each 32 columns, the 8 from 8t on as the k places of two mma steps (of each 16
// the 4 from 4t on of one step, where a group of 16 has its own scale). Then weights and x are both
// read 16 bytes at a time, and step s of a unit lies within columns 16s' .. of one group.
//   int4    unit [32 lanes][4 steps] words: nibble 4r of a word and the one 16 bits above it are
//           mma register r: q of columns k, k + 1; r = 0: row 2g, k; 1: row 2g + 1, k;
//           2: row 2g, k + 2; 3: row 2g + 1, k + 2. Units of a tile of 16 rows follow each other.
//   scales  [tiles][groups][16 rows]
// Past the last row or column q is 8 (value 0) and scales are 0.
#pragma once
#include "codegen/linear/config.hpp"

namespace g4k {

inline constexpr int unit_rows = 16, unit_columns = 64;
inline constexpr int int4_unit_bytes = 512, plain_unit_bytes = 2048;
/// x of one token in one unit.
inline constexpr int token_unit_bytes = 128;

constexpr int divide_up(int n, int by) { return (n + by - 1) / by; }
constexpr int at_most(int a, int b) { return a < b ? a : b; }
constexpr int at_least(int a, int b) { return a > b ? a : b; }

constexpr int tiles_of(int rows) { return divide_up(rows, unit_rows); }
constexpr int units_of(int columns) { return divide_up(columns, unit_columns); }
constexpr int groups_of(int columns, int group) { return divide_up(columns, group); }
constexpr int scale_bytes(scale_form form) { return form == scale_form::f32 ? 4 : 2; }
constexpr int unit_bytes(weight_form form) {
    return form == weight_form::int4 ? int4_unit_bytes : plain_unit_bytes;
}
/// Elements from row to row of plain weights.
constexpr long long plain_stride(int columns) { return divide_up(columns, 8) * 8LL; }

/// Groups of columns that a kernel knows: a checkpoint's is cut into these, scales repeated.
constexpr int device_group(int group) {
    return group % 128 == 0 ? 128 : group % 64 == 0 ? 64 : group % 32 == 0 ? 32 : 16;
}

/// Scales that meet one unit in each row.
constexpr int unit_scales(const linear_config& c) {
    return c.form != weight_form::int4 ? 0 : c.group >= unit_columns ? 1 : unit_columns / c.group;
}
constexpr int warps_of(const linear_config& c) {
    return c.row_warps * c.token_warps * c.column_warps;
}
constexpr int block_tiles(const linear_config& c) { return c.row_warps * c.row_tiles; }
/// Tiles of 8 tokens that one warp takes.
constexpr int warp_tokens(const linear_config& c) { return c.token_tile / 8 / c.token_warps; }

/// Columns are dealt to `slices` in whole units, as evenly as they go.
constexpr int slice_start(int units, int slice, int slices) {
    return static_cast<int>(static_cast<long long>(units) * slice / slices);
}

/// Streamed: bytes of x that a block may hold at once.
inline constexpr int streamed_x_bytes = 40 * 1024;
/// Units of x that a warp holds at once: its slice, or half of its room, which then is filled while
/// the other half is used.
constexpr int streamed_x_units(const linear_config& c, int tokens, int units, int splits) {
    const int slice = divide_up(units, splits * c.column_warps);
    const int room =
        streamed_x_bytes / (c.column_warps * at_most(tokens, c.token_tile) * token_unit_bytes);
    if (slice <= room) return slice;
    return at_least(room / 2 / c.depth, 1) * c.depth;
}
constexpr int streamed_x_bytes_of(const linear_config& c, int tokens, int units, int splits) {
    const int held = streamed_x_units(c, tokens, units, splits);
    const int slice = divide_up(units, splits * c.column_warps);
    return (slice > held ? 2 : 1) * held * at_most(tokens, c.token_tile) * token_unit_bytes;
}
/// One warp's sums, as the last step of a block adds them.
constexpr int warp_sum_bytes(const linear_config& c) {
    return c.row_tiles * warp_tokens(c) * 32 * 16;
}

/// Staged: what one stage of the ring holds, in this order.
constexpr int stage_weight_bytes(const linear_config& c) {
    return block_tiles(c) * c.column_warps * unit_bytes(c.form);
}
constexpr int stage_scale_bytes(const linear_config& c) {
    return block_tiles(c) * c.column_warps * unit_scales(c) * unit_rows * scale_bytes(c.scales);
}
constexpr int stage_x_bytes(const linear_config& c) {
    return c.token_tile * c.column_warps * token_unit_bytes;
}
constexpr int stage_bytes(const linear_config& c) {
    return stage_weight_bytes(c) + stage_scale_bytes(c) + stage_x_bytes(c);
}

/// The ring, which in the end holds the sums of all column warps but the first.
constexpr int staged_ring_bytes(const linear_config& c) {
    const int sums = (warps_of(c) - c.row_warps * c.token_warps) * warp_sum_bytes(c);
    return at_least(c.depth * stage_bytes(c), sums);
}

/// Dynamic shared memory of a block; staged: the row of x of each token stands behind the ring.
constexpr int shared_bytes_of(const linear_config& c, int tokens, int columns, int splits) {
    if (c.staged) return staged_ring_bytes(c) + c.token_tile * 4;
    const int x = streamed_x_bytes_of(c, tokens, units_of(columns), splits);
    return c.column_warps * (x + (c.column_warps > 1 ? warp_sum_bytes(c) : 0));
}

}  // namespace g4k
