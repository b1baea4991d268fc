// A tile of keys or values in shared memory: rows of 16-byte chunks, stirred so that ldmatrix meets
// no bank twice.
#pragma once

namespace g4k {

/// `Chunks` of 8 dimensions a row; even. Eight rows at one chunk fill all 32 banks: the three cases
/// are Chunks a multiple of 8, of 4 and no more, of 2 and no more. Places are in elements.
template <int Chunks> struct slot_places {
    static_assert(Chunks % 2 == 0);
    static constexpr unsigned shift = Chunks % 8 == 0 ? 0 : Chunks % 4 == 0 ? 1 : 2;
    static constexpr unsigned mask = Chunks % 8 == 0 ? 7 : Chunks % 4 == 0 ? 3 : 1;

    static __device__ unsigned of(unsigned row, unsigned chunk) {
        return (row * Chunks + (chunk ^ (row >> shift & mask))) * 8;
    }
    /// The same for row + the row of `lane_place` and chunk + its chunk, where row is a multiple of
    /// 16, chunk is even and that of lane_place 0 or 1: one xor, and the rest is known beforehand.
    static __device__ unsigned from(unsigned lane_place, unsigned row, unsigned chunk) {
        return (lane_place ^ (chunk & mask) * 8) + (chunk & ~mask) * 8 + row * Chunks * 8;
    }

    /// Which row of 16 bytes a lane names so that ldmatrix gives the four 8 x 8 pieces of 16 rows
    /// by 16 dimensions with piece 1 below piece 0, or beside it. Loaded plainly, the former is
    /// mma's a, the latter its b for two neighbours in columns; loaded transposed the other way.
    static __device__ unsigned below() {
        const unsigned lane = threadIdx.x % 32;
        return of(lane % 16, lane / 16);
    }
    static __device__ unsigned beside() {
        const unsigned lane = threadIdx.x % 32;
        return of(lane / 16 * 8 + lane % 8, lane / 8 % 2);
    }
};

}  // namespace g4k
