// The host's sampler against a plain one, and by hand where the order of things matters.
#include "g4/gate/sampler.hpp"
#include <doctest/doctest.h>
#include <cmath>
#include <random>
#include <set>
#include "tests/support/plain_sampler.hpp"

namespace {

using namespace g4;
using namespace g4::testing;

constexpr float infinity = std::numeric_limits<float>::infinity();

std::vector<float> random_logits(std::mt19937& random, std::size_t count, bool with_ties) {
    std::normal_distribution<float> normal{0, 3};
    std::vector<float> out(count);
    for (float& one : out) one = with_ties ? std::round(normal(random) * 2) / 2 : normal(random);
    return out;
}

sampling random_sampling(std::mt19937& random, std::int32_t vocabulary) {
    const auto one_in = [&](unsigned n) { return random() % n == 0; };
    const auto number = [&](float least, float most) {
        return std::uniform_real_distribution<float>{least, most}(random);
    };
    sampling how;
    how.temperature = one_in(6) ? 0 : number(0.05f, 3);
    if (one_in(2))
        how.top_k = static_cast<std::int32_t>(random() % static_cast<unsigned>(vocabulary + 3));
    if (one_in(2)) how.top_p = number(0.01f, 1);
    if (one_in(3)) how.min_p = number(0, 0.6f);
    if (one_in(3)) how.repetition_penalty = number(0.5f, 2);
    if (one_in(3)) how.presence_penalty = number(-2, 2);
    if (one_in(3)) how.frequency_penalty = number(-2, 2);
    how.seed = random();
    return how;
}

/// One row of a fresh sampler.
token_logprob pick(std::vector<float> logits, const sampling& how,
                   std::vector<logit_bias> biases = {}, std::int32_t position = 0,
                   std::vector<token_logprob>* top = nullptr) {
    host_sampler sampler{static_cast<std::int32_t>(logits.size()), 1};
    sampler.start({});
    wanted_row want{.row = 0, .how = how, .given = -1};
    want.how.bias_count = static_cast<std::int32_t>(biases.size());
    std::vector<token_logprob> unasked;
    return sampler.pick(logits, want, biases, 0, position, top == nullptr ? unasked : *top);
}

// f32 masses carry 2^-22 each at most, their f64 sum no more; the logarithm makes that absolute.
constexpr double logprob_bound = 2e-6;

}  // namespace

TEST_CASE("sampler: agrees with a plain sampler over whole answers") {
    std::mt19937 random{11};
    int rows = 0, undecided = 0;
    for (int round = 0; round < 600; ++round) {
        CAPTURE(round);
        const auto vocabulary =
            static_cast<std::int32_t>(1 + random() % (round % 8 == 0 ? 2000 : 150));
        host_sampler sampler{vocabulary, 3};
        const auto token = [&] {
            return static_cast<std::int32_t>(random() % static_cast<unsigned>(vocabulary));
        };
        spoken by;
        for (auto i = random() % 20; i-- > 0;) by.prompt.push_back(token());
        const auto slot = static_cast<std::int32_t>(random() % 3);
        sampler.start({.slot = slot, .prompt = by.prompt});
        std::vector<logit_bias> biases{{token(), 99}};  // of another row
        for (auto i = random() % 4; i-- > 0;)
            biases.push_back({token(), random() % 5 == 0 && vocabulary > 9 ? -infinity : 1.5f});
        sampling how = random_sampling(random, vocabulary);
        how.top_logprobs = 0;
        how.first_bias = 1;
        how.bias_count = static_cast<std::int32_t>(biases.size()) - 1;
        for (std::int32_t position = 0; position < 12; ++position) {
            std::vector<float> logits =
                random_logits(random, static_cast<std::size_t>(vocabulary), round % 3 == 0);
            const plain_choice expected =
                plain_pick(logits, how, std::span{biases}.subspan(1), by, position);
            std::vector<token_logprob> top;
            const token_logprob got = sampler.pick(logits, {.row = 0, .how = how, .given = -1},
                                                   biases, slot, position, top);
            ++rows;
            if (expected.undecided) {
                ++undecided;
            } else {
                REQUIRE(got.token == expected.token);
                REQUIRE(std::abs(static_cast<double>(got.logprob) - expected.logprob) <
                        logprob_bound);
            }
            by.output.push_back(got.token);
        }
    }
    CHECK(undecided * 100 < rows);
}

