// Where the parts of a step lie in the block of memory that goes to the device once a step.
#pragma once
#include "codegen/attention/config.hpp"
#include "codegen/sample/config.hpp"
#include <cstddef>
#include <cstdint>

namespace g4::cuda {

/// Kernels for many rows of a sequence differ in how many a tile has.
inline constexpr int max_tile_kinds = 4;

/// Rows and sequences that a step is laid out for: its own, or those of the bucket that it fills.
struct step_sizes {
    std::int32_t rows = 0, wanted = 0, sequences = 0;
    std::int32_t decode_rows = 0;       // rows that attend alone
    std::int32_t tiles[max_tile_kinds]{};  // of rows that attend together, by size of tile
    std::int32_t biases = 0;
    std::int64_t pages = 0;             // last, and as long as the step's lists
};

/// Offsets in bytes. Each part is aligned to 16.
struct step_layout {
    std::size_t token_ids = 0, positions = 0, sequence_of = 0, wanted_rows = 0, decode_rows = 0,
                sequences = 0, tiles[max_tile_kinds]{}, samples = 0, biases = 0, pages = 0,
                bytes = 0;
};

inline step_layout layout_of(const step_sizes& n) {
    step_layout out;
    std::size_t next = 0;
    const auto place = [&](std::size_t& at, std::int64_t count, std::size_t size) {
        at = next;
        next += (static_cast<std::size_t>(count) * size + 15) / 16 * 16;
    };
    place(out.token_ids, n.rows, 4);
    place(out.positions, n.rows, 4);
    place(out.sequence_of, n.rows, 4);
    place(out.wanted_rows, n.wanted, 4);
    place(out.decode_rows, n.decode_rows, 4);
    place(out.sequences, n.sequences, sizeof(g4k::sequence_entry));
    for (int k = 0; k < max_tile_kinds; ++k)
        place(out.tiles[k], n.tiles[k], sizeof(g4k::prefill_tile));
    place(out.samples, n.wanted, sizeof(g4k::sample_row));
    place(out.biases, n.biases, sizeof(g4k::token_bias));
    place(out.pages, n.pages, 4);
    out.bytes = next;
    return out;
}

}  // namespace g4::cuda
