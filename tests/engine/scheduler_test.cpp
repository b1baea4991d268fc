// Which rows a step gets, in which order, and what becomes of its answer.
#include "g4/engine/scheduler.hpp"
#include <doctest/doctest.h>
#include <cmath>
#include <map>
#include <string>
#include "tests/support/null_executor.hpp"
#include "tests/support/null_oracle.hpp"

namespace {

using namespace g4;
using namespace g4::testing;

generation_request ask(std::int32_t prompt, std::int32_t max_tokens, std::int32_t first = 1) {
    generation_request out;
    for (std::int32_t i = 0; i < prompt; ++i) out.prompt.push_back((first + i) % 50);
    out.max_tokens = max_tokens;
    return out;
}

/// A scheduler and the executor it plans for, run by hand.
struct rig {
    explicit rig(capacity reserved, scheduler_options options)
        : runs_on{{.reserved = reserved}}, plans{reserved, options} {}

    /// The rows of the next step as "slot:past+rows", in order; empty when there is none.
    std::string submit() {
        const std::optional<step> next = plans.plan({});
        if (!next) return {};
        std::string out;
        for (const sequence_rows& rows : next->sequences)
            out +=
                (out.empty() ? "" : " ") + concat(rows.slot, ":", rows.past, "+", rows.row_count);
        wanted = next->wanted.size();
        ids.assign(next->token_ids.begin(), next->token_ids.end());
        runs_on.submit(*next);
        plans.verify();
        return out;
    }
    void receive() {
        plans.apply(runs_on.wait(), events);
        plans.verify();
    }
    std::string run() {
        const std::string out = submit();
        if (!out.empty()) receive();
        return out;
    }
    std::vector<std::int32_t> answer(request_id id) const {
        std::vector<std::int32_t> out;
        for (const addressed_event& one : events)
            if (one.id == id)
                for (const generated_token& token : one.event.tokens)
                    out.push_back(token.token.token);
        return out;
    }
    finish_reason finish(request_id id) const {
        finish_reason out = finish_reason::none;
        for (const addressed_event& one : events)
            if (one.id == id) out = one.event.finish;
        return out;
    }

    null_executor runs_on;
    scheduler plans;
    std::vector<addressed_event> events;
    std::size_t wanted = 0;
    std::vector<std::int32_t> ids;
};

scheduler_options options(std::int32_t rows, std::int32_t sequences, bool chunked = true) {
    return {.max_model_len = 64,
            .max_num_batched_tokens = rows,
            .max_num_seqs = sequences,
            .chunked_prefill = chunked};
}

std::vector<std::int32_t> ids_of(const std::vector<generated_token>& of) {
    std::vector<std::int32_t> out;
    for (const generated_token& one : of) out.push_back(one.token.token);
    return out;
}

}  // namespace

TEST_CASE("scheduler: decodes come first, then chunks of prompts in order of arrival") {
    rig r{null_capacity(8, 4, 4, 50, 64), options(8, 4)};
    r.plans.add(1, ask(4, 4));
    r.plans.add(2, ask(9, 4));
    r.plans.add(3, ask(3, 4));
    CHECK(r.run() == "0:0+4 1:0+4");
    CHECK(r.run() == "0:4+1 1:4+5 2:0+2");
    CHECK(r.run() == "0:5+1 1:9+1 2:2+1");
    CHECK(r.run() == "0:6+1 1:10+1 2:3+1");
    CHECK(r.finish(1) == finish_reason::length);
    CHECK(r.run() == "1:11+1 2:4+1");
    CHECK(r.run() == "2:5+1");
    CHECK(r.run() == "");
    CHECK(r.plans.empty());
    CHECK(r.plans.counts().prompt_tokens == 16);
    CHECK(r.plans.counts().generated_tokens == 12);
    for (request_id id : {1u, 2u, 3u}) CHECK(r.answer(id).size() == 4);
}

TEST_CASE("scheduler: one row a step serves decodes and prompts in turn") {
    rig r{null_capacity(8, 4, 4, 50, 64), options(1, 4)};
    r.plans.add(1, ask(1, 6));
    r.plans.add(2, ask(3, 6));
    CHECK(r.run() == "0:0+1");
    CHECK(r.run() == "1:0+1");
    CHECK(r.run() == "0:1+1");
    CHECK(r.run() == "1:1+1");
    CHECK(r.run() == "0:2+1");
    CHECK(r.run() == "1:2+1");
    CHECK(r.run() == "0:3+1");  // both decode now, whoever waited longest
    CHECK(r.run() == "1:3+1");
    CHECK(r.run() == "0:4+1");
}

