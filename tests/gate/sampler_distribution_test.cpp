// Over many positions the sampler draws from the distribution that it promises, and no other.
#include <doctest/doctest.h>
#include <cmath>
#include <random>
#include "g4/gate/sampler.hpp"
#include "tests/support/plain_sampler.hpp"

namespace {

using namespace g4;
using namespace g4::testing;

/// Σ (seen - expected)² / expected over outcomes, those expected less than 10 times taken together.
/// If `seen` follows `probabilities` it has mean f and variance 2f, f one less than the outcomes.
struct chi_square {
    double sum = 0, freedom = -1;

    chi_square(std::span<const std::int64_t> seen, std::span<const double> probabilities) {
        std::int64_t draws = 0, rare_seen = 0;
        for (const std::int64_t one : seen) draws += one;
        double rare = 0;
        for (std::size_t i = 0; i < seen.size(); ++i) {
            const double expected = probabilities[i] * static_cast<double>(draws);
            if (expected == 0) CHECK(seen[i] == 0);  // what was filtered out is never drawn
            if (expected >= 10) {
                add(seen[i], expected);
            } else {
                rare += expected;
                rare_seen += seen[i];
            }
        }
        if (rare >= 1) add(rare_seen, rare);
    }
    void add(std::int64_t seen, double expected) {
        const double off = static_cast<double>(seen) - expected;
        sum += off * off / expected;
        freedom += 1;
    }
    /// Six standard deviations: a right sampler fails about once in a million seeds, and the seeds
    /// here are fixed. Half of it below: numbers more even than chance are wrong too.
    bool plausible() const {
        const double deviation = std::sqrt(2 * freedom);
        return sum < freedom + 6 * deviation + 6 && sum > freedom - 6 * deviation - 6;
    }
};

std::vector<float> logits_of(std::size_t count, float spread) {
    std::mt19937 random{9};
    std::normal_distribution<float> normal{0, spread};
    std::vector<float> out(count);
    for (float& one : out) one = normal(random);
    return out;
}

}  // namespace

TEST_CASE("sampler: draws follow the filtered distribution") {
    struct setting {
        const char* name;
        sampling how;
    };
    const auto make = [](float temperature, std::int32_t top_k, float top_p, float min_p) {
        sampling how;
        how.temperature = temperature;
        how.top_k = top_k;
        how.top_p = top_p;
        how.min_p = min_p;
        how.seed = 77;
        return how;
    };
    const setting settings[]{{"plain", make(1, 0, 1, 0)},       {"hot", make(3, 0, 1, 0)},
                             {"cold", make(0.4f, 0, 1, 0)},     {"top_k", make(1, 12, 1, 0)},
                             {"top_p", make(1, 0, 0.8f, 0)},    {"min_p", make(1, 0, 1, 0.1f)},
                             {"served", make(1, 64, 0.95f, 0)}, {"all", make(2, 40, 0.7f, 0.02f)}};
    constexpr std::size_t vocabulary = 200;
    constexpr std::int32_t draws = 60000;
    const std::vector<float> logits = logits_of(vocabulary, 1.5f);
    const logit_bias biases[]{{3, 2.0f}, {9, -1.0f}};
    for (const auto& [name, how] : settings) {
        CAPTURE(name);
        wanted_row want{.row = 0, .how = how, .given = -1};
        want.how.bias_count = 2;
        host_sampler sampler{vocabulary, 1};
        std::vector<std::int64_t> seen(vocabulary);
        std::vector<token_logprob> top;
        for (std::int32_t position = 0; position < draws; ++position) {
            std::vector<float> row = logits;
            const token_logprob got = sampler.pick(row, want, biases, 0, position, top);
            ++seen[static_cast<std::size_t>(got.token)];
        }
        const plain_choice expected = plain_pick(logits, how, biases, {}, 0);
        const chi_square fit{seen, expected.probabilities};
        CHECK(fit.freedom >= 3);
        CHECK(fit.plausible());
        // the same draws do not fit a distribution that is 10 % off in temperature
        sampling other = how;
        other.temperature *= 1.1f;
        std::vector<double> wrong = plain_pick(logits, other, biases, {}, 0).probabilities;
        for (std::size_t i = 0; i < vocabulary; ++i)
            if (expected.probabilities[i] == 0 || wrong[i] == 0)
                wrong[i] = expected.probabilities[i];
        CHECK_FALSE(chi_square{seen, wrong}.plausible());
    }
}

TEST_CASE("random_unit: even over positions, over seeds, and over pairs of neighbours") {
    constexpr std::int32_t draws = 200000;
    constexpr std::size_t cells = 32;
    const std::vector<double> even(cells, 1.0 / cells),
        even_pairs(cells * cells, 1.0 / (cells * cells));
    const auto cell = [](double unit) {
        REQUIRE((unit >= 0 && unit < 1));
        return static_cast<std::size_t>(unit * cells);
    };
    for (const std::uint64_t seed : {0ull, 1ull, 123456789ull, ~0ull}) {
        std::vector<std::int64_t> positions(cells), pairs(cells * cells), seeds(cells),
            both(cells * cells);
        for (std::int32_t i = 0; i < draws; ++i) {
            const std::size_t here = cell(random_unit(seed, i)),
                              next = cell(random_unit(seed, i + 1));
            const auto other = seed + static_cast<std::uint64_t>(i);
            ++positions[here];
            ++pairs[here * cells + next];
            ++seeds[cell(random_unit(other, 100))];
            ++both[cell(random_unit(other, 100)) * cells + cell(random_unit(other + 1, 100))];
        }
        CHECK(chi_square{positions, even}.plausible());
        CHECK(chi_square{seeds, even}.plausible());
        CHECK(chi_square{pairs, even_pairs}.plausible());
        CHECK(chi_square{both, even_pairs}.plausible());
    }
}
