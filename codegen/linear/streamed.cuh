// The linear kernel for few tokens: each warp streams the weights of its columns through a ring of
// its own, x stays. The ring is filled before the kernel's inputs exist, and never runs dry between
// row tiles.
#pragma once
#include "codegen/core/async_copy.cuh"
#include "codegen/core/depend.cuh"
#include "codegen/core/shared.cuh"
#include "codegen/linear/finish.cuh"
#include "codegen/linear/fragments.cuh"
#include "codegen/linear/x_rows.cuh"

namespace g4k {

/// Copies one warp's weights, entry after entry: the entries of its columns, for each of its
/// block's row tiles in turn.
template <linear_config C> class weight_stream {
    static constexpr int tiles = C.row_tiles;
    static constexpr bool int4 = C.form == weight_form::int4;
    static constexpr int scale_row = unit_rows * scale_bytes(C.scales);
    static constexpr int scale_vectors = scale_row / 16;
    static constexpr int scale_copies = tiles * entry_scales(C) * scale_vectors;

  public:
    /// The ring stands at `ring`; entries first .. last - 1 of each row.
    __device__ weight_stream(const linear_args& args, shared_address ring, entry_range range)
        : args_{args}, to_{ring}, end_{ring + C.depth * entry_bytes(C)},
          lane_{static_cast<int>(threadIdx.x % 32)}, units_{units_of(args.columns)},
          range_{range}, block_{static_cast<int>(blockIdx.x)} {
        if constexpr (int4) groups_ = stored_groups(args.columns, C.group);
        left_ = range.first < range.last ? divide_up(tiles_of(args.rows), tiles) - block_ : 0;
        begin_tiles();
    }

    /// The next entry into the next place, as one group of copies; an empty one past the end.
    __device__ void fetch() {
        if (left_ > 0) copy();
        copy_async_commit();
    }
    /// `count` entries as one group.
    __device__ void fetch_first(int count) {
#pragma unroll 1
        for (int i = 0; i < count && left_ > 0; ++i) copy();
        copy_async_commit();
    }

  private:
    __device__ void begin_tiles() {
        entry_ = range_.first;
        const int tile = block_ * tiles;
        if constexpr (int4) {
            const long long unit = static_cast<long long>(tile) * units_ + range_.first * C.span;
            weights_ =
                static_cast<const char*>(args_.weights) + unit * int4_unit_bytes + lane_ * 16;
            scales_ = static_cast<const char*>(args_.scales) +
                      static_cast<long long>(tile) * groups_ * scale_row;
        } else {
            weights_ = static_cast<const char*>(args_.weights) + lane_ % 8 * 16 +
                       range_.first * (C.span * unit_columns * 2);
        }
    }
    __device__ void copy() {
        if constexpr (int4) {
            copy_int4();
            copy_scales();
        } else {
            copy_plain();
        }
        to_ += entry_bytes(C);
        if (to_ == end_) to_ -= C.depth * entry_bytes(C);
        if (++entry_ < range_.last) return;
        block_ += static_cast<int>(gridDim.x);
        left_ -= static_cast<int>(gridDim.x);
        begin_tiles();
    }
    __device__ bool holds(int s) const {
        return C.span == 1 || s == 0 || entry_ * C.span + s < units_;
    }
    __device__ void copy_int4() {
        const int tile_bytes = units_ * int4_unit_bytes;
#pragma unroll
        for (int m = 0; m < tiles; ++m)
#pragma unroll
            for (int s = 0; s < C.span; ++s)
                if (holds(s))
                    copy_async_16(to_ + (m * C.span + s) * int4_unit_bytes + lane_ * 16,
                                  weights_ + m * tile_bytes + s * int4_unit_bytes);
        weights_ += C.span * int4_unit_bytes;
    }
    __device__ void copy_scales() {
        const int group = entry_ * (C.span * unit_columns) / C.group;
#pragma unroll
        for (int base = 0; base < scale_copies; base += 32) {
            const int i = base + lane_, m = i / (entry_scales(C) * scale_vectors);
            if (i < scale_copies)
                copy_async_16(to_ + tiles * C.span * int4_unit_bytes + i * 16,
                              scales_ + (m * groups_ + group) * scale_row +
                                  i % (entry_scales(C) * scale_vectors) * 16);
        }
    }
    __device__ void copy_plain() {
        const int column = entry_ * (C.span * unit_columns) + lane_ % 8 * 8;
        const long long row_bytes = plain_stride(args_.columns) * 2;
#pragma unroll
        for (int i = 0; i < tiles * unit_rows / 4; ++i) {
            const int row = i * 4 + lane_ / 8;
            const char* from =
                weights_ + at_most(block_ * tiles * unit_rows + row, args_.rows - 1) * row_bytes;
            const shared_address to = to_ + i / 4 * (C.span * plain_unit_bytes) +
                                      row % unit_rows * token_unit_bytes +
                                      (lane_ % 8 ^ chunk_turn(row / 2)) * 16;
#pragma unroll
            for (int s = 0; s < C.span; ++s) {
                const bool valid = column + s * unit_columns < args_.columns;
                if (holds(s))
                    copy_async_16(to + s * plain_unit_bytes,
                                  from + (valid ? s * (unit_columns * 2) : 0), valid);
            }
        }
        weights_ += C.span * unit_columns * 2;
    }

    const linear_args& args_;
    shared_address to_, end_;
    int lane_, units_, groups_ = 0;
    entry_range range_;
    int block_, entry_ = 0;
    int left_ = 0;  // row blocks from block_ on; not positive past the end
    const char* weights_ = nullptr;
    const char* scales_ = nullptr;
};

/// One warp's sums of a block's rows and tokens.
template <linear_config C> struct streamed_sums {
    static constexpr int tiles = C.row_tiles, token_tiles = warp_tokens(C);
    float of[tiles][token_tiles][4]{};

    /// `entry`: weights; x: its first unit, of `tokens` tokens.
    __device__ void add(shared_address entry, shared_address x, int tokens, int units) {
        const int lane = threadIdx.x % 32;
        const shared_address scales = entry + tiles * C.span * unit_bytes(C.form);
#pragma unroll
        for (int s = 0; s < C.span; ++s) {
            if (C.span > 1 && s >= units) break;
            x_place places[token_tiles];
#pragma unroll
            for (int n = 0; n < token_tiles; ++n)
                places[n] = x_place_of(x + s * tokens * token_unit_bytes,
                                       at_most(n * 8 + lane / 4, tokens - 1));
            stored_unit<C> weights[tiles];
            stored_scales<C> group[tiles]{};
#pragma unroll
            for (int m = 0; m < tiles; ++m) {
                weights[m].load(entry + (m * C.span + s) * unit_bytes(C.form));
                if constexpr (C.form == weight_form::int4)
                    group[m].load(scales + (m * entry_scales(C) + s * entry_scales(C) / C.span) *
                                               unit_rows * scale_bytes(C.scales));
            }
            unit_product<C, tiles, token_tiles>::add(of, weights, group, places);
        }
    }
    __device__ void put(float4* parts) const {
        const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
#pragma unroll
        for (int f = 0; f < tiles * token_tiles; ++f) {
            const auto& s = of[f / token_tiles][f % token_tiles];
            parts[(warp * tiles * token_tiles + f) * 32 + lane] =
                make_float4(s[0], s[1], s[2], s[3]);
        }
    }
};

/// x of `count` units to shared memory, by a warp for itself: [unit][token][8 chunks].
__device__ inline void fetch_x(const linear_args& args, shared_address to, int unit, int count,
                               int first_token, int tokens) {
    const bool aligned = x_aligned(args);
    for (int token = 0; token < tokens; ++token) {
        const bf16_bits* row = x_row(args, first_token + token);
        for (int i = threadIdx.x % 32; i < count * 8; i += 32)
            stage_x(to + (i / 8 * tokens + token) * token_unit_bytes +
                        (i % 8 ^ chunk_turn(token)) * 16,
                    row, unit * unit_columns + i * 8, args.columns, aligned);
    }
    copy_async_commit();
}

template <linear_config C> __device__ void linear_streamed(const linear_args& args) {
    const int warp = threadIdx.x / 32, units = units_of(args.columns);
    const int first_token = static_cast<int>(blockIdx.y) * C.token_tile;
    const int tokens = at_most(C.token_tile, args.tokens - first_token);
    const entry_range slice = slice_of(C, units, args.splits,
                                          static_cast<int>(blockIdx.z) * C.column_warps + warp);
    char* shared = shared_memory();
    const int room = streamed_warp_bytes(C, args.tokens, units, args.splits);
    const shared_address ring = address_of(shared + warp * room);
    const shared_address x = ring + C.depth * entry_bytes(C);
    weight_stream<C> stream{args, ring, slice};
    stream.fetch_first(C.depth - 1);
    let_next_start();
    wait_for_inputs();
    fetch_x(args, x, slice.first * C.span, (slice.last - slice.first) * C.span, first_token,
            tokens);
    copy_async_wait<0>();
    float4* parts = reinterpret_cast<float4*>(shared + C.column_warps * room);
    constexpr int part_count = C.column_warps * warp_sum_bytes(C) / 16;
    shared_address entry = ring;
    const int row_blocks = divide_up(tiles_of(args.rows), C.row_tiles);
    for (int block = blockIdx.x, odd = 0; block < row_blocks; block += gridDim.x, odd ^= 1) {
        streamed_sums<C> sums;
        for (int i = slice.first; i < slice.last; ++i) {
            copy_async_wait<C.depth - 2>();
            __syncwarp();
            stream.fetch();
            sums.add(entry, x + (i - slice.first) * C.span * tokens * token_unit_bytes, tokens,
                     units - i * C.span);
            entry += entry_bytes(C);
            if (entry == ring + C.depth * entry_bytes(C)) entry = ring;
        }
        sums.put(parts + odd * part_count);
        if constexpr (C.column_warps > 1) __syncthreads();
        else __syncwarp();
        finish_parts<C>(args, parts + odd * part_count, block * C.row_tiles, first_token);
    }
}

}  // namespace g4k
