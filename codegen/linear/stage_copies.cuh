// How a block of the staged linear kernel fills its ring: each thread knows what it copies of every
// stage, and moves on by constants.
#pragma once
#include "codegen/linear/x_rows.cuh"

namespace g4k {

/// Weights and scales of a block's rows. The last tile, row, group stand in for those past the end.
template <linear_config C> class weight_copies {
    static constexpr int threads = 32 * warps_of(C), tiles = block_tiles(C);
    static constexpr bool int4 = C.form == weight_form::int4;
    static constexpr int weight_chunks = stage_weight_bytes(C) / 16;
    static constexpr int count = divide_up(weight_chunks, threads);
    static constexpr int scale_row = unit_rows * scale_bytes(C.scales);
    static constexpr int scale_chunks = int4 ? stage_scale_bytes(C) / 16 : 0;

  public:
    __device__ weight_copies(const linear_args& args, unit_range range)
        : args_{args}, range_{range} {
        const int first_tile = static_cast<int>(blockIdx.x) * tiles;
        const int more_tiles = tiles_of(args.rows) - 1 - first_tile;
        const int units = units_of(args.columns);
        if constexpr (int4) {
            groups_ = stored_groups(args.columns, C.group);
            base_ = static_cast<const char*>(args.weights) +
                    (static_cast<long long>(first_tile) * units + range.first) * int4_unit_bytes;
            scales_ = static_cast<const char*>(args.scales) +
                      static_cast<long long>(first_tile) * groups_ * scale_row;
        } else {
            base_ = static_cast<const char*>(args.weights) +
                    first_tile * unit_rows * plain_stride(args.columns) * 2 +
                    range.first * (unit_columns * 2);
        }
#pragma unroll
        for (int j = 0; j < count; ++j) {
            const int i = j * threads + threadIdx.x;
            if constexpr (int4) {
                const int tile = at_most(i / 32 / stage_units(C), more_tiles);
                offsets_[j] = (tile * units + unit_at(j)) * int4_unit_bytes + i % 32 * 16;
            } else {
                const int row = at_most(i / 8 / stage_units(C) / unit_rows * unit_rows +
                                            i / 8 % unit_rows,
                                        args.rows - 1 - first_tile * unit_rows);
                offsets_[j] = row * static_cast<int>(plain_stride(args.columns) * 2) +
                              unit_at(j) * (unit_columns * 2) + i % 8 * 16;
            }
        }
        more_tiles_ = more_tiles;
    }

    /// Stage `number`, whose part of the ring begins at `to`.
    __device__ void copy(int number, shared_address to) const {
        const int left = range_.last - range_.first - number * stage_units(C);
        const char* from = base_ + number * stage_units(C) * (int4 ? int4_unit_bytes
                                                                   : unit_columns * 2);
#pragma unroll
        for (int j = 0; j < count; ++j) {
            const int i = j * threads + threadIdx.x;
            if (weight_chunks % threads != 0 && i >= weight_chunks) break;
            if (unit_at(j) >= left) continue;
            if constexpr (int4) {
                copy_async_16(to + i * 16, from + offsets_[j]);
            } else {
                const int unit = range_.first + number * stage_units(C) + unit_at(j);
                const bool valid = unit * unit_columns + i % 8 * 8 < args_.columns;
                const int place = (i / 8 % unit_rows / 2 & 1) << 2;
                copy_async_16(to + (i ^ place) * 16, valid ? from + offsets_[j] : base_, valid);
            }
        }
        if constexpr (int4) copy_scales(number, to + stage_weight_bytes(C));
    }

  private:
    __device__ static int unit_at(int j) {
        const int i = j * threads + threadIdx.x;
        return int4 ? i / 32 % stage_units(C) : i / 8 / unit_rows % stage_units(C);
    }
    __device__ void copy_scales(int number, shared_address to) const {
        constexpr int chunks = scale_row / 16, each = at_least(entry_scales(C), 1);
#pragma unroll
        for (int base = 0; base < scale_chunks; base += threads) {
            const int i = base + threadIdx.x, place = i / chunks;
            if (i >= scale_chunks) break;
            const int tile = at_most(place / each / C.column_warps, more_tiles_);
            const int unit = range_.first + number * stage_units(C) +
                             place / each % C.column_warps * C.span;
            const int group = unit * unit_columns / C.group + place % each;
            if (group >= groups_) break;
            copy_async_16(to + i * 16,
                          scales_ + (tile * groups_ + group) * scale_row + i % chunks * 16);
        }
    }

    const linear_args& args_;
    unit_range range_;
    int groups_ = 0, more_tiles_ = 0;
    const char* base_ = nullptr;
    const char* scales_ = nullptr;
    int offsets_[count];
};

/// x of a block's tokens. The last token stands in for those past the count: their sums are not
/// stored.
template <linear_config C> class x_copies {
    static constexpr int threads = 32 * warps_of(C);
    static constexpr int chunks = stage_x_bytes(C) / 16, count = divide_up(chunks, threads);
    /// Tokens that one thread copies of: all of its copies', unless threads and tokens divide.
    static constexpr int row_chunks = C.token_tile * 8;
    static constexpr bool even = row_chunks % threads == 0 || threads % row_chunks == 0;
    static constexpr int rows =
        even ? at_most(divide_up(C.token_tile * 8, threads), count) : count;

  public:
    __device__ x_copies(const linear_args& args, unit_range range)
        : args_{args}, range_{range}, stride_{static_cast<int>(args.x_stride)},
          aligned_{x_aligned(args)} {
#pragma unroll
        for (int j = 0; j < rows; ++j) {
            const int token = static_cast<int>(blockIdx.y) * C.token_tile + token_at(j);
            rows_[j] = x_row_number(args, at_most(token, args.tokens - 1));
        }
    }
    __device__ void copy(int number, shared_address to) const {
        const int left = range_.last - range_.first - number * stage_units(C);
        const int first = (range_.first + number * stage_units(C)) * unit_columns;
#pragma unroll
        for (int j = 0; j < count; ++j) {
            const int i = j * threads + threadIdx.x, unit = i / 8 / C.token_tile;
            if (chunks % threads != 0 && i >= chunks) break;
            if (unit >= left) continue;
            stage_x(to + (i ^ chunk_turn(token_at(j))) * 16,
                    args_.x + static_cast<long long>(rows_[j % rows]) * stride_,
                    first + unit * unit_columns + i % 8 * 8, args_.columns, aligned_);
        }
    }

  private:
    __device__ static int token_at(int j) {
        return (j * threads + static_cast<int>(threadIdx.x)) / 8 % C.token_tile;
    }

    const linear_args& args_;
    unit_range range_;
    int stride_;
    bool aligned_;
    int rows_[rows];  // an address each would be twice the registers
};

}  // namespace g4k
