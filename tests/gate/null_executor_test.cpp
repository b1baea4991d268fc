// The executor of the tests finds what an engine may get wrong: pages, pasts, slots, rows.
#include "tests/support/null_executor.hpp"
#include <doctest/doctest.h>
#include <string>
#include "tests/support/null_oracle.hpp"

namespace {

using namespace g4;
using namespace g4::testing;

/// The arrays of a step, to be spoilt.
struct parts {
    std::vector<std::int32_t> token_ids;
    std::vector<sequence_rows> sequences;
    std::vector<std::int32_t> pages;
    std::vector<wanted_row> wanted;
    std::vector<slot_start> started;
    step get() const {
        return {.token_ids = token_ids,
                .sequences = sequences,
                .pages = pages,
                .wanted = wanted,
                .started = started,
                .biases = {}};
    }
};

sequence_rows rows(std::int32_t first, std::int32_t count, std::int32_t past, std::int32_t slot,
                   page_list whole, page_list window) {
    return {.first_row = first,
            .row_count = count,
            .past = past,
            .slot = slot,
            .lists = {whole, window}};
}

// pages of 2 tokens, 8 that see everything, 4 of a window of 3
const capacity reserved = null_capacity(8, 2, 2, 30, 8, 3, 4);
const std::vector<std::int32_t> prompt{5, 6, 7, 8, 9};

/// Five rows of slot 1: whole pages 3 0 6, window pages 1 2 0.
parts first_step() {
    return {.token_ids = prompt,
            .sequences = {rows(0, 5, 0, 1, {0, 0}, {3, 0})},
            .pages = {3, 0, 6, 1, 2, 0},
            .wanted = {{.row = 4, .how = {}, .given = -1}},
            .started = {{.slot = 1, .prompt = prompt}}};
}

/// The next row, its token not known yet; page 0 of the window has been given back.
parts second_step() {
    return {.token_ids = {sampled_by_last_step(0)},
            .sequences = {rows(0, 1, 5, 1, {0, 0}, {3, 1})},
            .pages = {3, 0, 6, 2, 0},
            .wanted = {{.row = 0, .how = {}, .given = -1}},
            .started = {}};
}

std::string refusal(null_executor& runs_on, const parts& of) {
    try {
        runs_on.submit(of.get());
    } catch (const internal_error& error) {
        const std::string text = error.what();
        return text.substr(text.find("null: "));
    }
    return "accepted";
}

template <class Spoil> std::string after_first(Spoil spoil) {
    null_executor runs_on{{.reserved = reserved}};
    runs_on.submit(first_step().get());
    parts next = second_step();
    spoil(next);
    return refusal(runs_on, next);
}

}  // namespace

TEST_CASE("null_executor: answers as the oracle does, through any pages, one step ahead") {
    null_executor runs_on{{.reserved = reserved}};
    runs_on.submit(first_step().get());
    runs_on.submit(second_step().get());
    const std::int32_t one = runs_on.wait().sampled[0].token;
    const std::int32_t two = runs_on.wait().sampled[0].token;
    const expected_answer expected = null_oracle(reserved, {.prompt = prompt, .max_tokens = 2});
    CHECK(one == expected.tokens[0].token.token);
    CHECK(two == expected.tokens[1].token.token);
    CHECK_THROWS_AS(runs_on.wait(), internal_error);
}

TEST_CASE("null_executor: the answer depends on each token, and on its place") {
    std::vector<std::int32_t> tokens{1, 2, 3, 4, 5, 6, 7, 8};
    constexpr std::int32_t vocabulary = 1 << 30;
    const std::int32_t answer = null_answer(tokens, vocabulary);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        ++tokens[i];
        CHECK(null_answer(tokens, vocabulary) != answer);
        --tokens[i];
        std::swap(tokens[i], tokens[(i + 1) % tokens.size()]);
        CHECK(null_answer(tokens, vocabulary) != answer);
        std::swap(tokens[i], tokens[(i + 1) % tokens.size()]);
    }
    CHECK(null_answer(tokens, vocabulary) == answer);
}

