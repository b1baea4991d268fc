// A block: a struct whose declare() is run once by the host compiler and leaves a graph behind.
#pragma once
#include "g4/graph/tensor.hpp"
#include <utility>

namespace g4 {

template <class Block, class Result> inline constexpr bool returns_tensor = false;
template <class Block, class T, class... Axes>
inline constexpr bool returns_tensor<Block, tensor<T, Axes...>> = true;

template <class Block, class Result, class... In, std::size_t... Position>
constexpr graph trace(Result (*declare)(In...), std::index_sequence<Position...>) {
    static_assert(returns_tensor<Block, Result>, "g4: block: declare() must return a tensor");
    graph g;
    (append_node<In>(&g, {.kind = op::input}), ...);  // the first nodes, so that input k is node k
    if constexpr (returns_tensor<Block, Result>)
        g.result = declare(In{&g, static_cast<std::int16_t>(Position)}...).id;
    return g;
}
template <class Block, class Result, class... In>
constexpr graph trace(Result (*declare)(In...)) {
    return trace<Block>(declare, std::index_sequence_for<In...>{});
}

template <class Block> struct declared {
    static constexpr graph value = trace<Block>(&Block::declare);
    static_assert(value.node_count <= graph::max_nodes, "g4: block: too many nodes; split it");
    static_assert(value.name_count <= graph::max_names, "g4: block: too many names; split it");
};

/// The graph of a block: a constant in read-only memory.
template <class Block> inline constexpr const graph& graph_of = declared<Block>::value;

}  // namespace g4
