// One operator of a declaration as plain data, and what the compiler knows about each operator.
#pragma once
#include "g4/core/text.hpp"
#include <array>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace g4 {

enum class op : std::uint8_t {
    input, embed, linear, rms_norm, rope, append, attend,
    gelu_tanh, silu, add, mul, scale, multiply, softcap
};

enum class role : std::uint8_t {
    input,
    anchor,     // streams weights or cache: decides the kernel family
    gather,     // a row of a table for each token: cheap, may move to its reader
    norm,       // reduces the last axis: cheap, each reader may recompute it
    pointwise,  // each element alone, or each head alone (rope)
    store       // writes a cache
};

/// How many outputs of an anchor must be known before an operator behind it can run.
/// A kernel whose tile is smaller leaves the operator to a later step.
enum class reach : std::uint8_t { element, part, row };  // part: all of the last axis, a head
inline constexpr std::string_view reach_names[]{"element", "part", "row"};

struct op_traits {
    std::string_view name;
    role is;
    reach needs;
};

/// One line for each operator, in the order of `op`.
inline constexpr op_traits traits[] = {
    {"input", role::input, reach::element},
    {"embed", role::gather, reach::element},
    {"linear", role::anchor, reach::element},
    {"rms_norm", role::norm, reach::part},
    {"rope", role::pointwise, reach::part},
    {"append", role::store, reach::element},
    {"attend", role::anchor, reach::element},
    {"gelu_tanh", role::pointwise, reach::element},
    {"silu", role::pointwise, reach::element},
    {"add", role::pointwise, reach::element},
    {"mul", role::pointwise, reach::element},
    {"scale", role::pointwise, reach::element},
    {"multiply", role::pointwise, reach::element},
    {"softcap", role::pointwise, reach::element},
};
static_assert(std::size(traits) == static_cast<std::size_t>(op::softcap) + 1,
              "g4: node: one line of traits for each operator");

constexpr const op_traits& traits_of(op kind) { return traits[static_cast<std::size_t>(kind)]; }
constexpr std::string_view op_name(op kind) { return traits_of(kind).name; }

inline constexpr std::int16_t none = -1;
using name_id = std::int8_t;  // index into graph::names

/// Axes in order. A weight is a matrix: the file joins its first `rows` axes, and the others.
struct shape {
    name_id axes[4]{};
    std::uint8_t rank = 0, rows = 0;
};

/// A number of an operator: a literal, or the name of one that the config gives.
struct attribute {
    float literal = 0;
    name_id name = none;
};

struct node {
    op kind{};
    std::int16_t in[3]{none, none, none};
    std::array<attribute, 3> attributes{};
    text weight{};  // tensor of the checkpoint; empty when the operator has none
    shape weight_shape{};
    shape result{};
    std::uint8_t element_bytes = 0;
};

constexpr role role_of(const node& n) { return traits_of(n.kind).is; }

/// A part is the whole row where the result has no axis before its last.
constexpr reach reach_of(const node& n) {
    const reach needs = traits_of(n.kind).needs;
    return needs == reach::part && n.result.rank == 2 ? reach::row : needs;
}

}  // namespace g4
