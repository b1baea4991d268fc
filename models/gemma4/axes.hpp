// The names that the declaration of Gemma 4 is written in.
#pragma once
#include "g4/g4.hpp"

namespace g4::gemma4 {

struct tokens   : axis<at_launch> {};    // tokens in this pass
struct vocab    : axis<at_load> {};
struct ple_vocab : axis<at_load> {};     // rows of the per-layer table
struct layers   : axis<at_load> {};
struct hidden   : axis<at_load> {};
struct ffn      : axis<at_load> {};
struct wide_ffn : axis<at_load> {};      // of layers that share a cache: twice ffn on E2B
struct ple      : axis<at_load> {};      // per-layer embedding
struct q_heads  : axis<at_load> {};
struct embed_scale   : scalar {};        // sqrt(hidden)
struct ple_scale     : scalar {};        // sqrt(ple)
struct context_scale : scalar {};        // 1 / sqrt(hidden)
struct logit_cap     : scalar {};
template <class... Axes> using act = tensor<bf16, tokens, Axes...>;

struct local {                           // sliding window
    struct head_dim : axis<at_load> {};
    struct kv_heads : axis<at_load> {};
    struct theta    : scalar {};
    struct width    : scalar {};         // tokens
    static constexpr rope_spec rope{.theta = theta{}};
    static constexpr number window = width{};
};
struct global {                          // whole context; a part of each head rotates
    struct head_dim : axis<at_load> {};
    struct kv_heads : axis<at_load> {};
    struct theta    : scalar {};
    struct rotary   : scalar {};
    static constexpr rope_spec rope{.theta = theta{}, .rotary = rotary{}};
    static constexpr number window = unbounded;
};
enum class kv { own, shared };           // shared: reads the cache of an earlier layer

}  // namespace g4::gemma4
