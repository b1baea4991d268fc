// What attention kernels are compiled for and launched with. The host and NVRTC read it.
#pragma once
#include "codegen/core/config.hpp"

namespace g4k {

struct attention_config {
    int head_dim = 0;           // a multiple of 8, at most 512
    int q_heads = 0, kv_heads = 0;
    int window = 0;             // tokens a query sees, itself included; 0: all
    float scale = 1;
    int page_tokens = 64;
};

/// How decode cuts a row's work. Splits of a cluster add their results on the chip, so that a row
/// with as many splits needs no merge.
struct decode_config {
    attention_config attention;
    int tile = 32;              // keys at a time: 16, 32 or 64, at most a page
    int slots = 5;              // tiles of keys or values on their way at once; 2 or more
    int cluster = 1;            // splits that share a cluster: 1, 2, 4 or 8; above 1 from sm_90 on
};

/// Single queries, each against its whole context, in splits. With parts = splits / cluster above
/// one, a second kernel merges:
///   partial  [rows][q_heads][parts][head_dim] f32, unnormalised
///   extent   [rows][q_heads][parts][2] f32: greatest score · scale · log2 e, sum of exponentials
/// With one part the first kernel writes `out` itself.
struct decode_args {
    const bf16_bits* q;         // row r of the launch is row (q_rows ? q_rows[r] : r)
    long long q_stride;
    const int* q_rows;
    bf16_bits* out;             // row r of the launch goes to row (out_rows ? out_rows[r] : r)
    long long out_stride;       // heads side by side
    const int* out_rows;
    int rows, splits;           // splits: a multiple of the cluster
    const int* step_rows;       // row r of the launch is row step_rows[r] of the step; null: r
    step_tables tables;
    cache_args cache;
    float* partial;
    float* extent;
};

/// Rows first .. first + count - 1 of one sequence's rows in the step.
struct prefill_tile { int sequence, first, count, unused; };

/// Many rows of few sequences; keys and values of the step itself are in the cache already.
struct prefill_args {
    const bf16_bits* q;         // rows of the step
    long long q_stride;
    bf16_bits* out;
    long long out_stride;
    const prefill_tile* tiles;  // [tile_count] in device memory, longest context first
    int tile_count;
    step_tables tables;
    cache_args cache;
};

}  // namespace g4k
