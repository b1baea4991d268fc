// Whatever arrives, whenever, and however it is cut into steps: each request gets what it gets
// alone, ends once, and leaves nothing behind.
#include <doctest/doctest.h>
#include <map>
#include <random>
#include "g4/engine/engine.hpp"
#include "tests/support/event_log.hpp"
#include "tests/support/null_executor.hpp"
#include "tests/support/null_oracle.hpp"

namespace {

using namespace g4;
using namespace g4::testing;

class dice {
  public:
    explicit dice(unsigned seed) : random_{seed} {}
    std::int32_t between(std::int32_t least, std::int32_t most) {
        return std::uniform_int_distribution<std::int32_t>{least, most}(random_);
    }
    bool one_in(std::int32_t n) { return between(1, n) == 1; }

  private:
    std::mt19937 random_;
};

constexpr std::int32_t vocabulary = 40, max_model_len = 90;

capacity random_capacity(dice& random) {
    const std::int32_t page_tokens = random.between(1, 9);
    const std::int32_t longest = (max_model_len + page_tokens - 1) / page_tokens;
    capacity out{.rows = random.between(1, 40),
                 .wanted = random.between(1, 12),
                 .sequences = random.between(1, 12),
                 .page_tokens = page_tokens,
                 .vocabulary = vocabulary,
                 .kinds = {}};
    const std::int32_t kinds = random.between(1, max_cache_kinds);
    for (std::int32_t k = 0; k < kinds; ++k) {
        const std::int32_t window = k == 0 ? 0 : random.between(0, 25);
        const std::int32_t least =
            window == 0 ? longest : (window + page_tokens - 2) / page_tokens + 1;
        out.kinds.push_back({.window_tokens = window,
                             .pages = random.between(least, 4 * longest),
                             .page_bytes = random.between(1, 9)});
    }
    return out;
}

generation_request random_request(dice& random) {
    generation_request out;
    const std::int32_t prompt = random.between(1, random.one_in(3) ? 70 : 12);
    for (std::int32_t i = 0; i < prompt; ++i)
        out.prompt.push_back(random.between(0, vocabulary - 1));
    out.max_tokens = random.between(0, std::min(20, max_model_len - prompt));
    out.min_tokens = random.one_in(3) ? random.between(0, out.max_tokens) : 0;
    while (random.one_in(2)) out.stop_tokens.push_back(random.between(0, vocabulary - 1));
    while (random.one_in(3))
        out.biases.push_back(
            {random.between(0, vocabulary - 1), static_cast<float>(random.between(-9, 9))});
    if (random.one_in(4)) out.prompt_logprobs = random.between(0, 4);
    sampling& how = out.how;
    if (random.one_in(4)) how.top_logprobs = random.between(0, 5);
    if (random.one_in(2)) {
        how.temperature = static_cast<float>(random.between(1, 40)) / 10;
        how.seed = static_cast<std::uint64_t>(random.between(0, 1 << 30));
        if (random.one_in(2)) how.top_k = random.between(0, vocabulary);
        if (random.one_in(2)) how.top_p = static_cast<float>(random.between(1, 100)) / 100;
        if (random.one_in(3)) how.min_p = static_cast<float>(random.between(0, 100)) / 100;
    }
    if (random.one_in(3)) how.repetition_penalty = static_cast<float>(random.between(5, 20)) / 10;
    if (random.one_in(3)) how.presence_penalty = static_cast<float>(random.between(-20, 20)) / 10;
    if (random.one_in(3)) how.frequency_penalty = static_cast<float>(random.between(-20, 20)) / 10;
    return out;
}

void check_same(const std::vector<generated_token>& got, const std::vector<generated_token>& want) {
    REQUIRE(got.size() <= want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
        REQUIRE(got[i].token.token == want[i].token.token);
        REQUIRE(got[i].token.logprob == want[i].token.logprob);
        REQUIRE(got[i].top.size() == want[i].top.size());
        for (std::size_t k = 0; k < got[i].top.size(); ++k) {
            REQUIRE(got[i].top[k].token == want[i].top[k].token);
            REQUIRE(got[i].top[k].logprob == want[i].top[k].logprob);
        }
    }
}

/// What has come for each request so far; the same checks as event_log, without its locks.
struct gathered {
    generation_request request;
    std::vector<generated_token> tokens, prompt;
    finish_reason finish = finish_reason::none;
};

void gather(std::map<request_id, gathered>& all, std::vector<addressed_event>& events) {
    for (addressed_event& one : events) {
        gathered& of = all.at(one.id);
        REQUIRE(of.finish == finish_reason::none);
        if (!one.event.prompt.empty()) REQUIRE(of.tokens.empty());
        for (generated_token& token : one.event.tokens) of.tokens.push_back(std::move(token));
        for (generated_token& token : one.event.prompt) of.prompt.push_back(std::move(token));
        of.finish = one.event.finish;
    }
    events.clear();
}

void check_as_alone(const capacity& reserved, const std::map<request_id, gathered>& all) {
    for (const auto& [id, of] : all) {
        CAPTURE(id);
        REQUIRE(of.finish != finish_reason::none);
        REQUIRE(of.finish != finish_reason::failed);
        const expected_answer expected = null_oracle(reserved, of.request);
        check_same(of.tokens, expected.tokens);
        check_same(of.prompt, expected.prompt);
        if (of.finish == finish_reason::cancelled) continue;
        REQUIRE(of.finish == expected.finish);
        REQUIRE(of.tokens.size() == expected.tokens.size());
        REQUIRE(of.prompt.size() == expected.prompt.size());
    }
}

}  // namespace

