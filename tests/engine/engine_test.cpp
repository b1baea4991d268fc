// The engine's promises to those who call it from other threads.
#include "g4/engine/engine.hpp"
#include <doctest/doctest.h>
#include <atomic>
#include <thread>
#include "tests/support/event_log.hpp"
#include "tests/support/null_executor.hpp"
#include "tests/support/null_oracle.hpp"

namespace {

using namespace g4;
using namespace g4::testing;
using namespace std::chrono_literals;

generation_request ask(std::int32_t prompt, std::int32_t max_tokens, std::int32_t first = 1) {
    generation_request out;
    for (std::int32_t i = 0; i < prompt; ++i) out.prompt.push_back((first + i) % 50);
    out.max_tokens = max_tokens;
    return out;
}

engine_options options(std::int32_t sequences, int steps_in_flight = 1) {
    return {.max_model_len = 1000,
            .max_num_batched_tokens = 16,
            .max_num_seqs = sequences,
            .steps_in_flight = steps_in_flight};
}

null_options paced(std::chrono::microseconds step_time, std::int32_t sequences = 4) {
    return {.reserved = null_capacity(16, sequences, 4, 50, 1000), .step_time = step_time};
}

std::vector<std::int32_t> expected_ids(const null_executor& runs_on, const generation_request& of) {
    std::vector<std::int32_t> out;
    for (const generated_token& one : null_oracle(runs_on.reserved(), of).tokens)
        out.push_back(one.token.token);
    return out;
}

}  // namespace

TEST_CASE("engine: answers what each request gets alone, with one and with two steps in flight") {
    for (const int in_flight : {1, 2}) {
        null_executor runs_on{paced(0us)};
        std::vector<event_log> logs(10);
        {
            engine runs{runs_on, options(4, in_flight)};
            for (std::int32_t i = 0; i < 10; ++i)
                runs.submit(ask(3 + 7 * i, 5 + i, i), logs[static_cast<std::size_t>(i)].sink());
            REQUIRE(runs.wait_idle(30s));
            const engine_stats stats = runs.stats();
            CHECK(stats.running == 0);
            CHECK(stats.waiting == 0);
            CHECK(stats.finished_length == 10);
            CHECK(stats.generated_tokens == 5 * 10 + 45);
            CHECK(stats.prompt_tokens == 3 * 10 + 7 * 45);
            CHECK(stats.kv_usage == 0);
            CHECK(stats.kv_promised == 0);
            CHECK(stats.page_tokens == 4);
            CHECK(stats.pages == 1000);
        }
        for (std::int32_t i = 0; i < 10; ++i) {
            const event_log& log = logs[static_cast<std::size_t>(i)];
            CHECK(log.breach() == "");
            CHECK(log.finish() == finish_reason::length);
            CHECK(log.scheduled() > std::chrono::steady_clock::time_point{});
            CHECK(log.ids() == expected_ids(runs_on, ask(3 + 7 * i, 5 + i, i)));
        }
        CHECK(runs_on.most_pending() == in_flight);
    }
}

TEST_CASE("engine: a cancelled request ends within one step, the others go on") {
    null_executor runs_on{paced(20ms)};
    engine runs{runs_on, options(2)};
    event_log first, second, third;
    const request_id id = runs.submit(ask(4, 900), first.sink());
    runs.submit(ask(5, 30, 7), second.sink());
    runs.submit(ask(6, 2, 9), third.sink());  // waits for a slot
    REQUIRE(first.wait_tokens(3));
    CHECK(runs.stats().running == 2);
    CHECK(runs.stats().waiting == 1);
    CHECK(runs.stats().kv_usage > 0);
    runs.cancel(id);
    const std::size_t before = first.ids().size();
    REQUIRE(first.wait());
    CHECK(first.ids().size() <= before + 1);  // of the step that ran when it was cancelled
    CHECK(first.finish() == finish_reason::cancelled);
    REQUIRE(third.wait());  // it got the slot
    CHECK(third.ids() == expected_ids(runs_on, ask(6, 2, 9)));
    REQUIRE(second.wait());
    CHECK(second.ids() == expected_ids(runs_on, ask(5, 30, 7)));
    runs.cancel(id);  // has ended: nothing happens
    runs.cancel(12345);
    REQUIRE(runs.wait_idle(5s));
    CHECK(first.breach() + second.breach() + third.breach() == "");
    CHECK(runs.stats().cancelled == 1);
}