TEST_CASE("sampler: agrees with a plain sampler over a vocabulary of 262,144") {
    std::mt19937 random{3};
    constexpr std::int32_t vocabulary = 262144;
    host_sampler sampler{vocabulary, 1};
    sampler.start({});
    spoken by;
    int decided = 0;
    for (std::int32_t position = 0; position < 24; ++position) {
        const std::vector<float> logits = random_logits(random, vocabulary, position % 4 == 0);
        sampling how;
        how.temperature = position % 2 == 0 ? 1.0f : 0.4f;
        if (position % 3 == 0) how.top_k = position % 2 == 0 ? 64 : 5000;
        if (position % 3 != 1) how.top_p = 0.95f;
        if (position % 5 == 4) how.min_p = 0.02f;
        how.seed = 5;
        how.top_logprobs = 20;
        std::vector<float> row = logits;
        std::vector<token_logprob> top;
        const token_logprob got =
            sampler.pick(row, {.row = 0, .how = how, .given = -1}, {}, 0, position, top);
        const plain_choice expected = plain_pick(logits, how, {}, by, position);
        REQUIRE(top.size() == 20);
        const std::vector<double> wide{logits.begin(), logits.end()};
        const std::vector<std::size_t> order = plain_order(wide);
        for (std::size_t i = 0; i < 20; ++i)
            REQUIRE(top[i].token == static_cast<std::int32_t>(order[i]));
        CHECK(std::abs(static_cast<double>(top[0].logprob) - plain_logprob(logits, top[0].token)) <
              logprob_bound);
        if (expected.undecided) continue;  // 262,144 borders: one is close in about a row of two
        ++decided;
        REQUIRE(got.token == expected.token);
    }
    CHECK(decided >= 8);
}

TEST_CASE("sampler: temperature 0 takes the greatest logit, the lowest id of equal ones") {
    std::vector<float> logits(1000, -3.0f);
    CHECK(pick(logits, {}).token == 0);
    logits[700] = logits[130] = logits[999] = 2;
    CHECK(pick(logits, {}).token == 130);
    CHECK(pick(logits, {}, {{999, 0.5f}}).token == 999);
    CHECK(pick(logits, {}, {{130, -1.0f}}).token == 700);
    sampling how;
    how.top_k = 1;
    how.temperature = 5;
    std::set<std::int32_t> seen;  // ties stay together, also where top_k cuts
    for (std::int32_t i = 0; i < 60; ++i) seen.insert(pick(logits, how, {}, i).token);
    CHECK(seen == std::set{130, 700, 999});
}

TEST_CASE("sampler: penalties see the output, repetition_penalty the prompt too") {
    const std::vector<std::int32_t> prompt{1, 1, 2};
    host_sampler sampler{5, 2};
    const std::vector<float> logits{1.0f, 4.0f, -1.0f, 3.0f, 2.9f};
    std::vector<token_logprob> top;
    const auto next = [&](sampling how, std::int32_t slot = 1) {
        std::vector<float> row = logits;
        return sampler.pick(row, {.row = 0, .how = how, .given = -1}, {}, slot, 0, top).token;
    };
    sampling none, repeated, present, frequent;
    repeated.repetition_penalty = 2;  // 4 / 2: less than 3
    present.presence_penalty = 1.05f;
    frequent.frequency_penalty = 0.4f;
    sampler.start({.slot = 1, .prompt = prompt});
    CHECK(next(present) == 1);   // the prompt is no output; 1 was said once now
    CHECK(next(present) == 3);   // 4 - 1.05 = 2.95 < 3; 3 was said once
    CHECK(next(none) == 1);      // twice
    CHECK(next(none) == 1);      // three times
    CHECK(next(present) == 1);   // 2.95 again, however often; 3 - 1.05; four times
    CHECK(next(frequent) == 4);  // 4 - 1.6, 3 - 0.4, 2.9
    sampler.start({.slot = 1, .prompt = prompt});
    CHECK(next(repeated) == 3);
    CHECK(next(repeated) == 4);  // 3 was said: 1.5
    CHECK(next(none, 0) == 1);   // another slot has its own counts
    sampler.start({.slot = 1, .prompt = {}});
    CHECK(next(repeated) == 1);  // forgotten

    sampling odd;  // a negative logit is multiplied
    odd.repetition_penalty = 0.1f;
    sampler.start({.slot = 1, .prompt = prompt});
    CHECK(next(odd, 1) == 1);
    std::vector<float> low{-9.0f, -4.0f, -3.0f, -8.0f, -8.0f};
    odd.repetition_penalty = 2;
    sampler.start({.slot = 1, .prompt = std::span{prompt}.subspan(2)});
    CHECK(sampler.pick(low, {.row = 0, .how = odd, .given = -1}, {}, 1, 0, top).token == 1);
}

