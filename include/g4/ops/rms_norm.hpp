// Operator rms_norm: the last axis divided by its root mean square.
#pragma once
#include "g4/graph/tensor.hpp"
#include <tuple>

namespace g4 {

struct norm_epsilon : scalar {};  // every rms_norm of a model shares it
struct no_weight_t {};
inline constexpr no_weight_t no_weight;

/// y = x / sqrt(mean(x²) + norm_epsilon) · (w + added) over the last axis; no_weight leaves the
/// factor out. `added` is 1 where a checkpoint keeps how far its factors are from 1.
///   x, result  [..., Last]  bf16, computed in f32
///   weight     [Last]
template <class T, class... Axes>
constexpr tensor<T, Axes...> rms_norm(tensor<T, Axes...> x, no_weight_t) {
    node n = unary(op::rms_norm, x.id);
    n.attributes[0] = x.owner->attribute_of(norm_epsilon{});
    return append_node<tensor<T, Axes...>>(x.owner, n);
}
template <class T, class... Axes>
constexpr tensor<T, Axes...> rms_norm(tensor<T, Axes...> x, text weight, number added = 0.0f) {
    using last = std::tuple_element_t<sizeof...(Axes) - 1, std::tuple<Axes...>>;
    node n = unary(op::rms_norm, x.id);
    n.attributes = {x.owner->attribute_of(norm_epsilon{}), x.owner->attribute_of(added)};
    n.weight = weight + ".weight";
    n.weight_shape = x.owner->template shape_of<last>(1);
    return append_node<tensor<T, Axes...>>(x.owner, n);
}

}  // namespace g4
