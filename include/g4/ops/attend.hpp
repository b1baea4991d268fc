// Operators append and attend: the cache of keys and values, and attention over it.
#pragma once
#include "g4/graph/tensor.hpp"

namespace g4 {

inline constexpr float unbounded = 0;  // a window, in tokens, that sees everything

/// window: how many tokens a query sees, itself included; scale: of the scores.
struct attend_spec {
    number window = unbounded;
    number scale = 1.0f;
};

template <class X, class Cache> inline constexpr bool last_axis_is_head_dim_of = false;
template <class T, class Tokens, class Heads, class HeadDim, class KvHeads>
inline constexpr bool
    last_axis_is_head_dim_of<tensor<T, Tokens, Heads, HeadDim>, cache<T, KvHeads, HeadDim>> = true;
template <class X, class Cache> inline constexpr bool fills = false;
template <class T, class Tokens, class KvHeads, class HeadDim>
inline constexpr bool
    fills<tensor<T, Tokens, KvHeads, HeadDim>, cache<T, KvHeads, HeadDim>> = true;

/// The cache with the keys and values of this pass behind those of earlier ones.
///   key, value  [tokens, kv_heads, head_dim]
template <class Cache, class Key, class Value>
constexpr Cache append(Cache past, Key key, Value value) {
    static_assert(axes_agree<Key, Value>, "g4: append: keys and values must agree in every axis");
    static_assert(fills<Key, Cache>, "g4: append: keys must have the axes of the cache");
    return append_node<Cache>(past.owner, {.kind = op::append, .in = {past.id, key.id, value.id}});
}

/// softmax(scale · q · kᵀ) · v, causal; each key head serves q_heads / kv_heads query heads.
///   query, result  [tokens, q_heads, head_dim]  bf16; scores and softmax in f32
/// Errors: rejected at compile time when the head_dim of query and cache differ.
template <class Query, class Cache>
constexpr Query attend(Query query, Cache past, const attend_spec& spec) {
    static_assert(last_axis_is_head_dim_of<Query, Cache>,
                  "g4: attend: the cache must have the head_dim of the query");
    node n = binary(op::attend, query.id, past.id);
    n.attributes = {query.owner->attribute_of(spec.window), query.owner->attribute_of(spec.scale)};
    return append_node<Query>(query.owner, n);
}

}  // namespace g4