TEST_CASE("scheduler: prompts keep an eighth of the rows that decodes could fill") {
    rig r{null_capacity(16, 32, 4, 50, 256), options(16, 32)};
    for (request_id id = 1; id <= 16; ++id) r.plans.add(id, ask(1, 20));
    r.run();
    r.plans.add(17, ask(10, 1));
    const std::string rows = r.run();
    CHECK(rows.substr(rows.rfind(' ')) == " 16:0+2");
    CHECK(r.ids.size() == 16);
}

TEST_CASE("scheduler: without chunks a prompt stays in one step, and takes the decodes' rows") {
    rig r{null_capacity(8, 8, 4, 50, 64), options(8, 8, false)};
    for (request_id id = 1; id <= 3; ++id) r.plans.add(id, ask(2, 9));
    CHECK(r.run() == "0:0+2 1:0+2 2:0+2");
    r.plans.add(4, ask(7, 4));
    r.plans.add(5, ask(2, 4));
    CHECK(r.run() == "0:2+1 3:0+7");
    CHECK(r.run() == "0:3+1 1:2+1 2:2+1 3:7+1 4:0+2");
    CHECK_THROWS_WITH_AS(r.plans.check(ask(9, 1)),
                         "request: prompt: expected at most 8 tokens, the rows of a step, "
                         "without chunked prefill, got 9",
                         input_error);
}

TEST_CASE("scheduler: nobody overtakes the first that waits") {
    // 16 pages of 4; the first holds 8, the second needs 12 and waits, the third would fit
    rig r{null_capacity(64, 4, 4, 50, 16), options(64, 4)};
    r.plans.add(1, ask(30, 3));
    r.plans.add(2, ask(40, 9));
    r.plans.add(3, ask(2, 2));
    CHECK(r.run() == "0:0+30");
    CHECK(r.run() == "0:30+1");
    CHECK(r.plans.waiting() == 2);
    CHECK(r.run() == "0:31+1");
    CHECK(r.run() == "0:0+40 1:0+2");
}

TEST_CASE("scheduler: a prompt that is reported is cut where the wanted rows end") {
    capacity reserved = null_capacity(64, 4, 4, 50, 64);
    reserved.wanted = 3;
    rig r{reserved, options(64, 4)};
    generation_request request = ask(8, 2);
    request.prompt_logprobs = 2;
    request.how.top_logprobs = 1;
    r.plans.add(1, request);
    CHECK(r.run() == "0:0+3");
    CHECK(r.wanted == 3);
    CHECK(r.run() == "0:3+3");
    CHECK(r.events.empty());
    CHECK(r.run() == "0:6+2");
    REQUIRE(r.events.size() == 1);
    const expected_answer expected = null_oracle(reserved, request);
    const std::vector<generated_token>& prompt = r.events[0].event.prompt;
    REQUIRE(prompt.size() == 7);
    for (std::size_t i = 0; i < 7; ++i) {
        CHECK(prompt[i].token.token == request.prompt[i + 1]);
        CHECK(prompt[i].token.logprob == expected.prompt[i].token.logprob);
        REQUIRE(prompt[i].top.size() == 2);
        CHECK(prompt[i].top[0].token == expected.prompt[i].top[0].token);
        CHECK(prompt[i].top[1].logprob == expected.prompt[i].top[1].logprob);
    }
    CHECK(r.events[0].event.tokens[0].top.size() == 1);
    CHECK(r.run() == "0:8+1");
    CHECK(r.answer(1) == ids_of(expected.tokens));
    CHECK(r.events[1].event.prompt.empty());
}

TEST_CASE("scheduler: wanted rows that decodes use up hold back only the last row of a prompt") {
    capacity reserved = null_capacity(64, 4, 4, 50, 64);
    reserved.wanted = 1;
    rig r{reserved, options(64, 4)};
    r.plans.add(1, ask(2, 6));
    CHECK(r.run() == "0:0+2");
    r.plans.add(2, ask(5, 2));
    CHECK(r.run() == "1:0+5");  // every second step the wanted row is the prompt's
    CHECK(r.run() == "0:2+1");
    CHECK(r.run() == "1:5+1");
    r.plans.add(3, ask(5, 1));
    CHECK(r.run() == "0:3+1 1:0+4");
    CHECK(r.run() == "1:4+1");
}

TEST_CASE("scheduler: a step is planned on tokens that the one before it will sample") {
    rig r{null_capacity(8, 4, 4, 50, 64), options(8, 4)};
    r.plans.add(1, ask(2, 4));
    r.plans.add(2, ask(3, 4));
    CHECK(r.submit() == "0:0+2 1:0+3");
    CHECK(r.submit() == "0:2+1 1:3+1");
    CHECK(r.ids == std::vector{sampled_by_last_step(0), sampled_by_last_step(1)});
    r.receive();
    CHECK(r.submit() == "0:3+1 1:4+1");
    r.receive();
    CHECK(r.submit() == "0:4+1 1:5+1");
    r.receive();
    CHECK(r.submit() == "");  // the fourth token of each is on its way
    r.receive();
    const capacity reserved = r.runs_on.reserved();
    CHECK(r.answer(1) == ids_of(null_oracle(reserved, ask(2, 4)).tokens));
    CHECK(r.answer(2) == ids_of(null_oracle(reserved, ask(3, 4)).tokens));
    CHECK(r.plans.empty());
}

