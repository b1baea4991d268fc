// What the packing kernels are launched with. The host and NVRTC read it: no includes but layouts.
#pragma once
#include "codegen/linear/layout.hpp"

namespace g4k {

enum class source_form { int4, bf16, f16, f32 };

/// A tensor as the checkpoint has it, uploaded as it is. int4: value[r, c] = scales[c / group, r] ·
/// (nibble - 8), nibble c % 8 of data[c / 8, r]; data int32 [columns / 8, rows], scales
/// [ceil(columns / group), rows]. Others: [rows, columns], row-major.
struct matrix_source {
    const void* data = nullptr;
    const void* scales = nullptr;
    source_form form = source_form::int4;
    scale_form scale_type = scale_form::f16;
    int group = 0, rows = 0;
};

/// One matrix of tensors with equal columns: one below the other; paired: of two tensors with equal
/// rows, row by row in turn.
struct pack_args {
    matrix_source sources[4]{};
    int source_count = 0;
    bool paired = false;
    int rows = 0, columns = 0;  // of all together
    int group = 0;              // of the result: 16, 32, 64 or 128; divides each source's
    scale_form scale_type = scale_form::f16;  // of the result: each source's, or f32
    void* weights = nullptr;
    void* scales = nullptr;
};

inline constexpr int pack_threads = 256;
/// Columns that one thread of unpack_bf16 writes.
inline constexpr int unpacked_columns = 16;

}  // namespace g4k
