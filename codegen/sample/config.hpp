// What sampling kernels are compiled for and launched with. The host and NVRTC read it.
#pragma once
#include "codegen/core/config.hpp"

namespace g4k {

/// A row of logits is looked at by tiles: the greatest of each tells which few matter.
inline constexpr int sample_tile = 128;

/// What shared memory has room for: powers of two, at least 64. With more threads of the kernel
/// that chooses there would be too few registers for each.
///   tiles       of a row
///   candidates  logits that are sorted; at most 2 * threads
///   bins        of a histogram over keys
///   shared_bytes  what the choosing kernel is launched with
struct sample_config {
    int tiles = 2048;
    int candidates = 1024;
    int bins = 2048;
    int threads = 768;
    int shared_bytes = 42 * 1024;
};

struct token_bias {
    int token;
    float added;
};

/// How the token of one wanted row is chosen: g4::sampling with what the step knows of the row.
/// All zero: a padded row, for which nothing is read or written.
struct sample_row {
    int active;
    float temperature, top_p, min_p;
    int top_k;  // 0: all
    float presence, frequency, repetition;
    unsigned long long seed;
    int position;
    int slot;   // whose tokens are counted; -1: no penalties, nothing is counted
    int given;  // not negative: report this token
    int first_bias, bias_count;
    int top_logprobs;  // -1: none
    int first_top;     // where they begin in sample_args::top
    int unused;
};

/// g4::token_logprob, so that the host may read results where they were copied.
struct sample_choice {
    int token;
    float logprob;
};

/// What sequences have said and been asked, by slot.
struct sample_slots {
    unsigned short* counts;  // [slots][count_stride]: how often each token was chosen, to 65535
    unsigned* prompts;       // [slots][prompt_stride]: a bit for each token of the prompt
    long long count_stride, prompt_stride;
};

/// Memory that kernels hand on to each other; [rows][tiles] unless it says otherwise.
/// `tickets` are zero before the first step; kernels leave them so.
struct sample_scratch {
    unsigned* raw_greatest;    // keys of the tiles' greatest logits
    unsigned* greatest;        // the same with penalties; only of rows that have any
    float* raw_sum;            // Σ e^(logit - greatest of the tile); only of rows with logprobs
    float* sum;                // with penalties and temperature; only of rows that draw from all
    float* bias_raw;           // [biases of the step]: what a bias was added to
    unsigned long long* best;  // [rows][tiles], greedy: each block's greatest key, lowest id
    unsigned* tickets;         // [rows], greedy: blocks that are done
};

struct sample_args {
    float* logits;  // [rows][logits_stride]; logits with a bias are overwritten
    long long logits_stride;
    int vocabulary;
    const sample_row* how;     // [rows]
    const token_bias* biases;  // of the step
    sample_slots slots;
    sample_scratch scratch;
    int* tokens;             // [rows]: what the next step reads
    sample_choice* sampled;  // [rows]
    sample_choice* top;      // in the order of rows, without gaps, the likeliest first
};

/// One slot begins anew; then its prompt is marked, piece by piece.
struct slot_args {
    sample_slots slots;
    int slot;
    const int* tokens;  // a piece of the prompt
    int token_count;
};

/// Shared memory of the kernel that chooses.
template <sample_config config> struct sample_shared {
    unsigned long long list[config.candidates];
    union {
        struct {
            unsigned count[config.bins], low[config.bins], high[config.bins];
        } in_bin;
        struct {
            unsigned long long mass[config.tiles];
            unsigned ties[config.tiles];
        } in_tile;
    };
    unsigned greatest[config.tiles];
    unsigned touched[config.tiles / 32];
    unsigned long long warp_sum[32];
    double warp_number[32];
    unsigned warp_key[32];
    unsigned long long found_before, found_mass;
    unsigned found, found_count, listed;
};

}  // namespace g4k
