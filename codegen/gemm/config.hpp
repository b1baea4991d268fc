// What a tile-wise matrix product is compiled for and launched with. The host and NVRTC read it.
#pragma once
#include "codegen/core/tensor_map.hpp"
#include "codegen/linear/config.hpp"

namespace g4k {

/// y[token, row] = steps(sum over columns of x[token, column] · w[row, column], inputs...), values
/// and pairs as in linear_config. One block of three warpgroups computes tiles of 128 tokens and
/// row_tile rows: one warpgroup asks for copies, two multiply 64 tokens each.
struct gemm_config {
    int row_tile = 256;         // of the matrix: a multiple of 32 up to 256
    int lead = 2;
    int cluster = 1;            // blocks that read the same rows for neighbouring tokens: 1 or 2
    bool paired = false;
    int input_count = 0;        // at most 2
    step steps[8]{};
    number_type out = number_type::bf16;
};

inline constexpr int gemm_token_tile = 128;
inline constexpr int gemm_depth = 64;  // columns of one stage: 128 bytes, the widest swizzle
inline constexpr int gemm_threads = 384;

constexpr int gemm_step_count(const gemm_config& c) {
    int count = 0;
    while (count < 8 && c.steps[count].op != step_op::end) ++count;
    return count;
}
/// Bytes of one stage: tokens, then rows.
constexpr int gemm_stage_bytes(const gemm_config& c) {
    return (gemm_token_tile + c.row_tile) * gemm_depth * 2;
}
/// Columns of the result that a warp gathers before it stores them: at most 128 bytes of a row.
constexpr int gemm_chunk(const gemm_config& c) {
    const int columns = c.paired ? c.row_tile / 2 : c.row_tile;
    if (columns % 64 == 0 && c.out == number_type::bf16) return 64;
    return columns % 32 == 0 ? 32 : 16;
}
/// Bytes from row to row of a chunk, padded against bank conflicts; a warp gathers 16 rows.
constexpr int gemm_pitch(const gemm_config& c) {
    return c.out == number_type::f32 ? gemm_chunk(c) * 4 + 32 : gemm_chunk(c) * 2 + 16;
}
constexpr int gemm_staging_bytes(const gemm_config& c) { return 16 * gemm_pitch(c); }

/// What a block of sm_90 may have less the barriers.
inline constexpr int gemm_shared_limit = 227 * 1024 - 256;
constexpr int gemm_stages(const gemm_config& c) {
    const int stages = (gemm_shared_limit - 8 * gemm_staging_bytes(c)) / gemm_stage_bytes(c);
    return stages < 8 ? stages : 8;
}
constexpr int gemm_shared_bytes(const gemm_config& c) {
    return 256 + 8 * gemm_staging_bytes(c) + gemm_stages(c) * gemm_stage_bytes(c);
}

/// x is [tokens, columns], weights [rows, columns], both through maps of boxes that are gemm_depth
/// columns wide (128-byte swizzle): x 128 tokens high, weights row_tile / cluster rows.
struct gemm_args {
    tensor_map x, weights;
    int tokens, rows, columns;
    // Of the columns over blocks: 1, or, when steps are empty and out is f32, at most as many as
    // the columns have stages of gemm_depth.
    int splits;
    void* out;                  // [splits][tokens][out_stride]
    long long out_stride, split_stride;
    input_args inputs[2];
    const float* vectors[2];    // step_op::scale
};

}  // namespace g4k
