// Operator linear: the product with a weight matrix, which may be quantised in the checkpoint.
#pragma once
#include "g4/graph/tensor.hpp"

namespace g4 {

template <class X> inline constexpr bool has_axis_to_contract = false;
template <class T, class First, class Next, class... More>
inline constexpr bool has_axis_to_contract<tensor<T, First, Next, More...>> = true;

/// y = x · wᵀ, contracting every axis of x but the first.
///   x       [tokens, In...]  bf16
///   weight  [To..., In...]   bf16, row-major, as in the checkpoint; or W4A16
///   result  [tokens, To...]  summed in f32, and kept as the type of x unless `Result` says other:
///           f32{} for logits, whose log-probabilities need more than bf16 keeps
/// Errors: rejected at compile time when x has no axis left to contract.
/// Cost:   2·tokens·|In|·|To| flops; |In|·|To|·2 bytes of weights.
template <class... To, class T, class First, class... In, class Result = T>
constexpr tensor<Result, First, To...> linear(tensor<T, First, In...> x, text weight,
                                              Result = {}) {
    static_assert(has_axis_to_contract<tensor<T, First, In...>>,
                  "g4: linear: the input has no axis left to contract");
    node n = unary(op::linear, x.id);
    n.weight = weight + ".weight";
    n.weight_shape = x.owner->template shape_of<To..., In...>(sizeof...(To));
    return append_node<tensor<Result, First, To...>>(x.owner, n);
}

}  // namespace g4
