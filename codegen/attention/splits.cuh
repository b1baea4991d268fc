// Which keys a decoded row sees, and how they fall to the splits.
#pragma once
#include "codegen/attention/config.hpp"

namespace g4k {

/// Positions first .. last in tiles that begin at `first`; the first `active` splits take `each`
/// tiles, the last of them perhaps fewer. A padded row has none.
struct row_splits {
    int first, last, tiles, each, active;

    __device__ int begin(int split) const { return split * each; }
    __device__ int end(int split) const { return min(tiles, (split + 1) * each); }
};

template <decode_config Config> __device__ row_splits splits_of(int position, int splits) {
    if (position < 0) return {0, -1, 0, 0, 0};
    constexpr int window = Config.attention.window;
    const int first = window > 0 ? max(0, position - window + 1) : 0;
    const int tiles = (position - first) / Config.tile + 1;
    const int each = (tiles + splits - 1) / splits;
    return {first, position, tiles, each, (tiles + each - 1) / each};
}

}  // namespace g4k
