// Small calls do not wait behind large ones, and a call that throws ends nothing.
#include "g4/serve/worker_pool.hpp"
#include <atomic>
#include <doctest/doctest.h>
#include <future>
#include <stdexcept>

using g4::serve::worker_pool;
using lane = worker_pool::lane;

TEST_CASE("worker_pool: a small call runs while large ones are stuck") {
    worker_pool pool{2};
    std::promise<void> release, done;
    const std::shared_future<void> gate = release.get_future().share();
    for (int i = 0; i < 3; ++i) pool.submit(lane::large, [gate] { gate.wait(); });
    pool.submit(lane::small, [&] { done.set_value(); });
    CHECK(done.get_future().wait_for(std::chrono::seconds{10}) == std::future_status::ready);
    release.set_value();
}

TEST_CASE("worker_pool: one thread does both lanes, small calls first") {
    worker_pool pool{1};
    std::promise<void> release, done;
    std::string order;
    const std::shared_future<void> gate = release.get_future().share();
    pool.submit(lane::large, [gate] { gate.wait(); });
    pool.submit(lane::large, [&] {
        order += 'l';
        done.set_value();
    });
    pool.submit(lane::small, [&] { order += 's'; });
    release.set_value();
    done.get_future().wait();
    CHECK(order == "sl");
}

TEST_CASE("worker_pool: a call that throws is logged and the next one runs") {
    std::atomic<int> logged{0};
    std::promise<void> done;
    worker_pool pool{1, g4::logger{[&](g4::log_level, const std::string&) { ++logged; }}};
    pool.submit(lane::small, [] { throw std::runtime_error{"x"}; });
    pool.submit(lane::small, [&] { done.set_value(); });
    done.get_future().wait();
    CHECK(logged == 1);
}
