// A stage of the plan made ready to run: nodes become operations on rows with every pointer known.
#pragma once
#include "g4/backends/cpu/packed_weights.hpp"
#include "g4/passes/plan.hpp"
#include <string>
#include <vector>

namespace g4::cpu {

inline constexpr std::int32_t no_index = -1;

/// Where an operand of a row operation lies.
///   result   row of anchor `index`, f32, in the stage's scratch
///   scratch  `offset` floats into the thread's scratch
///   buffer   row of plan buffer `index`, bf16, from element `offset`
struct operand {
    enum kind : std::uint8_t { absent, result, scratch, buffer } in = absent;
    std::int32_t index = no_index;
    std::int64_t offset = 0;
};

/// A piece of cos and sin of the step: see rope_tables.
struct rope_use {
    std::int32_t table = no_index;
    std::int64_t turning = 0;
};

/// One node, for one row. It works in place at `to`; `from` is copied there first where it differs.
struct row_op {
    op kind = op::input;  // input: nothing but to be published
    operand from{}, right{}, to{};
    std::int64_t width = 0, part = 0;  // elements of the row, and of its last axis
    float number = 0;                  // epsilon, factor, or cap
    const float* factors = nullptr;    // weight of a norm; may be null
    const weight* table = nullptr;     // of an embedding
    rope_use rope{};
    std::int32_t cache = no_index;    // append: into plan::caches
    std::int32_t publish = no_index;  // plan buffer that gets the row
};

/// An anchor of the pass.
struct anchor_op {
    const linear_weight* linear = nullptr;  // else attention
    std::int64_t width = 0;                 // floats of a row of its result
    std::int32_t cache = no_index;          // attention: plan::caches, and the rest
    std::int32_t q_heads = 0, window = 0;
    float scale = 1;
};

/// What one stage computes for one class of rows.
struct stage_pass {
    enum class anchors : std::uint8_t { none, linear, attention };
    std::string name;
    anchors kind = anchors::none;
    rows of = rows::all;
    operand activation{};  // what the anchors read: scratch after `prologue`, or a buffer
    std::int64_t activation_width = 0;
    std::vector<row_op> prologue, epilogue;
    std::vector<anchor_op> anchors_in_order;
    bool by_element = false;          // the epilogue may run on any range of columns
    std::int64_t result_floats = 0;   // of one row over all anchors
    std::int64_t scratch_floats = 0;  // of one thread
};

}  // namespace g4::cpu
