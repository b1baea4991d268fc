// Operator rope: rotary position embedding with pairs half a head apart.
#pragma once
#include "g4/graph/tensor.hpp"

namespace g4 {

/// theta: base of the frequencies; rotary: the share of a head's pairs that turns, the first ones;
/// factor: positions are divided by it, which stretches the context.
/// The exponent counts the whole head: f_m = theta^(-2m / head_dim) / factor, 0 from rotary on.
/// Source: "default", "linear" and "proportional" in transformers, modeling_rope_utils.py.
struct rope_spec {
    number theta;
    number rotary = 1.0f;
    number factor = 1.0f;
};

/// Rotates the last axis by the position of the token: (x_m, x_{m+d/2}) by position · f_m.
///   x, result  [tokens, heads, head_dim]  bf16, angles in f32
template <class T, class Tokens, class Heads, class HeadDim>
constexpr tensor<T, Tokens, Heads, HeadDim> rope(tensor<T, Tokens, Heads, HeadDim> x,
                                                 const rope_spec& spec) {
    node n = unary(op::rope, x.id);
    n.attributes = {x.owner->attribute_of(spec.theta), x.owner->attribute_of(spec.rotary),
                    x.owner->attribute_of(spec.factor)};
    return append_node<tensor<T, Tokens, Heads, HeadDim>>(x.owner, n);
}

}  // namespace g4
