// How Gemma 3 checkpoints spell their tensors, and what may lie in them unused.
// Source: Gemma3ForCausalLM and Gemma3ForConditionalGeneration in transformers 5.17.
#pragma once
#include "g4/weights/names.hpp"

namespace g4::gemma3 {

/// Text models (model.…) and the text part of whole ones, as written before transformers 4.52
/// (language_model.model.…) and since (model.language_model.…).
inline weight_name_rules weight_names() {
    weight_name_rules out{.prefixes = {"model.", "language_model.", "model."},
                          .respell = {},
                          .ignored = {},
                          .copies = {{"lm_head.weight", "model.embed_tokens.weight"}}};
    for (const char* tower : {"vision_tower\\..*", "multi_modal_projector\\..*"})
        out.ignored.emplace_back(tower);
    return out;
}

}  // namespace g4::gemma3
