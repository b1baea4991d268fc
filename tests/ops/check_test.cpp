// Numbers and wiring that do not fit a declaration, in the words that a user reads.
#include "g4/ops/check.hpp"
#include "models/gemma4/model.hpp"
#include <doctest/doctest.h>
#include <string>

using namespace g4;

namespace {
/// What throw_unless_fit() says of E4B with one thing changed.
template <class Change> std::string refusal(Change change) {
    gemma4::text_config c = gemma4::e4b;
    change(c);
    try {
        throw_unless_fit<gemma4::text_model>(c);
    } catch (const input_error& error) { return error.what(); }
    return "accepted";
}
}  // namespace

TEST_CASE("check: published configs fit") {
    CHECK(refusal([](gemma4::text_config&) {}) == "accepted");
}
TEST_CASE("check: query heads that kv heads do not divide are named with both numbers") {
    CHECK(refusal([](auto& c) { c.num_key_value_heads = 3; }) ==
          "layer 0: attend: expected q_heads a multiple of kv_heads 3, got 8");
}
TEST_CASE("check: the count of layer types must be that of the layers") {
    CHECK(refusal([](auto& c) { c.num_hidden_layers = 41; }) ==
          "config: layer_types: expected 41 entries, got 42");
}
TEST_CASE("check: a sharing layer without an earlier owner of its kind is found") {
    CHECK(refusal([](auto& c) { c.num_kv_shared_layers = 38; }) ==
          "layer 5: expected 1 earlier cache of its kind, got 0");
}
TEST_CASE("check: rotary embedding needs an even head") {
    CHECK(refusal([](auto& c) { c.head_dim = 255; }) ==
          "layer 0: rope: expected head_dim even, got 255");
}
TEST_CASE("check: an axis of no elements is refused") {
    CHECK(refusal([](auto& c) { c.hidden_size_per_layer_input = 0; }) ==
          "block 1: embed: expected ple at least 1, got 0");
}
TEST_CASE("check: more sharing layers than layers are refused before anything is scheduled") {
    CHECK(refusal([](auto& c) { c.num_kv_shared_layers = 42; }) ==
          "config: num_kv_shared_layers: expected 0 to 41, got 42");
}
TEST_CASE("check: a window of no token is refused") {
    CHECK(refusal([](auto& c) { c.sliding_window = 0; }) ==
          "config: sliding_window: expected at least 1, got 0");
}