TEST_CASE("sampler: a given token is reported, not chosen, and counts for no penalty") {
    std::mt19937 random{2};
    const std::vector<float> logits = random_logits(random, 40, false);
    host_sampler sampler{40, 1};
    sampler.start({});
    sampling how;
    how.top_logprobs = 3;
    how.presence_penalty = 1000;
    std::vector<token_logprob> top;
    std::vector<float> row = logits;
    const std::int32_t best = pick(logits, {}).token;
    for (const std::int32_t given : {best, 7, 39}) {
        const token_logprob got =
            sampler.pick(row, {.row = 0, .how = how, .given = given}, {}, 0, 0, top);
        CHECK(got.token == given);
        CHECK(std::abs(static_cast<double>(got.logprob) - plain_logprob(logits, given)) <
              logprob_bound);
    }
    CHECK(top.size() == 9);
    CHECK(sampler.pick(row, {.row = 0, .how = how, .given = -1}, {}, 0, 0, top).token == best);
}

TEST_CASE("sampler: log-probabilities are of the model's own logits") {
    std::vector<float> logits{1.0f, 2.0f, 3.0f, 0.5f};
    sampling how;
    how.top_logprobs = 4;
    how.temperature = 0.3f;
    how.top_k = 2;
    how.repetition_penalty = 3;
    std::vector<token_logprob> top;
    const token_logprob got = pick(logits, how, {{0, 50.0f}}, 0, &top);
    CHECK(got.token == 0);
    CHECK(std::abs(static_cast<double>(got.logprob) - plain_logprob(logits, 0)) < logprob_bound);
    REQUIRE(top.size() == 4);
    double total = 0;
    for (const token_logprob& one : top) {
        total += std::exp(static_cast<double>(one.logprob));
        CHECK(std::abs(static_cast<double>(one.logprob) - plain_logprob(logits, one.token)) <
              logprob_bound);
    }
    CHECK(total == doctest::Approx(1.0).epsilon(1e-6));
    CHECK(top[0].token == 2);
    how.top_logprobs = -1;
    top.clear();
    CHECK(pick(logits, how, {{0, 50.0f}}, 0, &top).logprob == 0);
    CHECK(top.empty());
}

TEST_CASE("sampler: as many alternatives as asked for, also where the last ones tie") {
    const std::vector<float> logits(300, 1.0f);
    sampling how;
    how.top_logprobs = 5;
    std::vector<token_logprob> top;
    pick(logits, how, {}, 0, &top);
    REQUIRE(top.size() == 5);
    for (std::int32_t i = 0; i < 5; ++i) CHECK(top[static_cast<std::size_t>(i)].token == i);
    CHECK(top[4].logprob == doctest::Approx(-std::log(300.0)).epsilon(1e-6));
}

