// What a plain linear reads: a matrix as it lies in the file, and activations arranged for it.
#pragma once
#include "g4/backends/cpu/isa.hpp"
#include "g4/core/dtype.hpp"
#include <cstddef>
#include <cstdint>

namespace g4::cpu {

/// [rows, columns] row-major; `data` may have any alignment.
struct plain_matrix {
    const std::byte* data = nullptr;
    dtype type = dtype::bf16;
    std::int64_t rows = 0, columns = 0;
};

/// Rows arranged by the kernel that will read them; each has `stride` floats, zeros behind its end.
struct plain_rows {
    const float* data = nullptr;
    std::int64_t stride = 0;
    std::int32_t tokens = 0;
};

/// Floats that an arranged row of so many columns takes, with every instruction set.
constexpr std::int64_t arranged_columns(std::int64_t columns) { return (columns + 31) / 32 * 32; }

/// One way to multiply. What arrange() writes, only the multiply() beside it reads.
struct plain_kernels {
    /// One row [columns] to [arranged_columns(columns)], for weights of `type`.
    void (*arrange)(const float* x, std::int64_t columns, dtype type, float* to) = nullptr;
    /// result[t][r] = Σ w[r] · x[t] for rows [first, last); f32 products and sums, whose order
    /// does not depend on the number of tokens. `result` has `stride` floats a token, column 0 is
    /// row 0.
    void (*multiply)(const plain_matrix& w, const plain_rows& x, float* result, std::int64_t stride,
                     std::int64_t first, std::int64_t last) = nullptr;
};

}  // namespace g4::cpu
