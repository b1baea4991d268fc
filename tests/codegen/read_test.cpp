// The kernel that measures the read limit, in the emulator: every piece is read once.
#include "tests/support/simt.hpp"

#include "codegen/bench/read.cuh"
#include <doctest/doctest.h>
#include <functional>
#include <numeric>
#include <vector>

TEST_CASE("read: each piece of 16 bytes is read once, whatever their number") {
    for (const int pieces : {0, 1, 63, 64, 255, 256, 257, 1000}) {
        std::vector<unsigned> words(static_cast<std::size_t>(pieces) * 4);
        unsigned word = 1;
        for (unsigned& w : words) w = word = word * 1664525u + 1013904223u;
        const g4k::simt::buffer<unsigned> data{words};
        const g4k::simt::buffer<unsigned> kept(64);
        const g4k::read_args args{data.data(), pieces, kept.data()};
        g4k::simt::launch({.grid_x = 2, .threads = 32}, [&] { g4k::read(args); });
        const auto combine = [](const auto& from) {
            return std::accumulate(from.begin(), from.end(), 0u, std::bit_xor<unsigned>{});
        };
        CHECK(combine(std::vector<unsigned>(kept.begin(), kept.end())) == combine(words));
    }
}
