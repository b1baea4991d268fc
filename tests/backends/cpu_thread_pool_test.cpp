// Thread pool: every index once, whatever the grain, and no waiting for threads that are kept away.
#include "g4/backends/cpu/thread_pool.hpp"
#include <doctest/doctest.h>
#include <vector>

using namespace g4::cpu;

TEST_CASE(
    "cpu thread pool: each index of a range is visited exactly once, at multiples of the grain") {
    for (const int threads : {1, 2, 5}) {
        thread_pool pool{threads};
        CHECK(pool.threads() == threads);
        for (const std::int64_t count : {0, 1, 7, 64, 1000})
            for (const std::int64_t grain : {1, 3, 16, 2000}) {
                std::vector<std::atomic<int>> visits(static_cast<std::size_t>(count));
                std::atomic<int> misaligned{0};
                pool.for_ranges(count, grain,
                                [&](std::int64_t begin, std::int64_t end, int thread) {
                                    if (begin % grain != 0 || thread < 0 || thread >= threads)
                                        ++misaligned;
                                    for (; begin < end; ++begin)
                                        ++visits[static_cast<std::size_t>(begin)];
                                });
                int wrong = misaligned;
                for (const std::atomic<int>& v : visits) wrong += v != 1;
                CHECK(wrong == 0);
            }
    }
}

TEST_CASE("cpu thread pool: many short jobs in a row see each other's writes") {
    thread_pool pool{4};
    std::vector<std::int64_t> values(257, 0);
    for (int round = 0; round < 3000; ++round)
        pool.for_ranges(257, 1, [&](std::int64_t begin, std::int64_t end, int) {
            for (; begin < end; ++begin) ++values[static_cast<std::size_t>(begin)];
        });
    CHECK(std::all_of(values.begin(), values.end(), [](std::int64_t v) { return v == 3000; }));
}

TEST_CASE("cpu thread pool: threads that sleep wake for the next job") {
    thread_pool pool{3, std::chrono::microseconds{0}};
    std::atomic<std::int64_t> sum{0};
    for (int round = 0; round < 20; ++round) {
        std::this_thread::sleep_for(std::chrono::milliseconds{2});
        pool.for_ranges(100, 1,
                        [&](std::int64_t begin, std::int64_t end, int) { sum += end - begin; });
    }
    CHECK(sum == 2000);
}

TEST_CASE("cpu thread pool: at least one processor is usable, and no more than there are") {
    CHECK(usable_processors() >= 1);
    CHECK(usable_processors() <=
          std::max(1, static_cast<int>(std::thread::hardware_concurrency())));
}
