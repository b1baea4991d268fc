// A whole linear becomes int4: layout, threads, element types, and weights that cannot be rounded.
#include "g4/weights/quantize_linear.hpp"
#include "tests/support/safetensors_writer.hpp"
#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace g4;
using g4::testing::input_error_of;

/// A plain linear that owns its elements.
struct plain_linear {
    std::vector<std::byte> bytes;
    weight view;

    plain_linear(dtype type, std::int64_t rows, std::int64_t columns, unsigned seed = 1) {
        std::mt19937 random{seed};
        std::normal_distribution<float> normal{0, 0.02f};
        view = {.type = type, .rows = rows, .columns = columns};
        bytes.resize(static_cast<std::size_t>(rows * columns * bytes_of(type)));
        for (std::int64_t i = 0; i < rows * columns; ++i) set(i, round_to_bf16(normal(random)));
        view.data = bytes.data();
    }
    void set(std::int64_t index, float value) {
        const auto width = static_cast<std::size_t>(bytes_of(view.type));
        const std::uint32_t bits = view.type == dtype::f32    ? std::bit_cast<std::uint32_t>(value)
                                   : view.type == dtype::bf16 ? float_to_bf16(value)
                                                              : float_to_f16(value);
        std::memcpy(&bytes[static_cast<std::size_t>(index) * width], &bits, width);
    }
    float at(std::int64_t row, std::int64_t column) const {
        return element_to_float(bytes.data(), view.type,
                                static_cast<std::size_t>(row * view.columns + column));
    }
};

/// What g4::weight says an element is.
double value_of(const int4_linear& linear, std::int64_t rows, std::int32_t group, std::int64_t row,
                std::int64_t column) {
    const std::uint32_t word = linear.words[static_cast<std::size_t>(column / 8 * rows + row)];
    const int level = static_cast<int>(word >> 4 * (column % 8) & 15u) - 8;
    return level * static_cast<double>(f16_to_float(
                       linear.scales[static_cast<std::size_t>(column / group * rows + row)]));
}

bool same(const int4_linear& left, const int4_linear& right) {
    return left.words == right.words && left.scales == right.scales && left.error == right.error &&
           left.energy == right.energy;
}

std::string error_with(float value) {
    plain_linear linear{dtype::f32, 32, 64};
    linear.set(5 * 64 + 33, value);
    return input_error_of(
        [&] { quantize_linear(linear.view, "layers.0.up", 32, int4_rounding::plain, 2); });
}

}  // namespace

TEST_CASE(
    "quantize_linear: every element reads back within half a step, and the error is as told") {
    for (const int4_rounding rounding : {int4_rounding::plain, int4_rounding::search}) {
        const plain_linear linear{dtype::bf16, 64, 256};
        const int4_linear got = quantize_linear(linear.view, "w", 128, rounding, 2);
        REQUIRE(got.words.size() == 64 * 256 / 8);
        REQUIRE(got.scales.size() == 64 * 256 / 128);
        double error = 0, energy = 0;
        for (std::int64_t r = 0; r < 64; ++r)
            for (std::int64_t c = 0; c < 256; ++c) {
                const double off = linear.at(r, c) - value_of(got, 64, 128, r, c);
                const double step =
                    std::abs(f16_to_float(got.scales[static_cast<std::size_t>(c / 128 * 64 + r)]));
                // plain rounding cuts off nothing beyond the step that +8 lacks
                if (rounding == int4_rounding::plain) CHECK(std::abs(off) <= 1.01 * step);
                error += off * off;
                energy += static_cast<double>(linear.at(r, c)) * linear.at(r, c);
            }
        CHECK(got.error == doctest::Approx(error));
        CHECK(got.energy == doctest::Approx(energy));
        CHECK(got.relative_error() == doctest::Approx(std::sqrt(error / energy)));
    }
}

TEST_CASE("quantize_linear: any number of threads gives the same bytes") {
    const plain_linear linear{dtype::bf16, 96, 128};
    const int4_linear one = quantize_linear(linear.view, "w", 32, int4_rounding::search, 1);
    for (const unsigned threads : {2u, 3u, 7u})
        CHECK(same(one, quantize_linear(linear.view, "w", 32, int4_rounding::search, threads)));
}

TEST_CASE("quantize_linear: equal weights give equal bytes, be they stored as BF16, F16 or F32") {
    const plain_linear wide{dtype::f32, 32, 128};
    const int4_linear want = quantize_linear(wide.view, "w", 32, int4_rounding::plain, 1);
    CHECK(same(want, quantize_linear(plain_linear{dtype::bf16, 32, 128}.view, "w", 32,
                                     int4_rounding::plain, 1)));
    plain_linear half{dtype::f16, 32, 128};  // where it can hold them
    plain_linear wide_half{dtype::f32, 32, 128};
    for (std::int64_t i = 0; i < 32 * 128; ++i) wide_half.set(i, half.at(i / 128, i % 128));
    CHECK(same(quantize_linear(wide_half.view, "w", 32, int4_rounding::plain, 1),
               quantize_linear(half.view, "w", 32, int4_rounding::plain, 1)));
}

TEST_CASE("quantize_linear: the vectors of this processor and the plain ones round alike") {
    std::mt19937 random{3};
    std::normal_distribution<float> normal;
    std::vector<float> row(512);
    for (const int4_rounding rounding : {int4_rounding::plain, int4_rounding::search})
        for (int turn = 0; turn < 50; ++turn) {
            for (float& w : row) w = normal(random);
            std::vector<std::uint32_t> words(64), other_words(64);
            std::vector<std::uint16_t> scales(16), other_scales(16);
            detail::int4_row best{row.data(), 512, 32, rounding, words.data(), scales.data()};
            detail::int4_row plain{row.data(),         512, 32, rounding, other_words.data(),
                                   other_scales.data()};
            detail::round_row(best);
            detail::round_row_as_compiled(plain);
            CHECK(words == other_words);
            CHECK(scales == other_scales);
            CHECK(best.error == plain.error);
            CHECK(best.energy == plain.energy);
        }
}

TEST_CASE("quantize_linear: a weight that cannot be rounded is named") {
    CHECK(
        error_with(std::numeric_limits<float>::quiet_NaN()) ==
        "layers.0.up: expected finite weights below 524160, an eighth of which fits an fp16 scale, "
        "got nan at row 5, column 33; keep this linear plain with --skip");
    CHECK(
        error_with(-std::numeric_limits<float>::infinity()).find("got -inf at row 5, column 33") !=
        std::string::npos);
    CHECK(error_with(524160.0f).find("got 524160 at row 5") != std::string::npos);
    CHECK(error_with(524159.0f) == "no error");
}

TEST_CASE(
    "quantize_linear: linears pack when both sizes are multiples of 32 and inputs of the group") {
    CHECK(packs_as_int4(2048, 2560, 128));
    CHECK(packs_as_int4(32, 96, 32));
    CHECK_FALSE(packs_as_int4(48, 192, 32));
    CHECK_FALSE(packs_as_int4(64, 192, 128));
    CHECK_FALSE(packs_as_int4(64, 80, 32));
}