TEST_CASE("batching: random arrivals, cancels, limits and page sizes change no answer") {
    std::int64_t requests = 0, steps = 0, cancelled = 0;
    for (unsigned round = 0; round < 250; ++round) {
        CAPTURE(round);
        dice random{round};
        const capacity reserved = random_capacity(random);
        const scheduler_options options{.max_model_len = max_model_len,
                                        .max_num_batched_tokens = random.between(1, 50),
                                        .max_num_seqs = random.between(1, 14),
                                        .chunked_prefill = !random.one_in(5)};
        const std::size_t in_flight = random.one_in(2) ? 2 : 1;
        const std::int32_t budget = std::min(reserved.rows, options.max_num_batched_tokens);
        null_executor runs_on{{.reserved = reserved}};
        scheduler plans{reserved, options};
        std::map<request_id, gathered> all;
        std::vector<addressed_event> events;
        std::size_t flying = 0;
        std::int32_t to_come = random.between(1, 30);
        while (to_come > 0 || !plans.empty() || flying > 0) {
            while (to_come > 0 && random.one_in(2)) {
                generation_request request = random_request(random);
                if (!options.chunked_prefill && std::ssize(request.prompt) > budget)
                    request.prompt.resize(static_cast<std::size_t>(budget));
                --to_come;
                const request_id id = all.size() + 1;
                plans.check(request);
                all[id].request = request;
                plans.add(id, std::move(request));
            }
            if (!all.empty() && random.one_in(8))
                plans.cancel(
                    static_cast<request_id>(random.between(1, static_cast<int>(all.size()))),
                    events);
            const std::optional<step> next = plans.plan({});
            plans.verify();
            if (next) {
                REQUIRE(std::ssize(next->token_ids) <= budget);
                runs_on.submit(*next);
                ++flying;
            } else {
                REQUIRE((flying > 0 || plans.empty()));
            }
            if (flying == in_flight || (!next && flying > 0)) {
                plans.apply(runs_on.wait(), events);
                --flying;
            }
            plans.verify();
            gather(all, events);
        }
        check_as_alone(reserved, all);
        REQUIRE(plans.pool().held_or_promised() == 0);
        REQUIRE(runs_on.most_sequences() <= std::min(reserved.sequences, options.max_num_seqs));
        requests += std::ssize(all);
        steps += runs_on.steps();
        cancelled += plans.counts().cancelled;
    }
    MESSAGE(requests << " requests, " << cancelled << " cancelled, " << steps << " steps");
    CHECK(requests > 3000);
    CHECK(cancelled > 300);
}

TEST_CASE("batching: the same holds through the engine's thread, with 64 slots") {
    for (const int in_flight : {1, 2}) {
        dice random{static_cast<unsigned>(in_flight)};
        const capacity reserved = null_capacity(256, 64, 8, vocabulary, 900, 20, 500);
        // Steps that take a while: requests arrive faster than they end, and fill every slot.
        null_executor runs_on{{.reserved = reserved, .step_time = std::chrono::milliseconds{1}}};
        std::vector<event_log> logs(400);
        std::vector<generation_request> requests;
        for (std::size_t i = 0; i < logs.size(); ++i) requests.push_back(random_request(random));
        {
            engine runs{runs_on,
                        {.max_model_len = max_model_len,
                         .max_num_batched_tokens = 200,
                         .max_num_seqs = 64,
                         .steps_in_flight = in_flight}};
            for (std::size_t i = 0; i < logs.size(); ++i) {
                const request_id id = runs.submit(requests[i], logs[i].sink());
                if (random.one_in(10))
                    runs.cancel(id -
                                static_cast<request_id>(random.between(0, static_cast<int>(i))));
            }
            REQUIRE(runs.wait_idle(std::chrono::seconds{60}));
            CHECK(runs.stats().kv_promised == 0);
        }
        for (std::size_t i = 0; i < logs.size(); ++i) {
            REQUIRE(logs[i].breach() == "");
            const expected_answer expected = null_oracle(reserved, requests[i]);
            check_same(logs[i].tokens(), expected.tokens);
            check_same(logs[i].prompt(), expected.prompt);
            if (logs[i].finish() == finish_reason::cancelled) continue;
            REQUIRE(logs[i].finish() == expected.finish);
            REQUIRE(logs[i].tokens().size() == expected.tokens.size());
        }
        // Not always all 64: answers of one token leave their slots empty for a step.
        CHECK(runs_on.most_sequences() >= 56);
        CHECK(runs_on.most_rows() <= 200);
    }
}
