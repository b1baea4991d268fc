// The linear kernel for few tokens whose columns fit its warps: each warp holds x of its own
// columns in registers, and int4 weights of `span` units of columns come whole, on their way before
// the kernel's inputs exist. Between inputs and sums nothing is waited for but x itself.
#pragma once
#include "codegen/core/async_copy.cuh"
#include "codegen/core/depend.cuh"
#include "codegen/core/shared.cuh"
#include "codegen/linear/finish.cuh"
#include "codegen/linear/fragments.cuh"
#include "codegen/linear/x_rows.cuh"

namespace g4k {

/// The units of columns of one warp: first .. first + span - 1, of which `count` exist. Past them
/// the last unit stands in for the weights, and x is zero.
struct resident_units { int first, count; };

template <linear_config C> __device__ resident_units units_of_warp(const linear_args& args) {
    const int warp = static_cast<int>(blockIdx.z) * C.column_warps + threadIdx.x / 32;
    const int units = units_of(args.columns), first = warp * C.span;
    return {at_most(first, units - 1), at_most(at_least(units - first, 0), C.span)};
}

/// Copies one warp's weights: an entry of its ring is row_tiles tiles of its units, then their
/// scales [row tiles][groups][16 rows].
template <linear_config C> class resident_stream {
    static constexpr int tiles = C.row_tiles;
    static constexpr int scale_row = unit_rows * scale_bytes(C.scales), vectors = scale_row / 16;
    static constexpr int scale_copies = tiles * resident_scales(C) * vectors;

  public:
    __device__ resident_stream(const linear_args& args, resident_units mine, shared_address ring)
        : to_{ring}, end_{ring + C.depth * resident_entry_bytes(C)},
          lane_{static_cast<int>(threadIdx.x % 32)}, units_{units_of(args.columns)},
          groups_{stored_groups(args.columns, C.group)}, tail_{at_least(mine.count - 1, 0)},
          first_group_{mine.first * unit_columns / C.group},
          left_{divide_up(tiles_of(args.rows), tiles) - static_cast<int>(blockIdx.x)} {
        const long long tile = static_cast<long long>(blockIdx.x) * tiles;
        weights_ = static_cast<const char*>(args.weights) +
                   (tile * units_ + mine.first) * int4_unit_bytes + lane_ * 16;
        scales_ = static_cast<const char*>(args.scales) + tile * groups_ * scale_row;
    }

    /// The entry of the block's next row tiles, as one group of copies; an empty one past the end.
    __device__ void fetch() {
        if (left_ > 0) copy();
        copy_async_commit();
    }

  private:
    __device__ void copy() {
        const int tile_bytes = units_ * int4_unit_bytes;
#pragma unroll
        for (int m = 0; m < tiles; ++m)
#pragma unroll
            for (int s = 0; s < C.span; ++s)
                copy_async_16(to_ + (m * C.span + s) * int4_unit_bytes + lane_ * 16,
                              weights_ + m * tile_bytes + at_most(s, tail_) * int4_unit_bytes);
#pragma unroll
        for (int base = 0; base < scale_copies; base += 32) {
            const int i = base + lane_, m = i / (resident_scales(C) * vectors);
            const int group = first_group_ + i / vectors % resident_scales(C);
            if (i < scale_copies)
                copy_async_16(to_ + tiles * C.span * int4_unit_bytes + i * 16,
                              scales_ + (m * groups_ + at_most(group, groups_ - 1)) * scale_row +
                                  i % vectors * 16);
        }
        const int blocks = static_cast<int>(gridDim.x);
        left_ -= blocks;
        weights_ += static_cast<long long>(blocks) * tiles * tile_bytes;
        scales_ += static_cast<long long>(blocks) * tiles * groups_ * scale_row;
        to_ += resident_entry_bytes(C);
        if (to_ == end_) to_ -= C.depth * resident_entry_bytes(C);
    }

    shared_address to_, end_;
    int lane_, units_, groups_, tail_, first_group_;
    int left_;  // row blocks still to be fetched, counted in steps of the grid
    const char* weights_;
    const char* scales_;
};

/// x of a warp's units for its tokens, as the mma takes it.
template <linear_config C> struct resident_x {
    unsigned of[C.span][warp_tokens(C)][4][2];

    __device__ void load(const linear_args& args, resident_units mine) {
        const int lane = threadIdx.x % 32, t = lane % 4;
        const int first = mine.first * unit_columns + (C.group >= 32 ? 8 : 4) * t;
        const bool whole = mine.count == C.span && x_aligned(args) &&
                           (mine.first + C.span) * unit_columns <= args.columns;
        const int columns = mine.count > 0 ? args.columns : 0;
#pragma unroll
        for (int n = 0; n < warp_tokens(C); ++n) {
            const int token = static_cast<int>(blockIdx.y) * C.token_tile + n * 8 + lane / 4;
            const bf16_bits* row = x_row(args, at_most(token, args.tokens - 1));
            if (whole) {
#pragma unroll
                for (int i = 0; i < 2 * C.span; ++i) put(i, n, load_whole(row + first + i * 32));
            } else {
#pragma unroll
                for (int i = 0; i < 2 * C.span; ++i)
                    put(i, n, load_parts(row, first + i * 32, columns));
            }
        }
    }

  private:
    /// Columns that a second four comes after the first: see layout.hpp.
    static constexpr int next_four = C.group >= 32 ? 4 : 16;

    __device__ void put(int half_unit, int n, uint4 v) {
        auto& to = of[half_unit / 2][n];
        const int step = half_unit % 2 * 2;
        to[step][0] = v.x;
        to[step][1] = v.y;
        to[step + 1][0] = v.z;
        to[step + 1][1] = v.w;
    }
    static __device__ uint4 load_whole(const bf16_bits* from) {
        if constexpr (next_four == 4) return *reinterpret_cast<const uint4*>(from);
        const uint2 a = *reinterpret_cast<const uint2*>(from);
        const uint2 b = *reinterpret_cast<const uint2*>(from + next_four);
        return make_uint4(a.x, a.y, b.x, b.y);
    }
    /// Element by element, zeros past the last column.
    static __device__ uint4 load_parts(const bf16_bits* row, int column, int columns) {
        unsigned long long a = 0, b = 0;
#pragma unroll 1
        for (int i = column; i < column + 4; ++i) {
            const unsigned long long x = i < columns ? row[i] : 0;
            const unsigned long long y = i + next_four < columns ? row[i + next_four] : 0;
            a = a >> 16 | x << 48;
            b = b >> 16 | y << 48;
        }
        return make_uint4(static_cast<unsigned>(a), static_cast<unsigned>(a >> 32),
                          static_cast<unsigned>(b), static_cast<unsigned>(b >> 32));
    }
};

/// sums = an entry's weights · x. Units side by side: one sum's steps wait for each other.
template <linear_config C> struct resident_product {
    static constexpr int tiles = C.row_tiles, token_tiles = warp_tokens(C);
    float sums[tiles][token_tiles][4]{};

    /// `first_unit`: of the warp; odd ones begin inside a group of two units.
    __device__ void add(shared_address entry, const resident_x<C>& x, int first_unit) {
#pragma unroll
        for (int m = 0; m < tiles; ++m) {
            stored_unit<C> units[C.span];
            stored_scales<C> scales[C.span];
#pragma unroll
            for (int s = 0; s < C.span; ++s) {
                units[s].load(entry + (m * C.span + s) * int4_unit_bytes);
                scales[s].load(entry + tiles * C.span * int4_unit_bytes +
                               (m * resident_scales(C) + group_of(s, first_unit)) * unit_rows *
                                   scale_bytes(C.scales));
            }
#pragma unroll
            for (int n = 0; n < token_tiles; ++n) add_tile(sums[m][n], units, scales, x, n);
        }
    }

  private:
    static __device__ int group_of(int s, int first_unit) {
        if constexpr (C.group <= unit_columns) return s * unit_scales(C);
        return s % 2 == 0 ? s / 2 : s / 2 + (C.span % 2 == 0 ? 0 : first_unit % 2);
    }
    static __device__ void add_tile(float (&sum)[4], const stored_unit<C> (&units)[C.span],
                                    const stored_scales<C> (&scales)[C.span],
                                    const resident_x<C>& x, int n) {
        constexpr int steps = 4 / unit_scales(C);
        float parts[C.span][4];
#pragma unroll
        for (int step = 0; step < 4; ++step)
#pragma unroll
            for (int s = 0; s < C.span; ++s) {
                float (&part)[4] = parts[s];
                if (step % steps == 0) part[0] = part[1] = part[2] = part[3] = 0;
                unsigned a[4];
                units[s].unpack(a, step);
                mma_bf16(part, a, x.of[s][n][step]);
                if (step % steps != steps - 1) continue;
#pragma unroll
                for (int k = 0; k < 4; ++k)
                    sum[k] += part[k] * scales[s].of(step / steps, k / 2);
            }
    }
};

template <linear_config C> __device__ void linear_resident(const linear_args& args) {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const resident_units mine = units_of_warp<C>(args);
    char* shared = shared_memory();
    const shared_address ring =
        address_of(shared + warp * (C.depth * resident_entry_bytes(C)));
    resident_stream<C> stream{args, mine, ring};
    constexpr int ahead = at_least(C.depth - 1, 1);
    for (int i = 0; i < ahead; ++i) stream.fetch();
    let_next_start();
    wait_for_inputs();
    resident_x<C> x;
    x.load(args, mine);
    float4* parts = reinterpret_cast<float4*>(shared + C.column_warps *
                                                           (C.depth * resident_entry_bytes(C)));
    constexpr int fragments = C.row_tiles * warp_tokens(C);
    shared_address entry = ring;
    const int row_blocks = divide_up(tiles_of(args.rows), C.row_tiles);
    for (int block = blockIdx.x, odd = 0; block < row_blocks; block += gridDim.x, odd ^= 1) {
        copy_async_wait<ahead - 1>();
        __syncwarp();
        if constexpr (C.depth > 1) stream.fetch();
        resident_product<C> product;
        product.add(entry, x, mine.first);
        entry += resident_entry_bytes(C);
        if (entry == ring + C.depth * resident_entry_bytes(C)) entry = ring;
        float4* half = parts + odd * (C.column_warps * fragments * 32);
#pragma unroll
        for (int f = 0; f < fragments; ++f) {
            const auto& s = product.sums[f / warp_tokens(C)][f % warp_tokens(C)];
            half[(warp * fragments + f) * 32 + lane] = make_float4(s[0], s[1], s[2], s[3]);
        }
        if constexpr (C.column_warps > 1) __syncthreads();
        else __syncwarp();
        finish_parts<C>(args, half, block * C.row_tiles,
                        static_cast<int>(blockIdx.y) * C.token_tile);
    }
}

}  // namespace g4k
