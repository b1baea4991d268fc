// config.json of Gemma 4 in its published forms, and what is refused by the name of its key.
#include "models/gemma4/model.hpp"
#include "models/gemma4/read_config.hpp"
#include <doctest/doctest.h>

using namespace g4;
namespace json = boost::json;

namespace {
/// E4B's text_config with the keys that a published file has.
json::object published() {
    return {{"vocab_size", 262144}, {"vocab_size_per_layer_input", 262144}, {"hidden_size", 2560},
            {"hidden_size_per_layer_input", 256}, {"intermediate_size", 10240},
            {"use_double_wide_mlp", false}, {"num_hidden_layers", 42},
            {"num_kv_shared_layers", 18}, {"num_attention_heads", 8}, {"num_key_value_heads", 2},
            {"num_global_key_value_heads", nullptr}, {"head_dim", 256}, {"global_head_dim", 512},
            {"sliding_window", 512}, {"rms_norm_eps", 1e-6}, {"final_logit_softcapping", 30.0},
            {"enable_moe_block", false}, {"attention_k_eq_v", false},
            {"hidden_activation", "gelu_pytorch_tanh"}, {"tie_word_embeddings", true},
            {"use_bidirectional_attention", nullptr}};
}
gemma4::text_config read(const json::object& text) {
    return gemma4::read_text_config(json::object{{"text_config", text}}, "config.json");
}
template <class Change> std::string refusal(Change change) {
    json::object text = published();
    change(text);
    try {
        read(text);
    } catch (const input_error& error) { return error.what(); }
    return "accepted";
}
}  // namespace

TEST_CASE("config: the published keys give the constants of E4B") {
    CHECK(literal(read(published())) == literal(gemma4::e4b));
}
TEST_CASE("config: a text-only export without text_config is the same") {
    CHECK(literal(gemma4::read_text_config(published(), "config.json")) == literal(gemma4::e4b));
}
TEST_CASE("config: per_layer_config says the same as global_head_dim") {
    json::object text = published();
    text.erase("global_head_dim");
    json::object layers;
    for (int layer = 5; layer < 42; layer += 6)
        layers[layer < 10 ? concat("0", layer) : concat(layer)] = json::object{{"head_dim", 512}};
    text["per_layer_config"] = layers;
    const gemma4::text_config c = read(text);
    CHECK(c.global_head_dim == 512);
    CHECK(c.num_global_key_value_heads == 2);
    CHECK_NOTHROW(throw_unless_fit<gemma4::text_model>(c));
}
TEST_CASE("config: per_layer_config with two sizes of one kind is refused by layer and key") {
    CHECK(refusal([](json::object& text) {
              text["per_layer_config"] = {{"5", {{"head_dim", 512}}}, {"11", {{"head_dim", 128}}}};
          }) == "config.json: text_config: per_layer_config: 11: head_dim: expected 512 as in "
                "every layer of its kind, got 128");
}
TEST_CASE("config: without both forms full layers have heads of 512, as in the source") {
    json::object text = published();
    text.erase("global_head_dim");
    CHECK(read(text).global_head_dim == 512);
}
TEST_CASE("config: num_global_key_value_heads counts only with k equal v, as in the source") {
    json::object text = published();
    text["num_global_key_value_heads"] = 4;
    CHECK_FALSE(read(text).num_global_key_value_heads.has_value());
}
TEST_CASE("config: the last layer is full attention, as the source forces it") {
    json::object text = published();
    json::array kinds;
    for (int i = 0; i < 42; ++i) kinds.emplace_back("sliding_attention");
    text["layer_types"] = kinds;
    CHECK(read(text).layer_types[41] == gemma4::layer_kind::full);
    CHECK(read(text).layer_types[40] == gemma4::layer_kind::sliding);
}
TEST_CASE("config: what the declaration does not know is refused by its key") {
    CHECK(refusal([](auto& t) { t["enable_moe_block"] = true; })
              .starts_with("config.json: text_config: enable_moe_block: expected false"));
    CHECK(refusal([](auto& t) { t["attention_k_eq_v"] = true; })
              .starts_with("config.json: text_config: attention_k_eq_v: expected false"));
    CHECK(refusal([](auto& t) { t["use_bidirectional_attention"] = "vision"; })
              .find("use_bidirectional_attention: expected null") != std::string::npos);
    CHECK(refusal([](auto& t) { t["hidden_activation"] = "silu"; }) ==
          "config.json: text_config: hidden_activation: expected gelu_pytorch_tanh, got \"silu\"");
    CHECK(refusal([](auto& t) { t["tie_word_embeddings"] = false; })
              .find("tie_word_embeddings") != std::string::npos);
    CHECK(refusal([](auto& t) { t["hidden_size_per_layer_input"] = 0; })
              .find("hidden_size_per_layer_input: expected at least 1") != std::string::npos);
}
TEST_CASE("config: a rope form that is not the published one is refused") {
    CHECK(refusal([](auto& t) {
              t["rope_parameters"] = {{"sliding_attention", {{"rope_theta", 1e4}}},
                                      {"full_attention", {{"rope_type", "yarn"}}}};
          }) == "config.json: text_config: rope_parameters: full_attention: rope_type: expected "
                "proportional, got \"yarn\"");
}
TEST_CASE("config: missing and misfit values are named by their path") {
    CHECK(refusal([](auto& t) { t.erase("head_dim"); }) ==
          "config.json: text_config: head_dim: expected a value, got none");
    CHECK(refusal([](auto& t) { t["hidden_size"] = "wide"; }) ==
          "config.json: text_config: hidden_size: expected a whole number up to 2147483647, got "
          "\"wide\"");
    CHECK(refusal([](auto& t) { t["hidden_size"] = 3e12; })
              .starts_with("config.json: text_config: hidden_size: expected a whole number"));
    CHECK(refusal([](auto& t) { t["layer_types"] = {"chunked_attention", "full_attention"}; }) ==
          "config.json: text_config: layer_types[0]: expected sliding_attention or full_attention, "
          "got \"chunked_attention\"");
}
