// From the checkpoint's forms to those that linear kernels read. Runs once, at load.
#pragma once
#include "codegen/core/depend.cuh"
#include "codegen/core/int4.cuh"
#include "codegen/core/number.cuh"
#include "codegen/linear/pack_config.hpp"

namespace g4k {

/// The tensor that a row of the combined matrix is from, and the row there.
struct source_row {
    const matrix_source* source = nullptr;  // null: past the last
    int row = 0;
};
__device__ inline source_row find_row(const pack_args& args, int row) {
    if (row >= args.rows) return {};
    if (args.paired) return {&args.sources[row % 2], row / 2};
    int source = 0;
    for (; source + 1 < args.source_count && row >= args.sources[source].rows; ++source)
        row -= args.sources[source].rows;
    return {&args.sources[source], row};
}

/// The nibbles of columns `column` .. column + 3; a multiple of 4.
__device__ inline unsigned four_nibbles(const source_row& at, int column, int columns) {
    if (at.source == nullptr || column >= columns) return 0x8888u;
    const unsigned word = static_cast<const unsigned*>(
        at.source->data)[static_cast<long long>(column / 8) * at.source->rows + at.row];
    return word >> column % 8 * 4 & 0xffffu;
}

/// Bits of `type` as f32.
__device__ inline float scale_value(const void* scales, scale_form type, long long at) {
    if (type == scale_form::f32) return static_cast<const float*>(scales)[at];
    const unsigned short bits = static_cast<const unsigned short*>(scales)[at];
    return type == scale_form::f16 ? half_to_float(bits) : to_float(bits);
}
__device__ inline long long scale_place(const source_row& at, int column) {
    return static_cast<long long>(column / at.source->group) * at.source->rows + at.row;
}

__device__ inline long long thread_number() {
    return static_cast<long long>(blockIdx.x) * pack_threads + threadIdx.x;
}

/// One thread a word: step s of a lane of a unit.
__device__ inline void pack_int4(const pack_args& args) {
    let_next_start();
    wait_for_inputs();
    const int units = units_of(args.columns);
    const long long number = thread_number();
    if (number >= static_cast<long long>(stored_tiles(args.rows)) * units * 128) return;
    const int s = number % 4, lane = number / 4 % 32, unit = number / 128 % units;
    const int row = static_cast<int>(number / 128 / units) * unit_rows + lane / 4 * 2;
    const int place = args.group < 32 ? s * 16 + lane % 4 * 4
                                      : s / 2 * 32 + lane % 4 * 8 + s % 2 * 4;
    const int column = unit * unit_columns + place;
    unsigned word = 0;
    for (int r = 0; r < 2; ++r) {
        const unsigned q = four_nibbles(find_row(args, row + r), column, args.columns);
        word |= ((q & 15u) | (q >> 4 & 15u) << 16 | (q >> 8 & 15u) << 8 | (q >> 12 & 15u) << 24)
                << 4 * r;
    }
    static_cast<unsigned*>(args.weights)[number] = word;
}

/// One thread a scale.
__device__ inline void pack_scales(const pack_args& args) {
    let_next_start();
    wait_for_inputs();
    const int groups = stored_groups(args.columns, args.group);
    const long long number = thread_number();
    if (number >= static_cast<long long>(stored_tiles(args.rows)) * groups * unit_rows) return;
    const int group = number / unit_rows % groups;
    const int row = static_cast<int>(number / unit_rows / groups) * unit_rows + number % unit_rows;
    const source_row at = find_row(args, row);
    const bool real = at.source != nullptr && group * args.group < args.columns;
    const long long place = real ? scale_place(at, group * args.group) : 0;
    if (args.scale_type == scale_form::f32) {
        static_cast<float*>(args.scales)[number] =
            real ? scale_value(at.source->scales, at.source->scale_type, place) : 0;
    } else {
        static_cast<unsigned short*>(args.scales)[number] =
            real ? static_cast<const unsigned short*>(at.source->scales)[place] : 0;
    }
}

__device__ inline float element(const source_row& at, int column, int columns) {
    const matrix_source& source = *at.source;
    const long long place = static_cast<long long>(at.row) * columns + column;
    switch (source.form) {
        case source_form::int4: {
            const unsigned q = four_nibbles(at, column / 4 * 4, columns) >> column % 4 * 4 & 15u;
            return scale_value(source.scales, source.scale_type, scale_place(at, column)) *
                   (static_cast<int>(q) - 8);
        }
        case source_form::bf16:
            return to_float(static_cast<const unsigned short*>(source.data)[place]);
        case source_form::f16:
            return half_to_float(static_cast<const unsigned short*>(source.data)[place]);
        default: return static_cast<const float*>(source.data)[place];
    }
}

/// Rows as bf16, the nearest, in rows of plain_stride; one thread 16 columns of a row.
__device__ inline void unpack_bf16(const pack_args& args) {
    let_next_start();
    wait_for_inputs();
    const long long number = thread_number();
    const long long stride = plain_stride(args.columns);
    const int row = number % args.rows;
    const long long first = number / args.rows * unpacked_columns;
    if (first >= stride) return;
    const source_row at = find_row(args, row);
    for (int i = 0; i < unpacked_columns && first + i < stride; ++i) {
        const int column = static_cast<int>(first) + i;
        static_cast<bf16_bits*>(args.weights)[row * stride + column] =
            column < args.columns ? to_bf16(element(at, column, args.columns)) : 0;
    }
}

}  // namespace g4k
