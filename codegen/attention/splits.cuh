// Which keys a decoded row sees, and how they fall to the splits.
#pragma once
#include "codegen/attention/layout.hpp"

namespace g4k {

/// Positions first .. last, in whole tiles of absolute positions; the first `active` splits take
/// `each` tiles, the last of them perhaps fewer. A padded row has none.
struct row_splits {
    int first, last;
    int first_tile, tiles;
    int each, active;

    __device__ int begin(int split) const { return first_tile + split * each; }
    __device__ int end(int split) const { return first_tile + min(tiles, (split + 1) * each); }
};

template <attention_config Config> __device__ row_splits splits_of(int position, int splits) {
    constexpr int tile = decode_layout_for<Config>.tile;
    if (position < 0) return {0, -1, 0, 0, 0, 0};
    const int first = Config.window > 0 ? max(0, position - Config.window + 1) : 0;
    const int first_tile = first / tile, tiles = position / tile + 1 - first_tile;
    const int each = (tiles + splits - 1) / splits;
    return {first, position, first_tile, tiles, each, (tiles + each - 1) / each};
}

}  // namespace g4k
