// What a linear kernel is compiled for and launched with. The host and NVRTC read it: no includes.
#pragma once
#include "codegen/core/config.hpp"

namespace g4k {

/// How the weights lie on the device.
///   plain_bf16  [rows, columns] row-major, each row from a multiple of 16 bytes: also what the
///               wgmma family reads
///   int4        packed by the family, see layout.hpp
enum class weight_form { plain_bf16, int4 };

/// As the checkpoint has them, so that none is rounded; f32 when it mixes types.
enum class scale_form { f16, bf16, f32 };

/// y[token, row] = steps(sum over columns of x[token, column] · w[row, column], inputs...).
/// Values of the steps: the result (two when paired), then the inputs, then earlier steps.
/// paired: rows 2i and 2i + 1 of the matrix are results 0 and 1 of output column i (gate and up).
/// Work is cut into units of 16 rows and 64 columns. A block takes row_warps · row_tiles units of
/// rows and token_tile tokens; its column_warps share the columns.
///   streamed  each warp has a ring of `depth` entries of weights, `span` units of columns each,
///             and the x of its own columns; row_warps and token_warps are 1. A block goes on with
///             further rows, gridDim.x · row_tiles tiles on. For few tokens
///   resident  int4: warps take `span` units of columns each, column_warps · splits · span of them
///             cover all, and hold x in registers; `depth` entries of a warp's weights on their
///             way, 1: just those of one turn, when the grid covers the rows. For few tokens
///   staged    a ring of `depth` stages holds weights and x for all warps, span · column_warps
///             units of columns each
struct linear_config {
    weight_form form = weight_form::plain_bf16;
    scale_form scales = scale_form::f16;  // int4
    int group = 0;              // columns that share a scale: 16, 32, 64 or 128; int4
    int token_tile = 8;         // tokens that one block takes: 8, 16, 32, 64 or 128
    bool staged = false, resident = false;
    int row_tiles = 1;          // units of rows that one warp takes
    int row_warps = 1, token_warps = 1, column_warps = 4;
    int depth = 8, span = 1;
    int most_blocks = 0;        // over the rows, streamed and resident; 0: as many as there are
    bool paired = false;
    int input_count = 0;        // at most 2
    step steps[8]{};
    number_type out = number_type::bf16;
};

/// What steps read beside the sums: row r of the launch is row (rows ? rows[r] : r) of data.
struct input_args {
    const bf16_bits* data = nullptr;  // already at the first column
    long long stride = 0;             // elements from row to row
    const int* rows = nullptr;
};

struct linear_args {
    const void* weights = nullptr;
    const void* scales = nullptr;     // int4: as layout.hpp says
    const bf16_bits* x = nullptr;     // row t of the launch is row (x_rows ? x_rows[t] : t)
    long long x_stride = 0;
    const int* x_rows = nullptr;
    int tokens = 0, rows = 0, columns = 0;
    int splits = 1;                   // of the columns over blocks; 1, or steps are empty and out
                                      // is f32
    void* out = nullptr;              // [splits][tokens][out_stride]
    long long out_stride = 0, split_stride = 0;
    input_args inputs[2]{};
    const float* vectors[2]{};        // step_op::scale
};

}  // namespace g4k
