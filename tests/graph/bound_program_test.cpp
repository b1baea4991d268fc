// A declaration bound to a config: its tensors, its wiring, its printed form.
#include "g4/graph/print.hpp"
#include "models/gemma4/model.hpp"
#include "tests/support/llama_style.hpp"
#include <doctest/doctest.h>

using namespace g4;

namespace {
bound_program e4b() { return bind_program<gemma4::text_model>(gemma4::e4b); }

const declared_tensor& find(const std::vector<declared_tensor>& all, std::string_view name) {
    for (const declared_tensor& t : all)
        if (t.name == name) return t;
    FAIL("no tensor ", name);
    return all.front();
}
}  // namespace

TEST_CASE("bind: E4B's declaration asks for 665 tensors with 7,463,013,418 parameters") {
    // figures of the published checkpoint's text model
    std::int64_t parameters = 0;
    const auto tensors = declared_tensors(e4b());
    for (const declared_tensor& t : tensors) parameters += t.size.rows * t.size.columns;
    CHECK(tensors.size() == 665);
    CHECK(parameters == 7'463'013'418);
}

TEST_CASE("bind: names and shapes are those of the published file") {
    const auto tensors = declared_tensors(e4b());
    const auto& q = find(tensors, "model.language_model.layers.5.self_attn.q_proj.weight");
    CHECK(q.size.rows == 4096);
    CHECK(q.size.columns == 2560);
    CHECK(q.linear);
    const auto& scalar = find(tensors, "model.language_model.layers.41.layer_scalar");
    CHECK(scalar.size.rows * scalar.size.columns == 1);
    const auto& table = find(tensors, "model.language_model.embed_tokens_per_layer.weight");
    CHECK(table.size.columns == 42 * 256);
    CHECK_FALSE(table.linear);
}

TEST_CASE("bind: a tied table is no linear, because an embedding reads its rows") {
    const auto tensors = declared_tensors(e4b());
    CHECK_FALSE(find(tensors, "model.language_model.embed_tokens.weight").linear);
}

TEST_CASE("bind: sharing layers ask for no keys and values") {
    for (const declared_tensor& t : declared_tensors(e4b()))
        CHECK(t.name != "model.language_model.layers.24.self_attn.k_proj.weight");
}

TEST_CASE("bind: E2B's sharing layers have the double MLP") {
    const auto tensors = declared_tensors(bind_program<gemma4::text_model>(gemma4::e2b));
    CHECK(find(tensors, "model.language_model.layers.14.mlp.up_proj.weight").size.rows == 6144);
    CHECK(find(tensors, "model.language_model.layers.15.mlp.up_proj.weight").size.rows == 12288);
}

TEST_CASE("bind: every layer reads the row of its own number of the per-layer inputs") {
    const bound_program p = e4b();
    for (std::size_t layer = 0; layer < 42; ++layer) {
        const bound_call& c = p.calls[2 + layer];
        REQUIRE(c.inputs.size() == 3);
        CHECK(print_feed(c.inputs[0]) == concat("call ", layer == 0 ? 0 : layer + 1));
        CHECK(print_feed(c.inputs[1]) == concat("call 1[", layer, "]"));
        CHECK(print_feed(c.inputs[2]) == "cache");
    }
}

TEST_CASE("bind: sharing layers read the cache of the last owner of their kind") {
    const bound_program p = e4b();
    CHECK(p.calls[2 + 24].kv_layer == 22);
    CHECK(p.calls[2 + 29].kv_layer == 23);
    CHECK(p.calls[2 + 40].kv_layer == 22);
    CHECK(p.calls[2 + 41].kv_layer == 23);
}

TEST_CASE("print: a node shows axes with their sizes, operands, attributes and weight") {
    const bound_program p = e4b();
    const bound_block& layer = p.blocks[2];
    CHECK(print_node(layer.nodes, 13, layer.values) ==
          "13 attend [tokens, q_heads=8, head_dim=256] <- 6 12, width=512, 1");
    CHECK(print_node(layer.nodes, 14, layer.values) ==
          "14 linear [tokens, hidden=2560] <- 13, self_attn.o_proj.weight "
          "[hidden=2560, q_heads=8*head_dim=256]");
}

TEST_CASE("bind: a Llama-style model needs nothing of its own in the framework") {
    const bound_program p = bind_program<llama::model>(llama::llama_3_1_8b);
    const auto tensors = declared_tensors(p);
    CHECK(tensors.size() == 32 * 9 + 3);
    CHECK(find(tensors, "model.layers.31.mlp.down_proj.weight").size.columns == 14336);
    CHECK(find(tensors, "model.lm_head.weight").linear);
}
