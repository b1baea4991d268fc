// The first kernel of a step in the emulator: tokens resolved, rope tables filled.
#include "tests/support/simt.hpp"

#include "codegen/step/begin_step.cuh"
#include "g4/backends/cuda/step.hpp"
#include "g4/graph/bound_rope.hpp"
#include <cmath>
#include <doctest/doctest.h>
#include <list>
#include <vector>

namespace {

using g4k::simt::buffer;

struct step_case {
    std::vector<int> asked, last, positions;
    std::vector<std::vector<float>> frequencies;
};

/// Runs the kernel; `values` gets the tables, the result is the resolved tokens.
std::vector<int> run(const step_case& c, std::vector<std::vector<float>>& values) {
    const buffer<int> asked{c.asked}, last{c.last}, positions{c.positions};
    const buffer<int> tokens(c.asked.size());
    g4k::begin_step_args args{static_cast<int>(c.asked.size()),
                              asked.data(),
                              last.data(),
                              tokens.data(),
                              positions.data(),
                              static_cast<int>(c.frequencies.size()),
                              {}};
    std::list<buffer<float>> frequencies, tables;
    for (std::size_t t = 0; t < c.frequencies.size(); ++t) {
        const std::size_t pairs = c.frequencies[t].size();
        args.ropes[t] = {frequencies.emplace_back(c.frequencies[t]).data(),
                         tables.emplace_back(c.asked.size() * pairs * 2).data(),
                         static_cast<int>(pairs)};
    }
    g4k::simt::launch(g4::cuda::begin_step_shape(args), [&] { g4k::begin_step(args); });
    for (const auto& table : tables) values.emplace_back(table.begin(), table.end());
    return {tokens.begin(), tokens.end()};
}

}  // namespace

TEST_CASE("step: a negative token is what the step before chose for that wanted row") {
    std::vector<std::vector<float>> none;
    const auto tokens = run({{7, -1, -3, 0}, {100, 101, 102}, {4, 5, 6, -1}, {}}, none);
    CHECK(tokens == std::vector<int>{7, 100, 102, 0});
}

TEST_CASE("step: tables hold cos and sin of the f32 angle; padded rows turn by nothing") {
    const step_case c{
        {1, 2, 3, 4},
        {0},
        {0, 17, 131071, -1},
        {g4::bound_rope{1e4, 1, 1, 256}.frequencies(),
         g4::bound_rope{1e6, 0.25, 1, 512}.frequencies(),
         g4::bound_rope{1e4, 1, 8, 18}.frequencies()}};
    std::vector<std::vector<float>> values;
    run(c, values);
    int wrong = 0;
    for (std::size_t t = 0; t < values.size(); ++t) {
        const std::size_t pairs = c.frequencies[t].size();
        for (std::size_t row = 0; row < c.positions.size(); ++row)
            for (std::size_t m = 0; m < pairs; ++m) {
                const float position = static_cast<float>(std::max(c.positions[row], 0));
                const float angle = position * c.frequencies[t][m];
                const float* got = &values[t][(row * pairs + m) * 2];
                // The angle is exact; its remainder rounds once to f32: pi · 2^-24, then 2 ulp.
                wrong += std::abs(got[0] - std::cos(double{angle})) <= 4e-7 ? 0 : 1;
                wrong += std::abs(got[1] - std::sin(double{angle})) <= 4e-7 ? 0 : 1;
            }
    }
    CHECK(wrong == 0);
}
