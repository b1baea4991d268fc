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
// Stored are whole fours of tiles and whole 128 columns of scales, so that no copy needs a bound.
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
/// As stored; int4.
constexpr int stored_tiles(int rows) { return divide_up(tiles_of(rows), 4) * 4; }
constexpr int stored_groups(int columns, int group) {
    return divide_up(columns, 128) * 128 / group;
}
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

/// Chunks (16 bytes) of x rows, and of pairs of weight rows, with odd numbers are turned by half a
/// line: then 32 lanes that read 16 bytes each meet no bank twice.
constexpr int chunk_turn(int number) { return (number & 1) << 2; }

/// One warp's sums, as the last step of a block adds them.
constexpr int warp_sum_bytes(const linear_config& c) {
    return c.row_tiles * warp_tokens(c) * 32 * 16;
}

/// Streamed: an entry of a warp's ring is `span` units of columns of each of its row tiles, then
/// their scales [row tiles][groups][16 rows].
constexpr int entry_scales(const linear_config& c) {
    return c.form != weight_form::int4 ? 0 : at_least(c.span * unit_columns / c.group, 1);
}
constexpr int entry_bytes(const linear_config& c) {
    return c.row_tiles * (c.span * unit_bytes(c.form) +
                          entry_scales(c) * unit_rows * scale_bytes(c.scales));
}

/// Entries of columns that one of splits · column_warps slices takes.
struct entry_range { int first, last; };
constexpr entry_range slice_of(const linear_config& c, int units, int splits, int slice) {
    const int entries = divide_up(units, c.span);
    int each = entries / c.column_warps;
    if (splits > 1) each /= splits;
    const int rest = entries - each * c.column_warps * splits;
    const int first = slice * each + at_most(slice, rest);
    return {first, first + each + (slice < rest ? 1 : 0)};
}
/// Shared memory of one warp: its ring, then x of its slice.
constexpr int streamed_warp_bytes(const linear_config& c, int tokens, int units, int splits) {
    const entry_range longest = slice_of(c, units, splits, 0);
    return c.depth * entry_bytes(c) + (longest.last - longest.first) * c.span *
                                          at_most(tokens, c.token_tile) * token_unit_bytes;
}

/// Resident: groups of columns that meet the units of a warp, which may begin inside one.
constexpr int resident_scales(const linear_config& c) {
    if (c.group <= unit_columns) return c.span * unit_columns / c.group;
    return (c.span + 1) / 2;  // even spans begin with a group, odd ones end or begin inside one
}
constexpr int resident_entry_bytes(const linear_config& c) {
    return c.row_tiles * (c.span * int4_unit_bytes +
                          resident_scales(c) * unit_rows * scale_bytes(c.scales));
}

/// Units of columns that one of `splits` blocks takes, in whole entries.
struct unit_range { int first, last; };
constexpr unit_range split_of(const linear_config& c, int units, int splits, int split) {
    if (splits == 1) return {0, units};
    const int entries = divide_up(units, c.span), each = entries / splits, rest = entries % splits;
    const int first = split * each + at_most(split, rest);
    const int last = first + each + (split < rest ? 1 : 0);
    return {first * c.span, at_most(last * c.span, units)};
}

/// Staged: what one stage of the ring holds, in this order: entries of each row tile and column
/// warp ([row tiles][column warps][span]), their scales likewise, x [column warps · span][tokens].
constexpr int stage_units(const linear_config& c) { return c.column_warps * c.span; }
constexpr int stage_weight_bytes(const linear_config& c) {
    return block_tiles(c) * stage_units(c) * unit_bytes(c.form);
}
/// Scales of one row in one stage: [column warps][groups of an entry].
constexpr int stage_scale_bytes(const linear_config& c) {
    return block_tiles(c) * c.column_warps * entry_scales(c) * unit_rows * scale_bytes(c.scales);
}
constexpr int stage_x_bytes(const linear_config& c) {
    return c.token_tile * stage_units(c) * token_unit_bytes;
}
constexpr int stage_bytes(const linear_config& c) {
    return stage_weight_bytes(c) + stage_scale_bytes(c) + stage_x_bytes(c);
}

/// The ring, which in the end holds the sums of all column warps but the first.
constexpr int staged_ring_bytes(const linear_config& c) {
    const int sums = (warps_of(c) - c.row_warps * c.token_warps) * warp_sum_bytes(c);
    return at_least(c.depth * stage_bytes(c), sums);
}

/// Dynamic shared memory of a block.
constexpr int shared_bytes_of(const linear_config& c, int tokens, int columns, int splits) {
    if (c.staged) return staged_ring_bytes(c);
    if (c.resident)
        return c.column_warps * (c.depth * resident_entry_bytes(c) + 2 * warp_sum_bytes(c));
    return c.column_warps *
           (streamed_warp_bytes(c, tokens, units_of(columns), splits) + 2 * warp_sum_bytes(c));
}

}  // namespace g4k