TEST_CASE("scheduler: what is computed behind a stop is dropped, and its place is free") {
    const capacity reserved = null_capacity(8, 1, 4, 50, 2);
    generation_request request = ask(3, 5);
    const std::vector<std::int32_t> whole = ids_of(null_oracle(reserved, request).tokens);
    request.stop_tokens = {whole[1]};
    rig r{reserved, options(8, 1)};
    r.plans.add(1, request);
    r.plans.add(2, ask(4, 3, 9));
    r.submit();
    r.submit();
    r.receive();
    CHECK(r.submit() == "0:4+1");  // behind the stop, but nobody knows yet
    r.receive();
    CHECK(r.finish(1) == finish_reason::stop);
    CHECK(r.submit() == "0:0+4");  // the second takes slot and pages while that row is on its way
    r.receive();
    r.receive();
    while (!r.run().empty()) {}
    CHECK(r.answer(1) == std::vector{whole[0], whole[1]});
    CHECK(r.answer(2) == ids_of(null_oracle(reserved, ask(4, 3, 9)).tokens));
    CHECK(r.plans.counts().generated_tokens == 5);
    CHECK(r.plans.counts().finished_stop == 1);
}

TEST_CASE("scheduler: stop tokens are suppressed until there are min_tokens") {
    const capacity reserved = null_capacity(8, 1, 4, 50, 16);
    generation_request request = ask(3, 6);
    request.stop_tokens = ids_of(null_oracle(reserved, request).tokens);
    request.min_tokens = 4;
    rig r{reserved, options(8, 1)};
    r.plans.add(1, request);
    while (!r.run().empty()) {}
    const std::vector<std::int32_t> got = r.answer(1);
    CHECK(got == ids_of(null_oracle(reserved, request).tokens));
    REQUIRE(got.size() >= 4);
    for (std::size_t i = 0; i < 4; ++i) CHECK(std::ranges::count(request.stop_tokens, got[i]) == 0);
}

TEST_CASE("scheduler: a request without tokens to generate reports its prompt and ends") {
    rig r{null_capacity(4, 2, 4, 50, 16), options(4, 2)};
    generation_request request = ask(6, 0);
    request.prompt_logprobs = 0;
    r.plans.add(1, request);
    r.plans.add(2, ask(3, 0));
    while (!r.run().empty()) {}
    REQUIRE(r.events.size() == 2);
    CHECK(r.events[0].event.prompt.size() == 5);
    CHECK(r.events[0].event.finish == finish_reason::length);
    CHECK(r.events[1].event.prompt.empty());
    CHECK(r.events[1].event.finish == finish_reason::length);
    CHECK(r.plans.counts().generated_tokens == 0);
}

TEST_CASE("scheduler: cancel frees slot and pages at once, also with a step on its way") {
    rig r{null_capacity(8, 1, 4, 50, 4), options(8, 1)};
    r.plans.add(1, ask(8, 8));
    r.plans.add(2, ask(8, 2, 5));
    r.plans.add(3, ask(8, 2));
    r.submit();
    r.plans.cancel(1, r.events);
    r.plans.cancel(3, r.events);
    r.plans.cancel(77, r.events);
    CHECK(r.finish(1) == finish_reason::cancelled);
    CHECK(r.finish(3) == finish_reason::cancelled);
    CHECK(r.plans.running() == 0);
    CHECK(r.plans.pool().held_or_promised() == 0);
    CHECK(r.submit() == "0:0+8");
    r.receive();
    CHECK(r.events.size() == 2);  // the row of the cancelled one found nobody
    r.receive();
    while (!r.run().empty()) {}
    CHECK(r.answer(2) == ids_of(null_oracle(r.runs_on.reserved(), ask(8, 2, 5)).tokens));
    CHECK(r.plans.counts().cancelled == 2);
}

TEST_CASE("scheduler: a row whose logits are no numbers fails its request alone") {
    const capacity reserved = null_capacity(8, 2, 4, 50, 16);
    scheduler plans{reserved, options(8, 2)};
    std::vector<addressed_event> events;
    plans.add(1, ask(2, 2));
    plans.add(2, ask(2, 2));
    REQUIRE(plans.plan({}));
    const token_logprob sampled[]{{-1, 0}, {7, 0}};
    plans.apply({.sampled = sampled, .top = {}}, events);
    REQUIRE(events.size() == 2);
    CHECK(events[0].event.finish == finish_reason::failed);
    CHECK(events[0].event.error == "the model gave no usable logits for this request");
    CHECK(events[1].event.tokens.size() == 1);
    plans.verify();
    CHECK(plans.running() == 1);
    CHECK(plans.counts().finished_failed == 1);
}

