// What the first kernel of a step is launched with. The host and NVRTC read it: no includes.
#pragma once
#include "codegen/core/config.hpp"

namespace g4k {

inline constexpr int max_rope_tables = 4;

/// One table of cosines and sines. The frequencies stay the same; the host computes them in f64
/// (rope_frequencies), zero for pairs that do not turn.
struct rope_table_args {
    const float* frequencies;   // [pairs]
    float* values;              // [rows][pairs][2]: cos and sin; 16-byte aligned
    int pairs;                  // half a head
};

/// A negative id -1 - r of the step asks for what the step before chose for its wanted row r.
struct begin_step_args {
    int rows;
    const int* asked_tokens;    // [rows], as the host uploaded them
    const int* last_tokens;     // [wanted rows of the step before]
    int* token_ids;             // [rows]: resolved
    const int* positions;       // [rows]; -1: padded, turns by nothing
    int rope_count;
    rope_table_args ropes[max_rope_tables];
};

}  // namespace g4k
