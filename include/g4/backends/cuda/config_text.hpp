// The configs that kernel families share as text: g4::literal(config) for those that hold steps.
#pragma once
#include "codegen/core/config.hpp"
#include "g4/core/reflect.hpp"
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

BOOST_HANA_ADAPT_STRUCT(g4k::step, op, left, right, number, vector);

// Found by argument: texts that stand where `using namespace g4k` does.
namespace g4k {

constexpr auto spellings(step_op) {
    return std::array<std::string_view, 10>{
        "step_op::end",      "step_op::gelu_tanh", "step_op::silu",  "step_op::add",
        "step_op::mul",      "step_op::multiply",  "step_op::scale", "step_op::softcap",
        "step_op::rms_norm", "step_op::rope"};
}
constexpr auto spellings(number_type) {
    return std::array<std::string_view, 2>{"number_type::bf16", "number_type::f32"};
}

/// An array member, all of it: trailing default items too, so that equal configs have equal text.
template <class T, std::size_t Count> std::string literal(const T (&items)[Count]) {
    using g4::literal;
    std::string out = "{";
    for (const T& item : items) out += (out.size() > 1 ? ", " : "") + literal(item);
    return out + "}";
}

}  // namespace g4k
