// The first kernel of a step on a device: tokens resolved, rope tables near f64.
#include "g4/backends/cuda/step.hpp"
#include "g4/graph/bound_rope.hpp"
#include "tests/support/gpu.hpp"
#include <cmath>
#include <doctest/doctest.h>
#include <random>
#include <vector>

TEST_CASE("gpu: a step begins with resolved tokens and the tables of E4B") {
    auto* gpu = g4::testing::open_gpu();
    if (gpu == nullptr) return;
    const int rows = 301;
    std::minstd_rand random{3};
    std::vector<int> asked, last, positions;
    for (int r = 0; r < rows; ++r) {
        asked.push_back(r % 3 == 0 ? -1 - static_cast<int>(random() % rows) : r);
        last.push_back(1000 + r);
        positions.push_back(r == 300 ? -1 : static_cast<int>(random() % 262144));
    }
    const std::vector<float> frequencies[2]{g4::bound_rope{1e4, 1, 1, 256}.frequencies(),
                                            g4::bound_rope{1e6, 0.25, 1, 512}.frequencies()};
    const auto d_asked = gpu->upload(asked), d_last = gpu->upload(last);
    const auto d_positions = gpu->upload(positions), tokens = gpu->poisoned<int>(rows);
    const auto local = gpu->upload(frequencies[0]), global = gpu->upload(frequencies[1]);
    const auto local_values = gpu->poisoned<float>(rows * 256);
    const auto global_values = gpu->poisoned<float>(rows * 512);
    const g4k::begin_step_args args{
        rows,
        d_asked.data(),
        d_last.data(),
        tokens.data(),
        d_positions.data(),
        2,
        {{local.data(), local_values.data(), 128}, {global.data(), global_values.data(), 256}}};
    gpu->run(gpu->compile(g4::cuda::begin_step_request()), g4::cuda::begin_step_shape(args), args);
    const auto got_tokens = gpu->download(tokens);
    const std::vector<float> got[2]{gpu->download(local_values), gpu->download(global_values)};
    int wrong = 0;
    for (std::size_t r = 0; r < asked.size(); ++r) {
        wrong += got_tokens[r] == (asked[r] < 0 ? 999 - asked[r] : asked[r]) ? 0 : 1;
        for (int t = 0; t < 2; ++t)
            for (std::size_t m = 0; m < frequencies[t].size(); ++m) {
                const float position = static_cast<float>(std::max(positions[r], 0));
                const double angle = position * frequencies[t][m];
                const float* pair = &got[t][(r * frequencies[t].size() + m) * 2];
                // The remainder of the angle rounds once to f32: pi · 2^-24, then 2 ulp.
                wrong += std::abs(pair[0] - std::cos(angle)) <= 4e-7 ? 0 : 1;
                wrong += std::abs(pair[1] - std::sin(angle)) <= 4e-7 ? 0 : 1;
            }
    }
    CHECK(wrong == 0);
}
