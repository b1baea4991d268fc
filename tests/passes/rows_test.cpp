// For how many rows each node runs: the prefill skip.
#include "g4/passes/pipeline.hpp"
#include "models/gemma4/model.hpp"
#include "tests/support/llama_style.hpp"
#include <doctest/doctest.h>

using namespace g4;

namespace {
std::string line(const std::string& text, int number) {
    std::size_t at = 0;
    for (int i = 0; i < number; ++i) at = text.find('\n', at) + 1;
    return text.substr(at, text.find('\n', at) - at);
}
}  // namespace

TEST_CASE("rows: layers before the last owner of a cache run for every row") {
    const bound_program p = bind_program<gemma4::text_model>(gemma4::e4b);
    const std::string text = print_rows(p, rows_needed(p));
    CHECK(line(text, 2 + 22) == "  24 decoder_layer<local, kv::own>, layer 22: all");
}
TEST_CASE("rows: layer 23 computes its query side for wanted rows, keys and values for all") {
    const bound_program p = bind_program<gemma4::text_model>(gemma4::e4b);
    const std::string text = line(print_rows(p, rows_needed(p)), 2 + 23);
    CHECK(text.starts_with("  25 decoder_layer<global, kv::own>, layer 23: wanted only: "
                           "4 linear 5 rms_norm 6 rope 13 attend"));
    CHECK(text.find(" 7 linear") == std::string::npos);
    CHECK(text.find(" 12 append") == std::string::npos);
}
TEST_CASE("rows: sharing layers run for wanted rows alone") {
    const bound_program p = bind_program<gemma4::text_model>(gemma4::e4b);
    const auto needs = rows_needed(p);
    for (std::size_t layer = 24; layer < 42; ++layer)
        for (std::int16_t n = 0; n < p.nodes_of(p.calls[2 + layer]).node_count; ++n)
            CHECK(needs[2 + layer][static_cast<std::size_t>(n)] <= rows::wanted);
}
TEST_CASE("rows: without sharing only the last layer skips") {
    const bound_program p = bind_program<llama::model>(llama::llama_3_1_8b);
    const std::string text = print_rows(p, rows_needed(p));
    CHECK(line(text, 31) == "  31 decoder_layer, layer 30: all");
    CHECK(line(text, 32).starts_with("  32 decoder_layer, layer 31: wanted only:"));
}
