// How Gemma 4 checkpoints spell their tensors, and what may lie in them unused.
// Source: published E2B/E4B files; Gemma4ForConditionalGeneration in transformers 5.17.
#pragma once
#include "g4/core/error.hpp"
#include "g4/weights/names.hpp"
#include "models/gemma4/config.hpp"

namespace g4::gemma4 {

/// Keys, values and key norms of layers that share: published files keep them, nothing reads them.
inline std::string dead_cache_pattern(const text_config& c) {
    std::string layers;
    for (int layer = c.num_hidden_layers - c.num_kv_shared_layers; layer < c.num_hidden_layers;
         ++layer)
        layers += concat(layers.empty() ? "" : "|", layer);
    return concat("layers\\.(", layers, ")\\.self_attn\\.(k_proj|v_proj|k_norm)\\..*");
}

/// Whole models (model.language_model.…), text-only exports (model.…), and older exports
/// (language_model.model.…); towers and projectors unused; lm_head equal to the token table.
inline weight_name_rules weight_names(const text_config& c) {
    weight_name_rules out{.prefixes = {"model.", "language_model.", "model."},
                          .respell = {},
                          .ignored = {},
                          .copies = {{"lm_head.weight",
                                      "model.language_model.embed_tokens.weight"}}};
    for (const char* group : {"vision_tower\\..*", "audio_tower\\..*", "embed_vision\\..*",
                              "embed_audio\\..*", "multi_modal_projector\\..*"})
        out.ignored.emplace_back(group);
    if (c.num_kv_shared_layers > 0) out.ignored.emplace_back(dead_cache_pattern(c));
    return out;
}

}  // namespace g4::gemma4
