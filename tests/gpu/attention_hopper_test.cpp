// Prefill attention for sm_90a on a device: both head dimensions, edges of windows, pages and
// tiles, several sequences, against plain loops in f64.
#include "tests/support/prefill_hopper_case.hpp"
#include <cmath>
#include <cstdio>
#include <doctest/doctest.h>

namespace {

using g4::testing::attention_case;
using g4::testing::prefill_hopper_case;
using g4::testing::sequence_size;

g4::testing::gpu* hopper() {
    auto* gpu = g4::testing::open_gpu();
    if (gpu != nullptr && gpu->info().arch != "sm_90a") {
        std::printf("SKIPPED: this attention is written for sm_90a, got %s\n",
                    gpu->info().arch.c_str());
        return nullptr;
    }
    return gpu;
}

/// The scale keeps scores of random rows as E4B has them: a few units.
g4k::attention_config heads_of(int dim, int window, int q_heads = 8, int kv_heads = 2) {
    return {.head_dim = dim,
            .q_heads = q_heads,
            .kv_heads = kv_heads,
            .window = window,
            .scale = dim == 512 ? 0.09375f : 0.125f};
}

void verify(const g4k::attention_config& c, const std::vector<sequence_size>& sizes, int step) {
    auto* gpu = hopper();
    if (gpu == nullptr) return;
    static unsigned seed = 0;
    CAPTURE(c.head_dim);
    CAPTURE(c.window);
    CAPTURE(sizes[0].past);
    CAPTURE(sizes[0].rows);
    const attention_case host{c, sizes, 2, ++seed};
    prefill_hopper_case one{*gpu, host, g4::cuda::choose_prefill_hopper(c)};
    CHECK(one.verify(step) == "");
}

}  // namespace

TEST_CASE("attention on sm_90a: first rows, last rows, whole pages and one row more") {
    for (const int dim : {256, 512})
        for (const int rows : {1, 63, 64, 65, 130}) {
            verify(heads_of(dim, 0), {{0, rows}}, 1);
            verify(heads_of(dim, 0), {{200, rows}}, 7);
        }
}

TEST_CASE("attention on sm_90a: windows, before and behind their first step") {
    for (const auto& c : {heads_of(512, 100), heads_of(256, 100), heads_of(256, 512)}) {
        verify(c, {{0, 200}}, 7);
        verify(c, {{1000, 150}}, 7);
    }
}

TEST_CASE("attention on sm_90a: sequences of every length in one launch") {
    const std::vector<sequence_size> sizes{{0, 1},  {63, 1},   {64, 1},     {511, 1}, {512, 130},
                                           {0, 65}, {700, 64}, {1337, 129}, {5, 3}};
    verify(heads_of(256, 512), sizes, 5);
    verify(heads_of(512, 0), sizes, 5);
}

TEST_CASE("attention on sm_90a: more work than multiprocessors, other groups of heads") {
    verify(heads_of(512, 0), {{1984, 1500}, {3, 700}}, 97);
    verify(heads_of(256, 512), {{1984, 1500}, {3, 700}}, 97);
    verify(heads_of(512, 0, 3, 3), {{100, 300}}, 7);
    verify(heads_of(256, 0, 6, 3), {{100, 300}}, 7);
    verify(heads_of(256, 512, 8, 1), {{100, 300}}, 7);
}

TEST_CASE("attention on sm_90a: a second run gives the same bits") {
    auto* gpu = hopper();
    if (gpu == nullptr) return;
    for (const auto& c : {heads_of(512, 0), heads_of(256, 512)}) {
        const attention_case host{c, {{77, 1000}}, 0, 5};
        const prefill_hopper_case one{*gpu, host, g4::cuda::choose_prefill_hopper(c)};
        one.launch();
        const auto first = one.result();
        one.launch();
        CHECK(first == one.result());
    }
}

TEST_CASE("attention on sm_90a: what it does not take, it says") {
    CHECK(g4::cuda::prefill_hopper_refuses(heads_of(512, 0)) == "");
    CHECK(g4::cuda::prefill_hopper_refuses(heads_of(128, 0)) ==
          "attention: expected heads of 256 or 512 dimensions, got 128");
    CHECK(g4::cuda::prefill_hopper_refuses(heads_of(256, 0, 3, 3)) ==
          "attention: expected an even number of query heads for a kv head, got 3 for 3");
}