TEST_CASE("scheduler: a request that can never run is refused with both numbers") {
    const scheduler plans{null_capacity(8, 2, 4, 50, 8), options(8, 2)};
    const auto refused = [&](const generation_request& request) -> std::string {
        try {
            plans.check(request);
        } catch (const input_error& error) {
            return error.what();
        }
        return "accepted";
    };
    CHECK(refused(ask(30, 3)) == "accepted");
    CHECK(refused(ask(30, 4)) == "request: expected at most 32 tokens in the cache, got 33");
    CHECK(refused(ask(60, 5)) ==
          "request: expected at most 64 tokens of prompt and answer "
          "together, got 60 + 5 = 65");
    CHECK(refused(ask(0, 5)) == "request: prompt: expected at least 1 token, got 0");

    const std::map<std::string, void (*)(generation_request&)> cases{
        {"prompt: expected token ids from 0 to 49, got 50", [](auto& r) { r.prompt[2] = 50; }},
        {"stop_tokens: expected token ids from 0 to 49, got -1",
         [](auto& r) { r.stop_tokens = {-1}; }},
        {"logit_bias: expected token ids from 0 to 49, got 99",
         [](auto& r) {
             r.biases = {{99, 1.0f}};
         }},
        {"logit_bias: expected a number, got nan",
         [](auto& r) {
             r.biases = {{1, NAN}};
         }},
        {"max_tokens: expected a count, got -3", [](auto& r) { r.max_tokens = -3; }},
        {"min_tokens: expected 0 to max_tokens, 2, got 3", [](auto& r) { r.min_tokens = 3; }},
        {"prompt_logprobs: expected -1 to 50, got 51", [](auto& r) { r.prompt_logprobs = 51; }},
        {"top_logprobs: expected -1 to 50, got 51", [](auto& r) { r.how.top_logprobs = 51; }},
        {"temperature: expected a number not below 0, got -1",
         [](auto& r) { r.how.temperature = -1; }},
        {"temperature: expected a number not below 0, got inf",
         [](auto& r) { r.how.temperature = INFINITY; }},
        {"top_p: expected a number in (0, 1], got 0", [](auto& r) { r.how.top_p = 0; }},
        {"top_p: expected a number in (0, 1], got nan", [](auto& r) { r.how.top_p = NAN; }},
        {"min_p: expected a number in [0, 1], got 1.5", [](auto& r) { r.how.min_p = 1.5f; }},
        {"top_k: expected a count, or 0 for all, got -2", [](auto& r) { r.how.top_k = -2; }},
        {"repetition_penalty: expected a number above 0, got 0",
         [](auto& r) { r.how.repetition_penalty = 0; }},
        {"presence_penalty: expected a number, got inf",
         [](auto& r) { r.how.presence_penalty = INFINITY; }},
        {"frequency_penalty: expected a number, got nan",
         [](auto& r) { r.how.frequency_penalty = NAN; }},
    };
    for (const auto& [message, spoil] : cases) {
        generation_request request = ask(4, 2);
        spoil(request);
        CHECK(refused(request) == "request: " + message);
    }
}

TEST_CASE("scheduler: options and capacities without room for a row are refused") {
    const capacity good = null_capacity(8, 2, 4, 50, 8);
    scheduler_options none = options(8, 2);
    none.max_num_batched_tokens = 0;
    CHECK_THROWS_WITH_AS(scheduler(good, none),
                         "engine: max_num_batched_tokens: expected at least 1, got 0", input_error);
    capacity without = good;
    without.wanted = 0;
    CHECK_THROWS_AS(scheduler(without, options(8, 2)), input_error);
    without = good;
    without.kinds[0].pages = 0;
    CHECK_THROWS_AS(scheduler(without, options(8, 2)), input_error);
}

TEST_CASE("scheduler: a request that asks one row for more than the back end reserved is refused") {
    capacity reserved = null_capacity(8, 2, 4, 50, 16);
    reserved.top_logprobs = 5;
    reserved.biases = 2;
    const scheduler s{
        reserved, {.max_model_len = 32, .max_num_batched_tokens = 8, .max_num_seqs = 2}};
    generation_request request{.prompt = {1}, .max_tokens = 1};
    CHECK_NOTHROW(s.check(request));
    request.how.top_logprobs = 6;
    CHECK_THROWS_AS(s.check(request), input_error);
    request.how.top_logprobs = 5;
    request.biases = {{1, 1.0f}, {2, 1.0f}};
    CHECK_NOTHROW(s.check(request));
    request.stop_tokens = {3};
    CHECK_THROWS_AS(s.check(request), input_error);
}
