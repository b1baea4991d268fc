// What Gemma 4's decoder starts from: token embeddings, and one per-layer input for each layer.
// Source: Gemma4TextModel in transformers 5.17, models/gemma4/modeling_gemma4.py.
#pragma once
#include "models/gemma4/axes.hpp"

namespace g4::gemma4 {

struct token_input {
    static constexpr act<hidden> declare(tensor<i32, tokens> ids) {
        return embed<vocab, hidden>(ids, "embed_tokens") * embed_scale{};
    }
};

/// One ple row for each token and layer: what the token is, and what the context makes of it.
struct layer_inputs {
    static constexpr act<layers, ple> declare(tensor<i32, tokens> ids, act<hidden> x) {
        act<layers, ple> token = embed<ple_vocab, layers, ple>(ids, "embed_tokens_per_layer");
        act<layers, ple> context = linear<layers, ple>(x, "per_layer_model_projection");
        context = rms_norm(context * context_scale{}, "per_layer_projection_norm");
        return (context + token * ple_scale{}) * 0.70710678f;
    }
};

}  // namespace g4::gemma4
