// The rows of x that a linear kernel multiplies, and their way into shared memory.
#pragma once
#include "codegen/core/async_copy.cuh"
#include "codegen/linear/layout.hpp"

namespace g4k {

/// 8 columns of a row of x from `column` on, zeros past the last. `aligned`: rows are to 16 bytes.
__device__ inline void stage_x(char* to, const bf16_bits* row, int column, int columns,
                               bool aligned) {
    if (aligned && column + 8 <= columns) return copy_async_16(to, row + column, true);
    for (int i = 0; i < 8; ++i)
        reinterpret_cast<bf16_bits*>(to)[i] = column + i < columns ? row[column + i] : 0;
}

__device__ inline const bf16_bits* x_row(const linear_args& args, int token) {
    const long long row = args.x_rows != nullptr ? args.x_rows[token] : token;
    return args.x + row * args.x_stride;
}
__device__ inline bool x_aligned(const linear_args& args) {
    return ((reinterpret_cast<unsigned long long>(args.x) | args.x_stride * 2) & 15) == 0;
}

/// Where chunk `chunk` (8 columns) of a token's unit of x stands: odd tokens are turned by half a
/// line, so that the 32 lanes read 16 bytes each without a bank conflict.
__device__ inline int x_offset(int token, int chunk) {
    return token * token_unit_bytes + (chunk ^ (token & 1) << 2) * 16;
}

}  // namespace g4k