TEST_CASE("engine: a request that waits can be cancelled, and never runs") {
    null_executor runs_on{paced(2ms)};
    engine runs{runs_on, options(1)};
    event_log first, second;
    const request_id running = runs.submit(ask(4, 900), first.sink());
    const request_id waiting = runs.submit(ask(4, 900), second.sink());
    REQUIRE(first.wait_tokens(1));
    runs.cancel(waiting);
    REQUIRE(second.wait());
    CHECK(second.ids().empty());
    CHECK(second.scheduled() == std::chrono::steady_clock::time_point{});
    CHECK(first.finish() == finish_reason::none);
    runs.cancel(running);
    REQUIRE(first.wait());
}

TEST_CASE("engine: a full queue refuses, and takes again when it has moved") {
    null_executor runs_on{paced(1ms)};
    engine_options limits = options(2);
    limits.max_waiting = 3;
    engine runs{runs_on, limits};
    std::vector<event_log> logs(6);
    std::vector<request_id> ids;
    for (std::size_t i = 0; i < 5; ++i)  // two run at once, whether they have begun yet or not
        ids.push_back(runs.submit(ask(3, 900), logs[i].sink()));
    CHECK_THROWS_WITH_AS(runs.submit(ask(3, 900), logs[5].sink()),
                         "engine: expected at most 3 requests to wait, got one more",
                         overloaded_error);
    runs.cancel(ids[0]);
    REQUIRE(logs[0].wait());
    REQUIRE(logs[2].wait_tokens(1));  // the next in the queue runs now
    ids.push_back(runs.submit(ask(3, 2), logs[5].sink()));
    for (const request_id id : ids) runs.cancel(id);
    CHECK(runs.wait_idle(10s));
}

TEST_CASE("engine: a request that can never run is refused at once") {
    null_executor runs_on{paced(0us)};
    engine runs{runs_on, options(2)};
    event_log log;
    CHECK_THROWS_WITH_AS(runs.submit(ask(600, 401), log.sink()),
                         "request: expected at most 1000 tokens of prompt and answer together, "
                         "got 600 + 401 = 1001",
                         input_error);
    CHECK(runs.wait_idle(0ms));
    engine_options wrong = options(2, 3);
    CHECK_THROWS_AS(engine(runs_on, wrong), input_error);
}

TEST_CASE("engine: when the executor fails everyone hears of it, and submit says so") {
    for (const int in_flight : {1, 2}) {
        null_options failing = paced(1ms);
        failing.fails_at_step = 5;
        null_executor runs_on{failing};
        std::string logged;
        engine_options limits = options(2, in_flight);
        limits.log = logger{[&](log_level, const std::string& line) { logged = line; }};
        std::vector<event_log> logs(4);
        engine runs{runs_on, limits};
        for (std::size_t i = 0; i < 4; ++i) runs.submit(ask(3, i == 0 ? 2 : 900), logs[i].sink());
        for (const event_log& log : logs) REQUIRE(log.wait());
        CHECK(logs[0].finish() == finish_reason::length);
        for (std::size_t i = 1; i < 4; ++i) {
            CHECK(logs[i].finish() == finish_reason::failed);
            CHECK(logs[i].error() ==
                  "engine: the executor failed and takes no more requests: null: step 5 failed");
            CHECK(logs[i].breach() == "");
        }
        CHECK(runs.wait_idle(5s));
        CHECK(runs.failed());
        CHECK(runs.failure() == logs[3].error());
        std::atomic<int> told = 0;
        runs.on_failure([&] { ++told; });
        runs.on_failure([&] { ++told; });  // at once, or when the engine's thread comes to it
        for (int i = 0; i < 5000 && told < 2; ++i) std::this_thread::sleep_for(1ms);
        CHECK(told == 2);
        CHECK(runs.stats().finished_failed == 3);
        CHECK(runs.stats().running == 0);
        CHECK(logged == "engine: stopped: null: step 5 failed");
        CHECK_THROWS_AS(runs.submit(ask(3, 2), logs[0].sink()), device_error);
        runs.cancel(1);
    }
}

