// Operators that treat each element alone.
#pragma once
#include "g4/graph/tensor.hpp"

namespace g4 {

/// 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x³))).
template <class X> constexpr X gelu_tanh(X x) {
    return append_node<X>(x.owner, unary(op::gelu_tanh, x.id));
}

/// x / (1 + exp(-x)).
template <class X> constexpr X silu(X x) { return append_node<X>(x.owner, unary(op::silu, x.id)); }

template <class T, class... L, class U, class... R>
constexpr tensor<T, L...> operator+(tensor<T, L...> left, tensor<U, R...> right) {
    static_assert(axes_agree<tensor<T, L...>, tensor<U, R...>>,
                  "g4: add: operands must agree in dtype and in every axis, in order");
    return append_node<tensor<T, L...>>(left.owner, binary(op::add, left.id, right.id));
}
template <class T, class... L, class U, class... R>
constexpr tensor<T, L...> operator*(tensor<T, L...> left, tensor<U, R...> right) {
    static_assert(axes_agree<tensor<T, L...>, tensor<U, R...>>,
                  "g4: mul: operands must agree in dtype and in every axis, in order");
    return append_node<tensor<T, L...>>(left.owner, binary(op::mul, left.id, right.id));
}

/// x times a number that is known when the model is bound.
template <class T, class... Axes>
constexpr tensor<T, Axes...> operator*(tensor<T, Axes...> x, number factor) {
    node n = unary(op::multiply, x.id);
    n.attributes[0] = x.owner->attribute_of(factor);
    return append_node<tensor<T, Axes...>>(x.owner, n);
}

/// x times one learned number, which the checkpoint keeps as a tensor of shape [1].
template <class X> constexpr X scale(X x, text weight) {
    node n = unary(op::scale, x.id);
    n.weight = weight;
    return append_node<X>(x.owner, n);
}

/// cap · tanh(x / cap). The result is f32: log-probabilities need more than bf16 keeps.
template <class T, class... Axes>
constexpr tensor<f32, Axes...> softcap(tensor<T, Axes...> x, number cap) {
    node n = unary(op::softcap, x.id);
    n.attributes[0] = x.owner->attribute_of(cap);
    return append_node<tensor<f32, Axes...>>(x.owner, n);
}

}  // namespace g4