TEST_CASE("sampler: filters at their limits leave what they must") {
    std::mt19937 random{5};
    const std::vector<float> logits = random_logits(random, 500, false);
    const std::int32_t best = pick(logits, {}).token;
    const auto only_best = [&](sampling how) {
        how.temperature = how.temperature == 0 ? 3 : how.temperature;
        for (std::int32_t i = 0; i < 40; ++i)
            if (pick(logits, how, {}, i).token != best) return false;
        return true;
    };
    sampling how;
    CHECK_FALSE(only_best(how));
    how.top_p = 1e-6f;
    CHECK(only_best(how));
    how = {};
    how.min_p = 1;
    CHECK(only_best(how));
    how = {};
    how.top_k = 1;
    CHECK(only_best(how));
    how = {};
    how.temperature = 1e-30f;
    CHECK(only_best(how));
    how.top_p = 0.9f;
    CHECK(only_best(how));
    how = {};
    how.temperature = 1e30f;  // all alike
    how.top_k = 500;
    std::set<std::int32_t> seen;
    for (std::int32_t i = 0; i < 4000; ++i) seen.insert(pick(logits, how, {}, i).token);
    CHECK(seen.size() > 490);  // 500 (1 - 1/500)^4000 = 0.17 are missing on average
}

TEST_CASE("sampler: the choice depends on seed and position, not on what ran before") {
    std::mt19937 random{8};
    const std::vector<float> logits = random_logits(random, 2000, false);
    sampling how;
    how.temperature = 1.5f;
    how.seed = 42;
    std::set<std::int32_t> positions, seeds;
    for (std::int32_t i = 0; i < 50; ++i) {
        how.seed = 42;
        const std::int32_t token = pick(logits, how, {}, i).token;
        CHECK(pick(logits, how, {}, i).token == token);
        positions.insert(token);
        how.seed = static_cast<std::uint64_t>(i);
        seeds.insert(pick(logits, how, {}, 7).token);
    }
    CHECK(positions.size() > 30);
    CHECK(seeds.size() > 30);
}

TEST_CASE("sampler: logits that are no numbers give token -1, masked ones are never chosen") {
    std::vector<float> logits(300, 0.0f);
    sampling how;
    how.temperature = 1;
    how.top_logprobs = 2;
    std::vector<token_logprob> top;
    logits[250] = NAN;
    CHECK(pick(logits, how, {}, 0, &top).token == -1);
    CHECK(top.size() == 2);
    logits[250] = infinity;
    CHECK(pick(logits, how, {}, 0, &top).token == -1);
    std::ranges::fill(logits, -infinity);
    CHECK(pick(logits, how, {}, 0, &top).token == -1);
    CHECK(top.size() == 6);
    CHECK(pick({1.0f, 2.0f}, how, {{0, -infinity}, {1, -infinity}}, 0, &top).token == -1);
    CHECK(top.size() == 8);
    CHECK_THROWS_AS(pick({1.0f}, how), internal_error);  // two alternatives of one token
    logits[17] = -50;
    logits[18] = -50;
    for (std::int32_t i = 0; i < 20; ++i) {
        const std::int32_t token = pick(logits, how, {}, i).token;
        CHECK((token == 17 || token == 18));
    }
    how.top_p = 0.5f;
    CHECK(pick(logits, how).token == 17);
}

TEST_CASE("logit_row: the value of a rank is that of a full sort") {
    std::mt19937 random{4};
    logit_row row;
    for (const std::size_t count : {1u, 2u, 127u, 128u, 129u, 1000u, 20000u}) {
        for (const bool ties : {false, true}) {
            std::vector<float> logits = random_logits(random, count, ties);
            row.begin(logits);
            std::vector<float> falling = logits;
            std::ranges::sort(falling, std::greater{});
            CHECK(row.greatest() == falling[0]);
            CHECK(row[row.argmax()] == falling[0]);
            for (std::size_t rank = 1; rank <= count; rank += 1 + rank / 2)
                CHECK(row.value_of_rank(rank) == falling[rank - 1]);
        }
    }
}

TEST_CASE("logit_row: e^x is right within 2 units of the last place and 1.7e-38") {
    int wrong = 0;
    for (float x = 0; x > -87; x -= 0.00371f) {
        const double want = std::exp(static_cast<double>(x));
        const double error = std::abs(static_cast<double>(exp_not_above_one(x)) - want);
        if (error > 2 * 0x1p-23 * want + 1.7e-38) ++wrong;
    }
    CHECK(wrong == 0);
    CHECK(exp_not_above_one(0) == 1);
    CHECK(exp_not_above_one(-87) == 0);
}
