// The rows of x that a linear kernel multiplies, and their way into shared memory.
#pragma once
#include "codegen/core/shared_address.cuh"
#include "codegen/linear/layout.hpp"

namespace g4k {

/// 8 columns of a row of x from `column` on, zeros past the last. `aligned`: rows are to 16 bytes.
__device__ inline void stage_x(shared_address to, const bf16_bits* row, int column, int columns,
                               bool aligned) {
    if (aligned && column + 8 <= columns) return copy_async_16(to, row + column);
    unsigned words[4]{};
    for (int i = 0; i < 8; ++i)
        if (column + i < columns) words[i / 2] |= unsigned{row[column + i]} << i % 2 * 16;
    store_shared_16(to, make_uint4(words[0], words[1], words[2], words[3]));
}

__device__ inline int x_row_number(const linear_args& args, int token) {
    return args.x_rows != nullptr ? args.x_rows[token] : token;
}
__device__ inline const bf16_bits* x_row(const linear_args& args, int token) {
    return args.x + x_row_number(args, token) * args.x_stride;
}
__device__ inline bool x_aligned(const linear_args& args) {
    return ((reinterpret_cast<unsigned long long>(args.x) | args.x_stride * 2) & 15) == 0;
}

}  // namespace g4k
