// The stages of a plan as the CUDA back end runs them: each pass is one kernel, or a pair of them.
// What differs from step to step (rows, variants, addresses) is left to launches.hpp.
#pragma once
#include "codegen/attention/config.hpp"
#include "codegen/linear/config.hpp"
#include "codegen/row/config.hpp"
#include "g4/graph/bound_rope.hpp"
#include "g4/passes/plan.hpp"
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace g4::cuda {

inline constexpr std::int32_t no_index = -1;

/// Rows that a pass reads or leaves behind.
///   buffer      plan buffer `index`
///   activation  bf16, what the next linear reads
///   sums        f32, what a linear could not finish itself; from column `offset`
///   table       plain weight `index` of lowered_plan::tables, the row of the token
struct operand {
    enum place : std::uint8_t { absent, buffer, activation, sums, table } in = absent;
    std::int32_t index = no_index;
    std::int64_t offset = 0;  // elements, into each row
    friend bool operator==(const operand&, const operand&) = default;
};

/// The weights that one linear pass reads: tensors of equal columns, one below the other; paired:
/// row by row in turn.
struct matrix_use {
    std::vector<std::string> tensors;
    bool paired = false;
    std::int64_t rows = 0, columns = 0;  // of all together
    friend bool operator==(const matrix_use&, const matrix_use&) = default;
};

/// One chain of a row pass: the numbers of g4k::row_chain and what they stand for.
struct row_use {
    g4k::row_chain chain{};
    std::vector<operand> sources{}, targets{};  // a target without place goes to `cache`
    std::vector<bound_vector> vectors{};
    std::int32_t rope = no_index;               // of lowered_plan::ropes
    std::int32_t cache = no_index;              // of plan::caches
};
struct row_pass {
    std::vector<row_use> chains;
};

struct linear_pass {
    std::int32_t matrix = no_index;  // of lowered_plan::matrices
    operand x, out;
    bool finished = false;           // steps are applied and `out` is a buffer; else sums
    std::vector<g4k::step> steps{};
    std::vector<operand> inputs{};
    std::vector<bound_vector> vectors{};
    g4k::number_type out_type = g4k::number_type::bf16;
    /// Finished: the same steps as a row pass over sums, for matrices of few rows, whose columns
    /// are then shared by blocks.
    std::optional<row_pass> apart{};
};

struct attention_pass {
    operand q, out;
    std::int32_t cache = no_index;  // of plan::caches
    g4k::attention_config config{};
};

/// One pass for one class of rows. `stage` is where it comes from; the name says what it computes.
struct device_pass {
    std::string name;
    std::int32_t stage = no_index;
    rows of = rows::all;
    std::variant<linear_pass, row_pass, attention_pass> work;
};

struct lowered_plan {
    std::vector<device_pass> passes;
    std::vector<matrix_use> matrices;
    std::vector<std::string> tables;   // tensors that rows are gathered from
    std::vector<bound_vector> vectors;
    std::vector<bound_rope> ropes;     // one table a step, for all layers that turn alike
    std::int64_t activation_width = 0, sums_width = 0;  // elements of the longest row
};

/// The place of `item` in `list`, where it is put when it is new.
template <class T> std::int32_t index_in(std::vector<T>& list, const T& item) {
    const auto found = std::find(list.begin(), list.end(), item);
    const auto at = found - list.begin();
    if (found == list.end()) list.push_back(item);
    return static_cast<std::int32_t>(at);
}

}  // namespace g4::cuda
