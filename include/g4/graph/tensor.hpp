// The handles that declare() passes around: axes for the compiler, a node number for the graph.
#pragma once
#include "g4/graph/graph.hpp"

namespace g4 {

/// The result of one node. Operators accept any tensor and check its axes in words.
template <class T, class... Axes> struct tensor {
    graph* owner;
    std::int16_t id;
    constexpr tensor(graph* g, std::int16_t node_id) : owner{g}, id{node_id} {}
    static constexpr int element_bytes = T::bytes;
    static constexpr shape shape_in(graph& g) { return g.shape_of<Axes...>(0); }
};

/// Keys and values of earlier tokens; the runtime owns the pages.
template <class T, class Heads, class HeadDim> struct cache : tensor<T, Heads, HeadDim> {
    using tensor<T, Heads, HeadDim>::tensor;
};

/// Appends `n`, with the axes of `Out` as its result.
template <class Out> constexpr Out append_node(graph* g, node n) {
    n.result = Out::shape_in(*g);
    n.element_bytes = Out::element_bytes;
    return Out{g, g->push(n)};
}

constexpr node unary(op kind, std::int16_t x) { return {.kind = kind, .in = {x, none, none}}; }
constexpr node binary(op kind, std::int16_t x, std::int16_t y) {
    return {.kind = kind, .in = {x, y, none}};
}

/// Two tensors agree in element type and in every axis, in order.
template <class Left, class Right> inline constexpr bool axes_agree = std::is_same_v<Left, Right>;

}  // namespace g4
