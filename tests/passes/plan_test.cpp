// Stages, buffers, caches and bytes of E4B's plan, and what verify says of broken plans.
#include "g4/passes/pipeline.hpp"
#include "models/gemma4/model.hpp"
#include "tests/support/llama_style.hpp"
#include <doctest/doctest.h>

using namespace g4;

namespace {
plan e4b() { return compile_plan(bind_program<gemma4::text_model>(gemma4::e4b)); }

std::string refusal(const plan& p) {
    try {
        verify(p);
    } catch (const internal_error& error) { return error.what(); }
    return "nothing found";
}
}  // namespace

TEST_CASE("plan: E4B is 297 stages on a chain of 296") {
    const plan p = e4b();
    CHECK(p.stages.size() == 297);
    CHECK(longest_chain(p) == 296);
    CHECK(refusal(p) == "nothing found");
}
TEST_CASE("plan: a stage prints its kinds, rows, waits, slots and bytes") {
    const plan p = e4b();
    CHECK(print_stage(p, 2, all_bf16) ==
          "L0.0 rms_norm linear*3 rms_norm*3 rope*2 append | all | after token_input.0 | s0 -> s2 "
          "| 15.729 MB");
    CHECK(print_stage(p, 3, all_bf16) ==
          "L0.1 attend | all | after L0.0 | s2 -> s3 | cache 1.049 MB");
}
TEST_CASE("plan: buffers that live together never share a slot") {
    const plan p = e4b();
    for (std::size_t i = 0; i < p.buffers.size(); ++i)
        for (std::size_t k = 0; k < i; ++k)
            if (p.buffers[i].slot == p.buffers[k].slot)
                CHECK(p.buffers[k].last < p.buffers[i].first);
}
TEST_CASE("plan: a slot changes its tenant only behind all that used the last one") {
    plan p = e4b();
    // layer_inputs still reads the embedding, and nothing before L0.5 waits for layer_inputs
    const std::size_t embedding = p.stages[1].reads[0];
    for (const stage& s : p.stages)
        for (const std::size_t b : s.writes)
            if (p.buffers[b].slot == p.buffers[embedding].slot && b != embedding)
                CHECK(name_of_stage(p, p.buffers[b].first) != "L0.3");
    const std::size_t gate_up = p.stages[2 + 3].writes[0];
    p.buffers[gate_up].slot = p.buffers[embedding].slot;
    CHECK(refusal(p) == "plan: slot 0: L0.3 writes what layer_inputs.0 may still use");
}
TEST_CASE("plan: one slot for all is refused") {
    plan p = e4b();
    for (buffer& b : p.buffers) b.slot = 0;
    CHECK(refusal(p).starts_with("plan: slot 0: "));
}
TEST_CASE("plan: a step of one token needs little more than what is alive at once") {
    const arena_bytes a = arena_of(e4b(), {1, 1});
    CHECK(a.planned >= a.live);
    CHECK(a.planned <= 1.25 * a.live);
    CHECK(a.planned < 0.4 * a.unshared);
}
TEST_CASE("plan: caches come in two kinds, and the last owners have many readers") {
    CHECK(print_caches(e4b()) ==
          "  window 512, 2048 bytes a token and layer, 20 layers: 0 1 2 3 4 6 7 8 9 10 12 13 14 15 "
          "16 18 19 20 21 22(16 readers); a step reads 71680 bytes a token in sight\n"
          "  window all, 4096 bytes a token and layer, 4 layers: 5 11 17 23(4 readers); a step "
          "reads 28672 bytes a token in sight\n");
}
TEST_CASE("bytes: a decoded token of E4B in bf16 reads 9.29 GB and its caches") {
    // 3,945,267,200 linears of layers, 27,525,120 + 671,088,640 outside, two bytes each
    const traffic t = traffic_of(e4b(), all_bf16, {1, 1}, 1, 512);
    CHECK(t.linears == 2.0 * (3'945'267'200 + 27'525'120 + 671'088'640));
    CHECK(t.cache_read == 35.0 * 512 * 2048 + 7.0 * 512 * 4096);
    CHECK(t.table_rows == 2.0 * (2560 + 10752));
}
TEST_CASE("bytes: the prefill skip leaves 58 percent of the work of a long chunk") {
    const plan p = e4b();
    const double skipped = traffic_of(p, all_bf16, {512, 1}, 1, 512).flops;
    const double whole = traffic_of(p, all_bf16, {512, 512}, 1, 512).flops;
    const double head = 2.0 * 671'088'640;
    CHECK((skipped - head) / (whole - 512 * head) < 0.60);
}
TEST_CASE("plan: a Llama-style model is planned by the same passes") {
    const plan p = compile_plan(bind_program<llama::model>(llama::llama_3_1_8b));
    CHECK(p.stages.size() == 1 + 32 * 5 + 1);
    CHECK(p.cache_groups.size() == 1);
}