TEST_CASE("engine: destroying it cancels what is left and leaves the executor at rest") {
    null_executor runs_on{paced(1ms)};
    std::vector<event_log> logs(5);
    {
        engine runs{runs_on, options(2, 2)};
        for (event_log& log : logs) runs.submit(ask(3, 900), log.sink());
        REQUIRE(logs[0].wait_tokens(2));
    }
    for (const event_log& log : logs) {
        CHECK(log.finish() == finish_reason::cancelled);
        CHECK(log.breach() == "");
    }
    CHECK_THROWS_AS(runs_on.wait(), internal_error);  // every step was waited for
    engine again{runs_on, options(2, 2)};             // so another engine can take it over
    event_log log;
    again.submit(ask(3, 4), log.sink());
    REQUIRE(log.wait());
    CHECK(log.ids() == expected_ids(runs_on, ask(3, 4)));
}

TEST_CASE("engine: wait_idle waits for the last sink") {
    null_executor runs_on{paced(5ms)};
    engine runs{runs_on, options(2)};
    CHECK(runs.wait_idle(0ms));
    std::atomic<bool> returned{false};
    runs.submit(ask(3, 3), [&](generation_event&& event) {
        if (event.finish == finish_reason::none) return;
        std::this_thread::sleep_for(30ms);
        returned = true;
    });
    CHECK_FALSE(runs.wait_idle(1ms));
    CHECK(runs.wait_idle(10s));
    CHECK(returned);
}

TEST_CASE("engine: a sink that throws does not end the others' answers") {
    null_executor runs_on{paced(0us)};
    std::atomic<int> logged{0};
    engine_options limits = options(2);
    limits.log = logger{[&](log_level, const std::string&) { ++logged; }};
    engine runs{runs_on, limits};
    event_log log;
    runs.submit(ask(3, 5), [](generation_event&&) { throw std::runtime_error{"no"}; });
    runs.submit(ask(4, 5), log.sink());
    REQUIRE(log.wait());
    CHECK(log.ids() == expected_ids(runs_on, ask(4, 5)));
    CHECK(runs.wait_idle(5s));
    CHECK(logged == 5);
}

TEST_CASE("engine: many threads submit, cancel and look on at once") {
    null_executor runs_on{paced(0us, 8)};
    engine runs{runs_on, options(8, 2)};
    std::vector<std::thread> threads;
    std::vector<std::vector<event_log>> logs(4, std::vector<event_log>(40));
    for (std::vector<event_log>& own : logs) {
        for (event_log& log : own) log = event_log{};
        threads.emplace_back([&] {
            for (std::size_t i = 0; i < own.size(); ++i) {
                const auto length = static_cast<std::int32_t>(1 + i % 20);
                const request_id id = runs.submit(ask(length, 12), own[i].sink());
                if (i % 5 == 0) runs.cancel(id);
                if (i % 7 == 0) CHECK(runs.stats().running <= 8);
            }
        });
    }
    for (std::thread& one : threads) one.join();
    REQUIRE(runs.wait_idle(60s));
    for (const std::vector<event_log>& own : logs) {
        for (std::size_t i = 0; i < own.size(); ++i) {
            CHECK(own[i].breach() == "");
            if (own[i].finish() == finish_reason::cancelled) {
                CHECK(i % 5 == 0);
                continue;
            }
            CHECK(own[i].ids() ==
                  expected_ids(runs_on, ask(static_cast<std::int32_t>(1 + i % 20), 12)));
        }
    }
}

TEST_CASE("event_log: names each breach of the order of events") {
    const auto breach = [](std::vector<generation_event> events) {
        const event_log log;
        const event_sink sink = log.sink();
        for (generation_event& one : events) sink(std::move(one));
        return log.breach();
    };
    generation_event token, prompt, last, failure;
    token.tokens.resize(1);
    prompt.prompt.resize(1);
    prompt.tokens.resize(1);
    last.finish = finish_reason::length;
    failure.finish = finish_reason::failed;
    CHECK(breach({prompt, token, last}) == "");
    CHECK(breach({last, token}) == "an event after the last; ");
    CHECK(breach({prompt, prompt}) == "the prompt twice; the prompt after a token; ");
    CHECK(breach({token, prompt}) == "the prompt after a token; ");
    CHECK(breach({{}}) == "an event about nothing; ");
    CHECK(breach({failure}) == "an error without a failure, or a failure without an error; ");
}
