// Steps of random wanted rows for sampling kernels, and what the host's samplers say to them.
#pragma once
#include "codegen/sample/config.hpp"
#include "g4/gate/sampler.hpp"
#include "g4/gate/step.hpp"
#include "tests/support/plain_sampler.hpp"
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <span>
#include <vector>

namespace g4::testing {

inline sampling random_sampling(std::mt19937& random, std::int32_t vocabulary) {
    const auto one_in = [&](unsigned n) { return random() % n == 0; };
    const auto number = [&](float least, float most) {
        return std::uniform_real_distribution<float>{least, most}(random);
    };
    sampling how;
    how.temperature = one_in(6) ? 0 : number(0.05f, 3);
    if (one_in(2)) how.top_k = static_cast<std::int32_t>(random() % (one_in(2) ? 70u : ~0u >> 1));
    if (how.top_k > vocabulary + 3) how.top_k %= vocabulary + 3;
    if (one_in(2)) how.top_p = number(0.01f, 1);
    if (one_in(8)) how.top_p = 1e-6f;
    if (one_in(3)) how.min_p = number(0, 0.6f);
    if (one_in(3)) how.repetition_penalty = number(0.5f, 2);
    if (one_in(3)) how.presence_penalty = number(-2, 2);
    if (one_in(3)) how.frequency_penalty = number(-2, 2);
    how.top_logprobs = one_in(3) ? static_cast<std::int32_t>(random() % 21) : one_in(2) ? 0 : -1;
    how.top_logprobs = std::min(how.top_logprobs, vocabulary);
    how.seed = static_cast<std::uint64_t>(random()) << 32 | random();
    return how;
}

/// What kernels left for a step.
struct sample_outcome {
    std::vector<int> tokens;
    std::vector<g4k::sample_choice> sampled, top;
};

/// Rows of one vocabulary, row r in slot r, over several steps.
class sample_trial {
  public:
    static constexpr float infinity = std::numeric_limits<float>::infinity();

    sample_trial(std::mt19937& random, std::int32_t vocabulary, std::int32_t rows)
        : random_{random},
          vocabulary_{vocabulary},
          host_{vocabulary, rows},
          said(static_cast<std::size_t>(rows)) {
        for (std::int32_t r = 0; r < rows; ++r) {
            for (auto i = random() % 20; i-- > 0;) said[at(r)].prompt.push_back(token());
            host_.start({.slot = r, .prompt = said[at(r)].prompt});
            add_row(random_sampling(random, vocabulary));
        }
    }
    /// Biases and a given token are drawn for it.
    void add_row(sampling how) {
        how.first_bias = static_cast<std::int32_t>(biases.size());
        if (random_() % 3 == 0) add_biases();
        how.bias_count = static_cast<std::int32_t>(biases.size()) - how.first_bias;
        const auto row = static_cast<std::int32_t>(wanted.size());
        wanted.push_back({row, how, random_() % 9 == 0 ? token() : -1});
    }

    /// Row r of the next step, `odd`: some are no distribution.
    void fill_logits(std::int64_t stride, bool ties, bool odd) {
        std::normal_distribution<float> normal{0, 3};
        logits.assign(wanted.size() * static_cast<std::size_t>(stride), 1e30f);
        for (std::size_t r = 0; r < wanted.size(); ++r) {
            const auto row = row_of(r, stride);
            for (float& one : row) {
                one = normal(random_);
                if (ties) one = std::round(one) / 2;
            }
            if (odd && random_() % 4 == 0) row[at(token())] = -infinity;
            if (odd && random_() % 16 == 0) row[at(token())] = NAN;
            if (odd && random_() % 16 == 0) row[at(token())] = infinity;
            if (odd && random_() % 16 == 0) std::ranges::fill(row, -infinity);
            if (odd && random_() % 16 == 0) std::ranges::fill(row, 1.5f);
        }
    }
    std::span<float> row_of(std::size_t r, std::int64_t stride) {
        return std::span{logits}.subspan(r * static_cast<std::size_t>(stride), at(vocabulary_));
    }

