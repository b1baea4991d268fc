// What a linear kernel is compiled for and launched with. The host and NVRTC read it: no includes.
#pragma once
#include "codegen/core/config.hpp"

namespace g4k {

/// How the weights lie on the device.
///   plain_bf16  [rows, columns] row-major: also what the wgmma family reads
///   int4        packed by the family, see linear/pack.cuh
enum class weight_form { plain_bf16, int4 };

/// y[token, row] = steps(sum over columns of x[token, column] · w[row, column], inputs...).
/// Values of the steps: the result (two when paired), then the inputs, then earlier steps.
/// paired: rows 2i and 2i + 1 of the matrix are results 0 and 1 of output column i (gate and up).
struct linear_config {
    weight_form form = weight_form::plain_bf16;
    int group = 0;              // columns that share a scale; int4
    int token_tile = 8;         // tokens that one block takes: 8, 16, 32, 64 or 128
    bool paired = false;
    int input_count = 0;        // at most 2
    step steps[8]{};
    number_type out = number_type::bf16;
};

/// What steps read beside the sums: row r of the launch is row (rows ? rows[r] : r) of data.
struct input_args {
    const bf16_bits* data;      // already at the first column
    long long stride;           // elements from row to row
    const int* rows;
};

struct linear_args {
    const void* weights;
    const void* scales;         // int4: as pack.cuh lays them
    const bf16_bits* x;         // row t of the launch is row (x_rows ? x_rows[t] : t)
    long long x_stride;
    const int* x_rows;
    int tokens, rows, columns;
    int splits;                 // of the columns over blocks; 1, or steps are empty and out is f32
    void* out;                  // [splits][tokens][out_stride]
    long long out_stride, split_stride;
    input_args inputs[2];
    const float* vectors[2];    // step_op::scale
};

}  // namespace g4k
