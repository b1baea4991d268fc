// The searched scale: never worse than the plain one, and close to the best one that there is.
#include "g4/weights/search_int4.hpp"
#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <random>
#include <utility>
#include <vector>

namespace {

using namespace g4;

/// Groups of another distribution each: normal, heavy tails, even, one outlier, sparse, tiny.
std::vector<float> drawn_group(std::size_t size, unsigned kind, std::mt19937& random) {
    std::normal_distribution<float> normal;
    std::student_t_distribution<float> heavy{3};
    std::uniform_real_distribution<float> even{-1, 1};
    std::vector<float> out(size);
    for (float& w : out) {
        w = 0.02f * (kind == 1 ? heavy(random) : kind == 2 ? even(random) : normal(random));
        if (kind == 4 && random() % 4 != 0) w = 0;
        if (kind == 5) w *= 0.01f;
        w = round_to_bf16(w);
    }
    if (kind == 3) out[random() % size] *= 30;
    return out;
}

/// The least error of any scale, fp16 or not: between two scales at which a weight changes its
/// whole number, the best one is known in closed form.
double least_error(const std::vector<float>& group) {
    double energy = 0, best_gain = 0;
    for (const float w : group) energy += static_cast<double>(w) * w;
    for (const double sign : {1.0, -1.0}) {
        std::vector<std::pair<double, std::size_t>> changes;  // 1 / scale, and the weight
        for (std::size_t i = 0; i < group.size(); ++i)
            for (int k = 0; group[i] != 0 && k < (sign * group[i] > 0 ? 7 : 8); ++k)
                changes.emplace_back((k + 0.5) / std::abs(group[i]), i);
        std::sort(changes.begin(), changes.end());
        std::vector<int> level(group.size());
        double wq = 0, qq = 0;
        for (const auto& [at, i] : changes) {
            wq += std::abs(group[i]);
            qq += 2 * level[i]++ + 1;
            best_gain = std::max(best_gain, wq * wq / qq);
        }
    }
    return energy - best_gain;
}

struct errors {
    double plain = 0, searched = 0, least = 0, energy = 0;
    int worse = 0;
};
errors errors_of(std::size_t size, unsigned kind, int groups) {
    std::mt19937 random{kind + 1};
    errors out;
    for (int g = 0; g < groups; ++g) {
        const std::vector<float> drawn = drawn_group(size, kind, random);
        const weight_group group{drawn.data(), size};
        const double plain = int4_error(group, plain_int4_scale(group));
        const double searched = int4_error(group, searched_int4_scale(group));
        out.worse += searched > plain;
        out.plain += plain;
        out.searched += searched;
        out.least += least_error(drawn);
        for (const float w : drawn) out.energy += static_cast<double>(w) * w;
    }
    return out;
}

}  // namespace

TEST_CASE("search_int4: no group of any distribution becomes worse than by plain rounding") {
    for (const std::size_t size : {std::size_t{32}, std::size_t{128}})
        for (unsigned kind = 0; kind < 6; ++kind) {
            INFO("groups of ", size, ", distribution ", kind);
            CHECK(errors_of(size, kind, 300).worse == 0);
        }
}

TEST_CASE("search_int4: over many groups the error is within 1 % of the least that any scale has") {
    for (const std::size_t size : {std::size_t{32}, std::size_t{128}})
        for (unsigned kind = 0; kind < 5; ++kind) {
            const errors got = errors_of(size, kind, 300);
            INFO("groups of ", size, ", distribution ", kind);
            CHECK(got.searched >= 0.9999 * got.least);  // scales are rounded to fp16
            CHECK(got.searched <= 1.01 * got.least);
        }
}

TEST_CASE("search_int4: of normal weights in groups of 128, 10.3 % become 9.7 %") {
    const errors got = errors_of(128, 0, 2000);
    CHECK(std::sqrt(got.plain / got.energy) == doctest::Approx(0.1034).epsilon(0.005));
    CHECK(std::sqrt(got.searched / got.energy) == doctest::Approx(0.0967).epsilon(0.005));
}

TEST_CASE("search_int4: weights on a grid of sixteen steps are found again, whatever the sign") {
    for (const float step : {0.5f, -0.5f}) {
        std::vector<float> group(32);
        for (std::size_t i = 0; i < group.size(); ++i)
            group[i] = step * (static_cast<float>(i * 5 % 16) - 8);
        const std::uint16_t scale = searched_int4_scale({group.data(), group.size()});
        CHECK(f16_to_float(scale) == step);
    }
}

TEST_CASE("search_int4: groups of zeros and of tiny weights keep the scale of plain rounding") {
    for (const float value : {0.0f, 1e-9f, -3e-6f, 4e-5f}) {
        const std::vector<float> group(32, value);
        CHECK(searched_int4_scale({group.data(), 32}) == plain_int4_scale({group.data(), 32}));
    }
}