    std::vector<g4k::sample_row> rows(std::int32_t position) const {
        std::vector<g4k::sample_row> out;
        int first_top = 0;
        for (const wanted_row& want : wanted) {
            const sampling& how = want.how;
            g4k::sample_row row{};
            row.active = 1;
            row.temperature = how.temperature;
            row.top_p = how.top_p;
            row.min_p = how.min_p;
            row.top_k = how.top_k;
            row.presence = how.presence_penalty;
            row.frequency = how.frequency_penalty;
            row.repetition = how.repetition_penalty;
            row.seed = how.seed;
            row.position = position;
            row.slot = want.row;
            row.given = want.given;
            row.first_bias = how.first_bias;
            row.bias_count = how.bias_count;
            row.top_logprobs = how.top_logprobs;
            row.first_top = first_top;
            first_top += std::max(0, how.top_logprobs);
            out.push_back(row);
        }
        return out;
    }
    std::size_t top_count() const {
        std::size_t out = 0;
        for (const wanted_row& want : wanted) out += at(std::max(0, want.how.top_logprobs));
        return out;
    }

    /// Holds what kernels gave for the logits as filled against the host. Rows whose choice hangs
    /// on rounding are counted; what they say next is compared no more, see `lost`.
    void check(const sample_outcome& got, std::int64_t stride, std::int32_t position) {
        std::size_t first_top = 0;
        REQUIRE(got.tokens.size() == wanted.size());
        for (std::size_t r = 0; r < wanted.size(); ++r) {
            CAPTURE(r);
            const wanted_row& want = wanted[r];
            std::vector<float> own{row_of(r, stride).begin(), row_of(r, stride).end()};
            const std::vector<float> raw = own;
            std::vector<token_logprob> top;
            const token_logprob expected = host_.pick(own, want, biases, want.row, position, top);
            ++checked;
            CHECK(got.sampled[r].token == got.tokens[r]);
            check_top(std::span{got.top}.subspan(first_top, top.size()), top);
            first_top += top.size();
            const std::int32_t token = got.tokens[r];
            if (expected.token >= 0 && want.given < 0 && token != expected.token) {
                CHECK(plain(r, raw, position).undecided);
                ++undecided;
                lost = true;
            } else {
                REQUIRE(token == expected.token);
                CHECK(close(got.sampled[r].logprob, expected.logprob));
            }
            if (token >= 0 && want.given < 0) said[r].output.push_back(token);
        }
    }

    std::vector<wanted_row> wanted;
    std::vector<logit_bias> biases{{0, 99.0f}};  // of no row
    std::vector<float> logits;
    int checked = 0, undecided = 0;
    bool lost = false;  // the samplers' counts differ from here on

  private:
    static std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }
    std::int32_t token() {
        return static_cast<std::int32_t>(random_() % static_cast<unsigned>(vocabulary_));
    }
    void add_biases() {
        for (auto i = random_() % 6; i-- > 0;) {
            const bool never = random_() % 4 == 0 && vocabulary_ > 9;
            biases.push_back({token(), never ? -infinity : 2.5f});
            if (random_() % 3 == 0) biases.push_back({biases.back().token, -0.3f});
        }
    }
    plain_choice plain(std::size_t r, std::span<const float> raw, std::int32_t position) const {
        const sampling& how = wanted[r].how;
        const auto own = std::span{biases}.subspan(at(how.first_bias), at(how.bias_count));
        return plain_pick(raw, how, own, said[r], position);
    }
    /// Both take masses in f32 and sum them wider: 2^-21 of the logarithm's argument, and the
    /// result's own rounding.
    static bool close(float a, float b) {
        return a == b || std::abs(a - b) <= 1e-6f + 2.4e-7f * std::abs(b);
    }
    static void check_top(std::span<const g4k::sample_choice> got,
                          std::span<const token_logprob> expected) {
        for (std::size_t i = 0; i < expected.size(); ++i) {
            CAPTURE(i);
            CHECK(got[i].token == expected[i].token);
            CHECK(close(got[i].logprob, expected[i].logprob));
        }
    }

    std::mt19937& random_;
    std::int32_t vocabulary_;
    host_sampler host_;

  public:
    std::vector<spoken> said;
};

}  // namespace g4::testing
