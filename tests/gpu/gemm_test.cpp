// Matrix products by tiles on a device: every tiling, edges, steps and splits against sums in f64.
#include "tests/support/gemm_case.hpp"
#include <doctest/doctest.h>

namespace {

using g4::cuda::gemm_sizes;
using g4::cuda::gemm_tiling;
using g4::testing::gemm_case;
using g4k::number_type;
using g4k::step_op;

g4k::gemm_config plain(number_type out) {
    g4k::gemm_config config;
    config.out = out;
    return config;
}
g4k::gemm_config gate_up() {
    g4k::gemm_config out{.paired = true};
    out.steps[0] = {.op = step_op::gelu_tanh, .left = 0};
    out.steps[1] = {.op = step_op::mul, .left = 2, .right = 1};
    return out;
}
g4k::gemm_config gelu_times_input() {
    g4k::gemm_config out{.input_count = 1};
    out.steps[0] = {.op = step_op::gelu_tanh, .left = 0};
    out.steps[1] = {.op = step_op::mul, .left = 2, .right = 1};
    return out;
}
g4k::gemm_config scaled_softcap() {
    g4k::gemm_config out{.out = number_type::f32};
    out.steps[0] = {.op = step_op::scale, .left = 0, .vector = 0};
    out.steps[1] = {.op = step_op::softcap, .left = 1, .number = 3};
    return out;
}

g4::testing::gpu* hopper() {
    auto* gpu = g4::testing::open_gpu();
    if (gpu != nullptr && gpu->info().arch != "sm_90a") {
        std::printf("SKIPPED: gemm is written for sm_90a, got %s\n", gpu->info().arch.c_str());
        return nullptr;
    }
    return gpu;
}

void verify(const gemm_sizes& sizes, const gemm_tiling& tiling, const g4k::gemm_config& config,
            std::size_t samples, int gap = 8) {
    auto* gpu = hopper();
    if (gpu == nullptr) return;
    CAPTURE(sizes.tokens);
    CAPTURE(sizes.rows);
    CAPTURE(sizes.columns);
    CAPTURE(tiling.row_tile);
    CAPTURE(tiling.cluster);
    CAPTURE(tiling.splits);
    gemm_case one{*gpu, sizes, tiling, config, 7, gap};
    CHECK(one.verify(samples) == "");
}

}  // namespace

TEST_CASE("gemm: every tiling computes every element, odd edges masked") {
    for (const int cluster : {1, 2})
        for (const int row_tile : g4::cuda::gemm_row_tiles) {
            const gemm_tiling tiling{row_tile, cluster, 1};
            verify({65, 250, 72, 72}, tiling, plain(number_type::bf16), 0);
            verify({300, 777, 200, 208}, tiling, plain(number_type::f32), 3000, 7);
            verify({131, 301, 328, 328}, tiling, plain(number_type::bf16), 3000, 3);
        }
}

TEST_CASE("gemm: pairs, inputs, learned scales and caps are applied in f32") {
    for (const int cluster : {1, 2})
        for (const int row_tile : g4::cuda::gemm_row_tiles) {
            const gemm_tiling tiling{row_tile, cluster, 1};
            verify({200, 1030, 264, 264}, tiling, gate_up(), 3000);
            verify({200, 256, 264, 264}, tiling, gelu_times_input(), 3000);
            verify({70, 333, 264, 264}, tiling, scaled_softcap(), 3000, 1);
        }
}

TEST_CASE("gemm: splits of the columns add up, those of one stage too") {
    for (const int splits : {2, 3, 7}) {
        verify({140, 512, 2560, 2560}, {256, 1, splits}, plain(number_type::f32), 3000);
        verify({300, 512, 448, 448}, {128, 2, splits}, plain(number_type::f32), 3000);
    }
}

TEST_CASE("gemm: the sizes of E4B with the tilings that are chosen for them") {
    auto* gpu = hopper();
    if (gpu == nullptr) return;
    constexpr std::int64_t matrices[][2]{{3072, 2560}, {2560, 2048}, {2560, 10240}, {10752, 2560}};
    for (const std::int64_t tokens : {65, 128, 513, 2048})
        for (const auto& [rows, columns] : matrices) {
            const gemm_sizes sizes{tokens, rows, columns, columns};
            verify(sizes, choose_gemm(sizes, 8, gpu->info().multiprocessors),
                   plain(number_type::f32), 400);
        }
    const gemm_sizes wide{2048, 20480, 2560, 2560};
    verify(wide, choose_gemm(wide, 1, gpu->info().multiprocessors), gate_up(), 400);
}

TEST_CASE("gemm: a second run gives the same bits") {
    auto* gpu = hopper();
    if (gpu == nullptr) return;
    gemm_case one{*gpu, {777, 2560, 2560, 2560}, {256, 2, 3}, plain(number_type::f32), 3};
    CHECK(one.verify(10) == "");
    const auto first = one.result();
    CHECK(one.verify(10) == "");
    CHECK(first == one.result());
}

TEST_CASE("gemm: what it does not take, it says") {
    CHECK(g4::cuda::gemm_refuses({65, 250, 72, 72}) == "");
    CHECK(g4::cuda::gemm_refuses({65, 250, 73, 80}) ==
          "gemm: expected columns in multiples of 8 (16 bytes), got 73");
    CHECK(g4::cuda::gemm_refuses({65, 250, 72, 73}) ==
          "gemm: expected rows of x 16-byte aligned, got a stride of 73 elements");
}
