// What a row kernel is compiled for and launched with. The host and NVRTC read it: no includes.
#pragma once
#include "codegen/core/config.hpp"

namespace g4k {

/// Where a chain reads an element from.
///   sums   f32 [splits][rows][stride]: partial sums of a linear, added in the order of splits
///   f32    [rows][stride]
///   bf16   [rows][stride]
///   table  bf16 [vocabulary][stride], the row of the token id
enum class source_kind { sums, f32, bf16, table };

/// What a chain leaves behind: a value in a buffer, or in the cache as keys or values.
enum class target_kind { bf16, f32, key, value };
struct row_target {
    int value = 0;
    target_kind kind = target_kind::bf16;
    bool operator==(const row_target&) const = default;
};

/// What is computed for each part of each row: rms_norm and rope reach over one part.
/// Values: sources, then the results of steps. add, mul read `right`, another value.
struct row_chain {
    int width = 0;              // elements of a part; even; rope: pairs lie width / 2 apart
    int parts = 0;              // of a row, side by side
    int source_count = 0;       // at most 3
    source_kind sources[3]{};
    step steps[12]{};
    int target_count = 0;       // at most 3
    row_target targets[3]{};
};

inline constexpr int max_row_chains = 4;

struct row_config {
    int chain_count = 0;
    row_chain chains[max_row_chains]{};
    int team = 32;              // threads that share one part: 32, or a whole block
    int page_tokens = 0;        // of key and value targets
};

struct row_source_args {
    const void* data;           // already at the chain's first column
    long long stride;           // elements from row to row
    long long split_stride;     // elements, sums
    int splits;                 // sums
    const int* rows;            // row r of the launch is row rows[r] of data; null: r
};
struct row_target_args {
    void* data;                 // bf16, f32: already at the first column
    long long stride;
    cache_args cache;           // key, value: part p is kv head p
};
struct row_chain_args {
    row_source_args sources[3];
    row_target_args targets[3];
    const float* vectors[4];    // [width] weights of norms; [1] the number of scale
    const float* rope;          // [step rows][width / 2][2]: cos and sin; null without rope
};

struct row_args {
    int rows;
    const int* step_rows;       // row r of the launch is row step_rows[r] of the step; null: r
    step_tables tables;
    row_chain_args chains[max_row_chains];
};

}  // namespace g4k