TEST_CASE("null_executor: refuses what breaks the gate, and says what") {
    CHECK(after_first([](parts&) {}) == "accepted");
    CHECK(after_first([](parts& p) { p.sequences[0].past = 4; }) ==
          "null: expected a past of 5, got 4");
    CHECK(after_first([](parts& p) { p.sequences[0].slot = 0; }) ==
          "null: slot 0 was never started");
    CHECK(after_first([](parts& p) { p.sequences[0].slot = 2; }) == "null: slot 2");
    CHECK(after_first([](parts& p) { std::swap(p.pages[0], p.pages[1]); }) ==
          "null: kind 0: position 0 of slot 1 was overwritten");
    CHECK(after_first([](parts& p) { p.pages[4] = 3; }) ==
          "null: kind 1: position 4 of slot 1 was overwritten");
    CHECK(after_first([](parts& p) { p.sequences[0].lists[1].skipped = 2; }) ==
          "null: position 3 lies in a page that was given back");
    CHECK(after_first([](parts& p) { p.pages[1] = 3; }) == "null: page 3 serves two places");
    CHECK(after_first([](parts& p) { p.pages[1] = 8; }) == "null: page 8 of kind 0");
    CHECK(after_first([](parts& p) { p.pages.pop_back(); }) ==
          "null: a page list leaves the step's pages");
    CHECK(after_first([](parts& p) { p.token_ids[0] = sampled_by_last_step(1); }) ==
          "null: the last step samples no row 1");
    CHECK(after_first([](parts& p) { p.token_ids[0] = 30; }) == "null: token 30");
    CHECK(after_first([](parts& p) { p.token_ids.push_back(1); }) == "null: rows of no sequence");
    CHECK(after_first([](parts& p) { p.wanted[0].row = 1; }) == "null: wanted rows out of order");
    CHECK(after_first([](parts& p) { p = {}; }) == "null: a step without rows");
    CHECK(after_first([](parts& p) { p.token_ids.assign(9, 1); }) == "null: 9 rows");
}

TEST_CASE("null_executor: finds a page that another sequence took over") {
    null_executor runs_on{{.reserved = reserved}};
    runs_on.submit(first_step().get());
    runs_on.wait();
    const std::vector<std::int32_t> other{1, 2};
    parts thief{.token_ids = other,
                .sequences = {rows(0, 2, 0, 0, {0, 0}, {1, 0})},
                .pages = {0, 3},  // page 0 of everything is the first sequence's
                .wanted = {},
                .started = {{.slot = 0, .prompt = other}}};
    runs_on.submit(thief.get());
    runs_on.wait();
    parts next = second_step();
    next.token_ids = {3};
    CHECK(refusal(runs_on, next) == "null: kind 0: position 2 of slot 1 was overwritten");
}

TEST_CASE("null_executor: takes its time, one step behind the other") {
    using clock = std::chrono::steady_clock;
    null_executor runs_on{{.reserved = reserved, .step_time = std::chrono::milliseconds{10}}};
    const auto begin = clock::now();
    runs_on.submit(first_step().get());
    runs_on.submit(second_step().get());
    runs_on.wait();
    CHECK(clock::now() - begin >= std::chrono::milliseconds{10});
    runs_on.wait();
    CHECK(clock::now() - begin >= std::chrono::milliseconds{20});
}

TEST_CASE("null_executor: can be told what to answer, and to answer without logits") {
    const auto count = [](std::span<const std::int32_t> seen) {
        return static_cast<std::int32_t>(seen.size());
    };
    for (const bool samples : {true, false}) {
        null_executor runs_on{{.reserved = reserved, .samples = samples, .answer = count}};
        parts first = first_step();
        first.wanted[0].how.top_logprobs = 3;
        runs_on.submit(first.get());
        const step_result result = runs_on.wait();
        CHECK(result.sampled[0].token == 5);
        REQUIRE(result.top.size() == 3);
        CHECK(result.top[0].token == 5);
        CHECK((result.sampled[0].logprob < 0) == samples);
    }
}

TEST_CASE("null_executor: fails when told to, and from then on") {
    null_executor runs_on{{.reserved = reserved, .fails_at_step = 1}};
    runs_on.submit(first_step().get());
    runs_on.submit(second_step().get());
    runs_on.wait();
    CHECK_THROWS_WITH_AS(runs_on.wait(), "null: step 1 failed", device_error);
    CHECK_THROWS_AS(runs_on.wait(), device_error);
    CHECK_THROWS_AS(runs_on.submit(first_step().get()), device_error);
}
