// Groups of Gemma 4's blocks in the printed form, and what verify says of broken rules.
#include "g4/passes/fuse.hpp"
#include "models/gemma4/model.hpp"
#include "tests/support/llama_style.hpp"
#include <doctest/doctest.h>

using namespace g4;

namespace {
bound_program e4b() { return fold(bind_program<gemma4::text_model>(gemma4::e4b)); }

std::string kinds(const fused_program& p, std::size_t block) {
    std::string out;
    for (const group& made : p.blocks[block].groups)
        out += kinds_of(p.program.blocks[block].nodes, made) + "\n";
    return out;
}

/// What verify says after fusing with one rule replaced.
std::string broken(std::string_view replaced, placement (*place)(const fusion&, std::int16_t)) {
    std::vector<rule> rules{std::begin(fusion_rules), std::end(fusion_rules)};
    for (rule& r : rules)
        if (r.name == replaced) r.place = place;
    try {
        verify(fuse(e4b(), rules));
    } catch (const internal_error& error) { return error.what(); }
    return "nothing found";
}
}  // namespace

TEST_CASE("fuse: a layer with its own cache becomes seven stages") {
    CHECK(kinds(fuse(e4b()), 2) == "rms_norm linear*3 rms_norm*3 rope*2 append\n"
                                   "attend\n"
                                   "linear rms_norm add\n"
                                   "rms_norm linear*2 gelu_tanh mul\n"
                                   "linear rms_norm add\n"
                                   "linear gelu_tanh mul\n"
                                   "linear rms_norm add scale\n");
}
TEST_CASE("fuse: the head is one stage") {
    CHECK(kinds(fuse(e4b()), 6) == "rms_norm linear softcap\n");
}
TEST_CASE("fuse: table rows travel to the epilogue that reads them") {
    CHECK(kinds(fuse(e4b()), 1) == "linear embed multiply*3 rms_norm add\n");
}
TEST_CASE("fuse: gate and up projections become one kernel, element by element behind it") {
    const fused_program p = fuse(e4b());
    CHECK(print(p.program.blocks[2].nodes, p.blocks[2].groups[3]) ==
          "rms_norm linear*2 gelu_tanh mul\n"
          "      <16 | first 17 rms_norm pre_feedforward_layernorm | "
          "stream 18 linear mlp.gate_proj, 20 linear mlp.up_proj | "
          "by element 19 gelu_tanh, 21 mul | >21");
}
TEST_CASE("fuse: norms of heads need a part, norms of rows the row") {
    const fused_program p = fuse(e4b());
    CHECK(print(p.program.blocks[4].nodes, p.blocks[4].groups[0]) ==
          "rms_norm linear rms_norm rope\n"
          "      <0 | first 3 rms_norm input_layernorm | stream 4 linear self_attn.q_proj | "
          "by part 5 rms_norm self_attn.q_norm, 6 rope | >6");
}
TEST_CASE("fuse: a Llama-style layer becomes five stages by the same rules") {
    const fused_program p = fuse(fold(bind_program<llama::model>(llama::llama_3_1_8b)));
    verify(p);
    CHECK(kinds(p, 1) == "rms_norm linear*3 rope*2 append\n"
                         "attend\n"
                         "linear add\n"
                         "rms_norm linear*2 silu mul\n"
                         "linear add\n");
}

TEST_CASE("fuse: verify finds a reader before its writer") {
    CHECK(broken("follow_operands", [](const fusion& f, std::int16_t n) -> placement {
              for (const std::int16_t in : f.g.nodes[n].in)
                  if (in != none && f.home[static_cast<std::size_t>(in)] != none)
                      return {placement::join, f.home[static_cast<std::size_t>(in)]};
              return {};
          }) == "fuse: decoder_layer<local, kv::own>: group 2 (linear rms_norm add*3 scale) reads "
                "23 rms_norm: expected from an earlier group, got group 4");
}
TEST_CASE("fuse: verify finds an anchor behind its own epilogue") {
    CHECK(broken("join_sibling", [](const fusion& f, std::int16_t n) -> placement {
              const bool joins = f.g.nodes[n].kind == op::linear && !f.groups.empty();
              return {joins ? placement::join : placement::no_match, 0};
          }) == "fuse: decoder_layer<local, kv::own>: group 0: anchor 22 linear reads what its own "
                "stage computes behind anchors: 21 mul");
}
TEST_CASE("fuse: verify finds a group without an anchor") {
    CHECK(broken("recompute_norm", [](const fusion&, std::int16_t) -> placement { return {}; }) ==
          "fuse: decoder_layer<local, kv::own>: group 0: expected an anchor, got rms_norm");
}
TEST_CASE("fuse: verify finds a node in no group") {
    CHECK(broken("open_at_anchor",
                 [](const fusion&, std::int16_t) -> placement { return {placement::wait}; }) ==
          "fuse: token_input: 1 embed: expected in a group, got none");
}
