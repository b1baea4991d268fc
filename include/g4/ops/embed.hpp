// Operator embed: rows of a table, one for each token.
#pragma once
#include "g4/graph/tensor.hpp"

namespace g4 {

/// Rows of a table, one for each token.
///   ids     [tokens]         i32
///   weight  [Vocab, To...]   bf16
///   result  [tokens, To...]  bf16
template <class Vocab, class... To, class Tokens>
constexpr tensor<bf16, Tokens, To...> embed(tensor<i32, Tokens> ids, text weight) {
    node n = unary(op::embed, ids.id);
    n.weight = weight + ".weight";
    n.weight_shape = ids.owner->template shape_of<Vocab, To...>(1);
    return append_node<tensor<bf16, Tokens, To...>>(ids.owner, n);
}

}  // namespace g4
