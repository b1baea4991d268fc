// How Gemma 4's tensors may be spelled, and what may lie in a file unused.
#include "models/gemma4/checkpoint.hpp"
#include <doctest/doctest.h>

using namespace g4;

TEST_CASE("checkpoint names: whole models, text-only and older exports mean the same tensor") {
    const weight_name_rules rules = gemma4::weight_names(gemma4::e4b);
    const std::string wanted =
        rules.canonical("model.language_model.layers.3.mlp.up_proj.weight");
    CHECK(rules.canonical("model.layers.3.mlp.up_proj.weight") == wanted);
    CHECK(rules.canonical("language_model.model.layers.3.mlp.up_proj.weight") == wanted);
    CHECK(rules.canonical("layers.3.mlp.up_proj.weight") == wanted);
}
TEST_CASE("checkpoint names: towers and projectors may lie there unused") {
    const weight_name_rules rules = gemma4::weight_names(gemma4::e4b);
    for (const char* name : {"model.vision_tower.patch_embedder.input_proj.weight",
                             "model.audio_tower.layers.0.norm_out.weight",
                             "model.embed_vision.embedding_projection.weight",
                             "model.embed_audio.embedding_projection.weight"})
        CHECK(rules.ignores(rules.canonical(name)));
}
TEST_CASE("checkpoint names: keys and values of sharing layers are dead, those of owners are not") {
    const weight_name_rules rules = gemma4::weight_names(gemma4::e4b);
    const auto ignored = [&](int layer, const char* part) {
        return rules.ignores(rules.canonical(
            concat("model.language_model.layers.", layer, ".self_attn.", part)));
    };
    CHECK(ignored(24, "k_proj.weight"));
    CHECK(ignored(41, "v_proj.qweight"));
    CHECK(ignored(30, "k_norm.weight"));
    CHECK_FALSE(ignored(23, "k_proj.weight"));
    CHECK_FALSE(ignored(24, "q_proj.weight"));
    CHECK_FALSE(ignored(2, "k_proj.weight"));
    CHECK_FALSE(ignored(4, "v_proj.qweight"));
}
TEST_CASE("checkpoint names: a model without sharing has no dead keys and values") {
    gemma4::text_config alone = gemma4::e4b;
    alone.num_kv_shared_layers = 0;
    const weight_name_rules rules = gemma4::weight_names(alone);
    CHECK_FALSE(rules.ignores("layers.41.self_attn.k_proj.weight"));
}
