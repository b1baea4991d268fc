// config.json of Gemma 3 in its published forms, and what is refused by the name of its key.
#include "g4/graph/bound_program.hpp"
#include "models/gemma3/checkpoint.hpp"
#include "models/gemma3/model.hpp"
#include "models/gemma3/read_config.hpp"
#include <doctest/doctest.h>

using namespace g4;
namespace json = boost::json;

namespace {
/// config.json of 270M with the keys that the published file has.
json::object published() {
    json::array kinds;
    for (int i = 1; i <= 18; ++i)
        kinds.emplace_back(i % 6 == 0 ? "full_attention" : "sliding_attention");
    return {{"_sliding_window_pattern", 6}, {"attention_bias", false},
            {"attn_logit_softcapping", nullptr}, {"final_logit_softcapping", nullptr},
            {"head_dim", 256}, {"hidden_activation", "gelu_pytorch_tanh"}, {"hidden_size", 640},
            {"intermediate_size", 2048}, {"layer_types", kinds},
            {"max_position_embeddings", 32768}, {"model_type", "gemma3_text"},
            {"num_attention_heads", 4}, {"num_hidden_layers", 18}, {"num_key_value_heads", 1},
            {"query_pre_attn_scalar", 256}, {"rms_norm_eps", 1e-6},
            {"rope_local_base_freq", 10000.0}, {"rope_scaling", nullptr},
            {"rope_theta", 1000000.0}, {"sliding_window", 512},
            {"use_bidirectional_attention", false}, {"vocab_size", 262144}};
}
gemma3::text_config read(const json::object& file) {
    return gemma3::read_text_config(file, "config.json");
}
template <class Change> std::string refusal(Change change) {
    json::object file = published();
    change(file);
    try {
        read(file);
    } catch (const input_error& error) { return error.what(); }
    return "accepted";
}
}  // namespace

TEST_CASE("gemma3 config: the published keys give the constants of 270M") {
    CHECK(literal(read(published())) == literal(gemma3::published_270m));
}
TEST_CASE("gemma3 config: what 4B's file leaves out are the defaults of the class") {
    const json::object whole{
        {"model_type", "gemma3"},
        {"text_config", {{"hidden_size", 2560}, {"intermediate_size", 10240},
                         {"model_type", "gemma3_text"}, {"num_hidden_layers", 34},
                         {"rope_scaling", {{"factor", 8.0}, {"rope_type", "linear"}}},
                         {"sliding_window", 1024}}}};
    CHECK(literal(read(whole)) == literal(gemma3::published_4b));
}
TEST_CASE("gemma3 config: rope_parameters say the same as the older keys") {
    json::object file = published();
    for (const char* key : {"rope_theta", "rope_local_base_freq", "rope_scaling"}) file.erase(key);
    file["rope_parameters"] = {
        {"full_attention", {{"rope_type", "linear"}, {"factor", 8.0}, {"rope_theta", 2e6}}},
        {"sliding_attention", {{"rope_type", "default"}, {"rope_theta", 3e4}}}};
    const gemma3::text_config c = read(file);
    CHECK(c.rope_theta == 2e6f);
    CHECK(c.rope_local_base_freq == 3e4f);
    REQUIRE(c.rope_scaling.has_value());
    CHECK(c.rope_scaling->factor == 8);
}
TEST_CASE("gemma3 config: a default rope scales nothing") {
    json::object file = published();
    file["rope_scaling"] = {{"rope_type", "default"}};
    CHECK_FALSE(read(file).rope_scaling.has_value());
}
TEST_CASE("gemma3 config: without layer_types the pattern gives them") {
    json::object file = published();
    file.erase("layer_types");
    CHECK(literal(read(file)) == literal(gemma3::published_270m));
    file["sliding_window_pattern"] = 3;
    CHECK(read(file).layer_types[2] == gemma3::layer_kind::full);
    CHECK(read(file).layer_types[3] == gemma3::layer_kind::sliding);
}
TEST_CASE("gemma3 config: what the declaration does not know is refused by its key") {
    CHECK(refusal([](auto& c) { c["use_bidirectional_attention"] = true; }) ==
          "config.json: use_bidirectional_attention: expected false: only causal attention is "
          "supported, got true");
    CHECK(refusal([](auto& c) { c["final_logit_softcapping"] = 30.0; })
              .starts_with("config.json: final_logit_softcapping: expected null, got 3"));
    CHECK(refusal([](auto& c) { c["tie_word_embeddings"] = false; })
              .starts_with("config.json: tie_word_embeddings: expected true"));
    CHECK(refusal([](auto& c) { c["hidden_activation"] = "silu"; })
              .starts_with("config.json: hidden_activation: expected \"gelu_pytorch_tanh\""));
    CHECK(refusal([](auto& c) { c["rope_scaling"] = {{"rope_type", "yarn"}, {"factor", 2}}; }) ==
          "config.json: rope_scaling: rope_type: expected linear or default, got \"yarn\"");
    CHECK(refusal([](auto& c) { c["head_dim"] = "wide"; })
              .starts_with("config.json: head_dim: expected a whole number"));
    CHECK(refusal([](auto& c) { c["rope_parameters"] = {{"full_attention", 1}}; })
              .starts_with("config.json: rope_parameters: expected an object for each kind"));
}
TEST_CASE("gemma3 config: sizes that do not fit are found when they are read") {
    gemma3::text_config c = gemma3::published_4b;
    c.num_attention_heads = 6;
    CHECK_THROWS_WITH_AS(throw_unless_fit<gemma3::text_model>(c),
                         "layer 0: attend: expected q_heads a multiple of kv_heads 4, got 6",
                         input_error);
    c = gemma3::published_4b;
    c.rope_scaling->factor = 0;
    CHECK_THROWS_WITH_AS(throw_unless_fit<gemma3::text_model>(c),
                         "layer 5: rope: expected factor above 0, got 0", input_error);
    c = gemma3::published_4b;
    c.query_pre_attn_scalar = -1;
    CHECK_THROWS_WITH_AS(throw_unless_fit<gemma3::text_model>(c),
                         "config: query_pre_attn_scalar: expected above 0, got -1", input_error);
}
TEST_CASE("gemma3 config: 270M has 236 tensors and 268,098,176 parameters") {
    const auto tensors =
        declared_tensors(bind_program<gemma3::text_model>(gemma3::published_270m));
    std::int64_t parameters = 0;
    for (const declared_tensor& t : tensors) parameters += t.size.rows * t.size.columns;
    CHECK(tensors.size() == 236);
    CHECK(parameters == 268098176);
}
TEST_CASE("gemma3 names: text models and both exports of whole ones mean the same tensor") {
    const weight_name_rules rules = gemma3::weight_names();
    const std::string wanted = rules.canonical("model.layers.3.mlp.up_proj.weight");
    CHECK(rules.canonical("language_model.model.layers.3.mlp.up_proj.weight") == wanted);
    CHECK(rules.canonical("model.language_model.layers.3.mlp.up_proj.weight") == wanted);
    for (const char* name : {"vision_tower.vision_model.post_layernorm.bias",
                             "model.vision_tower.vision_model.post_layernorm.bias",
                             "multi_modal_projector.mm_soft_emb_norm.weight"})
        CHECK(rules.ignores(rules.canonical(name)));
    CHECK(rules.copies.at(0).name == "lm_head.weight");
}
