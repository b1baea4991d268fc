// Rounding a group: the cases in which auto-round's rule is easily got wrong, each worked by hand.
#include "g4/weights/round_int4.hpp"
#include <cstdint>
#include <doctest/doctest.h>
#include <initializer_list>
#include <vector>

namespace {

using namespace g4;

/// These weights, and zeros up to 16.
std::vector<float> group_of(std::initializer_list<float> first) {
    std::vector<float> out{first};
    out.resize(16);
    return out;
}
std::uint16_t scale_of(std::initializer_list<float> first) {
    const std::vector<float> group = group_of(first);
    return plain_int4_scale({group.data(), group.size()});
}
float step_of(std::initializer_list<float> first) { return f16_to_float(scale_of(first)); }
/// The whole numbers of a group under a scale.
std::vector<int> levels_of(std::initializer_list<float> first, float scale) {
    const std::vector<float> group = group_of(first);
    std::uint32_t words[2];
    round_int4({group.data(), group.size()}, float_to_f16(scale), words);
    std::vector<int> out;
    for (std::size_t i = 0; i < first.size(); ++i)
        out.push_back(static_cast<int>(words[i / 8] >> 4 * (i % 8) & 15u) - 8);
    return out;
}

}  // namespace

TEST_CASE("round_int4: the larger side of a group lies at -8") {
    CHECK(step_of({-1.0f, 0.5f}) == 0.125f);
    CHECK(step_of({1.0f, -0.5f}) == -0.125f);
    CHECK(levels_of({-1.0f, 0.5f}, 0.125f) == std::vector{-8, 4});
    CHECK(levels_of({1.0f, -0.5f}, -0.125f) == std::vector{-8, 4});
}

TEST_CASE(
    "round_int4: when both sides are equal the scale is negative, and the smallest is cut to 7") {
    CHECK(step_of({1.0f, -1.0f}) == -0.125f);
    CHECK(levels_of({1.0f, -1.0f}, -0.125f) == std::vector{-8, 7});
}

TEST_CASE("round_int4: a group of equal weights loses nothing") {
    for (const float value : {0.75f, -0.75f}) {
        const std::vector<float> group(32, value);
        const std::uint16_t scale = plain_int4_scale({group.data(), group.size()});
        CHECK(f16_to_float(scale) == value / -8);
        CHECK(int4_error({group.data(), group.size()}, scale) == 0);
    }
}

TEST_CASE("round_int4: half steps go to the even number, on both sides of zero") {
    CHECK(levels_of({0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f}, 1.0f) ==
          std::vector{0, 2, 2, 0, -2, -2});
    CHECK(levels_of({6.5f, 7.5f, -7.5f, -8.5f}, 1.0f) == std::vector{6, 7, -8, -8});
}

TEST_CASE("round_int4: a number just under a half step goes down, though adding 8 would hide it") {
    // 1.4999999 + 8 is 9.5 in float, and rounds to 10: the sum must come after the rounding
    CHECK(levels_of({1.49999988f, 0.49999997f}, 1.0f) == std::vector{1, 0});
}

TEST_CASE("round_int4: a group of zeros has the least scale, positive, and the nibbles of zero") {
    CHECK(scale_of({}) == 0x00a8);
    CHECK(scale_of({-0.0f}) == 0x00a8);
    CHECK(levels_of({0.0f, -0.0f}, 1e-5f) == std::vector{0, 0});
}

TEST_CASE("round_int4: scales stop at 1e-5, a subnormal, and keep their sign until they are zero") {
    CHECK(scale_of({8e-5f}) == (0x8000 | 0x00a8));
    CHECK(scale_of({-8e-5f}) == 0x00a8);
    CHECK(scale_of({4.8e-7f}) == (0x8000 | 0x00a8));
    // an eighth of 1e-9 is zero in fp16, and -0 is not below zero
    CHECK(scale_of({1e-9f}) == 0x00a8);
    CHECK(scale_of({8.1e-5f}) == (0x8000 | 0x00aa));
}

TEST_CASE("round_int4: the scale is infinite from the limit on, and finite below it") {
    CHECK(scale_of({int4_weight_limit}) == 0xfc00);
    CHECK(scale_of({-int4_weight_limit}) == 0x7c00);
    CHECK(scale_of({524159.0f}) == 0xfbff);
}

TEST_CASE("round_int4: weights are divided by the scale, not multiplied by its reciprocal") {
    // 3.5 steps of a scale whose reciprocal is not exact: the product would be 3.4999998
    // or 3.5000002
    int differ = 0;
    for (std::uint16_t scale = 0x2001; scale < 0x2400; ++scale) {
        const float step = f16_to_float(scale), weight = 2.5f * step;
        CHECK(levels_of({weight}, step) == std::vector{2});
        differ += weight * (1.0f / step) != 2.5f;
    }
    CHECK(differ > 10);
}

TEST_CASE("round_int4: the first of eight weights lies in the lowest nibble of its word") {
    std::vector<float> group(16);
    for (std::size_t i = 0; i < group.size(); ++i) group[i] = static_cast<float>(i) - 8;
    std::uint32_t words[2];
    round_int4({group.data(), group.size()}, float_to_f16(1.0f), words);
    CHECK(words[0] == 0x76543210u);
    CHECK(words[1] == 0xfedcba98u);
}

TEST_CASE("round_int4: the error is the sum of squares of what the stored numbers differ by") {
    const std::vector<float> group = group_of({0.25f, -0.75f, 9.0f});
    // to 0, to -1, and cut to 7
    CHECK(int4_error({group.data(), group.size()}, float_to_f16(1.0f)) ==
          0.25 * 0.25 + 0.25 * 0.25 + 4.0);
}
