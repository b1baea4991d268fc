// Slices cover everything once, whatever the threads, and pass on what they throw.
#include "g4/weights/slices.hpp"
#include <atomic>
#include <cstddef>
#include <doctest/doctest.h>
#include <stdexcept>
#include <vector>

TEST_CASE("slices: each place is visited once, and slices start at multiples of the grain") {
    for (const std::size_t count : {0u, 1u, 7u, 64u, 1000u})
        for (const std::size_t grain : {1u, 8u, 100u})
            for (const unsigned threads : {0u, 1u, 2u, 7u}) {
                std::vector<std::atomic<int>> visits(count);
                std::atomic<bool> aligned = true;
                g4::for_slices(count, grain, threads, [&](std::size_t begin, std::size_t end) {
                    if (begin % grain != 0 || begin >= end) aligned = false;
                    for (std::size_t i = begin; i < end; ++i) ++visits[i];
                });
                CHECK(aligned);
                bool once = true;
                for (const std::atomic<int>& times : visits) once = once && times == 1;
                CHECK(once);
            }
}

TEST_CASE("slices: what a slice throws reaches the caller after all have ended") {
    std::atomic<int> ended = 0;
    const auto work = [&](std::size_t begin, std::size_t) {
        ++ended;
        if (begin == 0) throw std::runtime_error{"first"};
    };
    CHECK_THROWS_WITH(g4::for_slices(4, 1, 4, work), "first");
    CHECK(ended == 4);
}
