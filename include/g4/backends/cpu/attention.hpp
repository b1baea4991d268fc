// Attention kernels, and how a tile runs over all the parts that it sees.
#pragma once
#include "g4/backends/cpu/attention_layout.hpp"
#include "g4/backends/cpu/plain_linear.hpp"
#include "g4/backends/cpu/row_kernels.hpp"
#include <algorithm>
#include <limits>

namespace g4::cpu {

/// The state of no keys at all.
inline void clear(const attention_state& state, std::int32_t queries, std::int32_t head_dim) {
    std::fill_n(state.sums, std::int64_t{queries} * head_dim, 0.0f);
    std::fill_n(state.totals, queries, 0.0f);
    std::fill_n(state.peaks, queries, -std::numeric_limits<float>::infinity());
}

namespace portable {
#define G4_CPU_TARGET G4_CPU_PORTABLE
#include "g4/backends/cpu/attention_kernels.inc"
#undef G4_CPU_TARGET
}  // namespace portable

#ifdef G4_CPU_X86
namespace avx2 {
#define G4_CPU_TARGET G4_CPU_AVX2
#include "g4/backends/cpu/attention_kernels.inc"
#undef G4_CPU_TARGET
}  // namespace avx2
namespace avx512 {
#define G4_CPU_TARGET G4_CPU_AVX512
#include "g4/backends/cpu/attention_kernels.inc"
#undef G4_CPU_TARGET
}  // namespace avx512
#endif

inline const attention_kernels& attention_for(isa which) {
#ifdef G4_CPU_X86
    if (which == isa::avx512 || which == isa::bf16) return avx512::attention_of_this_isa;
    if (which == isa::avx2) return avx2::attention_of_this_isa;
#endif
    static_cast<void>(which);
    return portable::attention_of_this_isa;
}

/// Parts [first, last) that hold a key which a query of the tile sees.
struct part_range {
    std::int32_t first = 0, last = 0;
    constexpr std::int32_t count() const { return last - first; }
};
inline part_range parts_of(const attention_rows& q, const query_tile& tile) {
    const std::int32_t least = q.positions[tile.first_row];
    const std::int32_t most = q.positions[tile.first_row + tile.rows - 1];
    const std::int32_t low = q.window > 0 ? std::max(0, least - q.window + 1) : 0;
    return {low / part_keys, most / part_keys + 1};
}

/// Memory for one state: sums, peaks, totals.
inline constexpr std::int64_t state_floats = tile_queries * (max_head_dim + 2);
inline attention_state state_at(float* memory) {
    float* behind = memory + tile_queries * max_head_dim;
    return {memory, behind, behind + tile_queries};
}

/// All parts of a tile on one thread. scratch: two states.
inline void attend_tile(const attention_kernels& kernels, const attention_rows& q,
                        const query_tile& tile, float* scratch) {
    const attention_state total = state_at(scratch), part = state_at(scratch + state_floats);
    clear(total, tile.count(), q.cache.head_dim);
    const part_range range = parts_of(q, tile);
    for (std::int32_t p = range.first; p < range.last; ++p) {
        kernels.attend_part(q, tile, p, part);
        kernels.merge(total, part, tile.count(), q.cache.head_dim);
    }
    kernels.finish(q, tile, total);
}

}  // namespace g4::cpu
