// int4 linear: every variant against plain loops over the checkpoint's own layout.
#include "g4/backends/cpu/int4_linear.hpp"
#include "g4/backends/cpu/int4_pack.hpp"
#include <doctest/doctest.h>
#include <random>

namespace {
using namespace g4;
using namespace g4::cpu;

/// A weight as the gate hands it over, with its memory.
struct int4_matrix {
    std::vector<std::uint32_t> words;
    std::vector<std::byte> scales;
    weight view;

    int4_matrix(std::int64_t rows, std::int64_t columns, std::int32_t group, dtype scale_type,
                unsigned seed) {
        std::mt19937 random{seed};
        words.resize(static_cast<std::size_t>(rows * columns / 8));
        for (std::uint32_t& word : words) word = static_cast<std::uint32_t>(random());
        const std::int64_t groups = (columns + group - 1) / group;
        const std::size_t size = static_cast<std::size_t>(bytes_of(scale_type));
        scales.resize(static_cast<std::size_t>(groups * rows) * size);
        for (std::size_t i = 0; i < scales.size(); i += size) {
            // Negative ones too, and one in eight a subnormal of f16.
            const float magnitude = random() % 8 == 0 ? 3e-5f : 0.01f;
            const float value = magnitude * (static_cast<float>(random() % 2000) / 1000.0f - 1.0f);
            const std::uint16_t bits =
                scale_type == dtype::f16 ? float_to_f16(value) : float_to_bf16(value);
            std::memcpy(scales.data() + i,
                        scale_type == dtype::f32 ? static_cast<const void*>(&value)
                                                 : static_cast<const void*>(&bits),
                        size);
        }
        view.stored = weight::form::int4;
        view.rows = rows;
        view.columns = columns;
        view.group = group;
        view.scale_type = scale_type;
        view.data = reinterpret_cast<const std::byte*>(words.data());
        view.scales = scales.data();
    }
    double value(std::int64_t row, std::int64_t column) const {
        const std::uint32_t word = words[static_cast<std::size_t>(column / 8 * view.rows + row)];
        const int nibble = static_cast<int>(word >> 4 * (column % 8) & 15u);
        return static_cast<double>(element_to_float(
                   scales.data(), view.scale_type,
                   static_cast<std::size_t>(column / view.group * view.rows + row))) *
               (nibble - 8);
    }
};

struct packed_matrix {
    int4_panels panels;
    aligned_memory memory;
    explicit packed_matrix(const weight& from) : panels{panels_of(from, "test")} {
        memory = aligned_memory{static_cast<std::size_t>(panels.bytes()) + 4096};
        pack_panels(from, panels, memory.data(), 0, panels.count());
        panels.data = memory.data();
    }
};

std::vector<float> random_rows(std::int64_t count, unsigned seed) {
    std::mt19937 random{seed};
    std::normal_distribution<float> normal;
    std::vector<float> out(static_cast<std::size_t>(count));
    for (float& x : out) x = normal(random);
    return out;
}

quantised_buffer quantised(const std::vector<float>& x, std::int32_t tokens, const int4_panels& w,
                           std::int32_t passes, isa which) {
    quantised_buffer out{tokens, std::int64_t{w.group} * w.groups};
    out.shape(tokens, w.group, w.groups, passes);
    for (std::int32_t t = 0; t < tokens; ++t)
        out.put(rows_for(which), t, x.data() + t * w.columns, w.columns);
    return out;
}

/// The largest error in units of `step * largest |x| of the row * Σ |w|`.
double worst_error(const int4_matrix& w, const std::vector<float>& x, std::int32_t tokens,
                   const std::vector<float>& result) {
    double worst = 0;
    for (std::int32_t t = 0; t < tokens; ++t)
        for (std::int64_t r = 0; r < w.view.rows; ++r) {
            double exact = 0, magnitude = 1e-30, peak = 0;
            for (std::int64_t c = 0; c < w.view.columns; ++c) {
                const double a =
                    static_cast<double>(x[static_cast<std::size_t>(t * w.view.columns + c)]);
                exact += a * w.value(r, c);
                magnitude += std::abs(w.value(r, c));
                peak = std::max(peak, std::abs(a));
            }
            const double got =
                static_cast<double>(result[static_cast<std::size_t>(t * w.view.rows + r)]);
            worst = std::max(worst, std::abs(got - exact) / (peak * magnitude));
        }
    return worst;
}

std::vector<isa> runnable() {
    std::vector<isa> out;
    for (const int4_variant& v : int4_variants(best_isa())) out.push_back(v.needs);
    return out;
}

struct test_shape {
    std::int64_t rows, columns;
    std::int32_t group;
    dtype scales;
};
const test_shape shapes[]{{64, 256, 128, dtype::f16},   {33, 72, 32, dtype::f32},
                          {16, 512, 512, dtype::bf16},  {7, 40, 64, dtype::f16},
                          {80, 1280, 1280, dtype::f16}, {48, 192, 96, dtype::bf16}};
}  // namespace

TEST_CASE("cpu int4: every variant agrees with plain loops, for odd shapes and many tokens") {
    for (const test_shape& s : shapes) {
        const int4_matrix w{s.rows, s.columns, s.group, s.scales, 7};
        const packed_matrix packed{w.view};
        for (const std::int32_t tokens : {1, 2, 3, 6, 7, 25, 103}) {
            const std::vector<float> x = random_rows(tokens * s.columns, 5);
            for (const int4_variant& v : int4_variants(best_isa())) {
                const quantised_buffer q = quantised(x, tokens, packed.panels, 2, v.needs);
                std::vector<float> result(static_cast<std::size_t>(tokens * s.rows), -1.0f);
                v.run(packed.panels, q.rows(), result.data(), s.rows, 0, packed.panels.count());
                // Half a step of 16 bits, 2^-16 of the group's largest; the f32 sum adds less.
                CHECK_MESSAGE(worst_error(w, x, tokens, result) < 0x1p-16, name_of_isa(v.needs),
                              " ", s.rows, "x", s.columns, " ", tokens);
            }
        }
    }
}

TEST_CASE("cpu int4: one token gives the same bits alone and among others, in any range") {
    const int4_matrix w{80, 640, 128, dtype::f16, 3};
    const packed_matrix packed{w.view};
    const std::int32_t tokens = 20;
    const std::vector<float> x = random_rows(tokens * 640, 11);
    for (const int4_variant& v : int4_variants(best_isa())) {
        std::vector<float> all(tokens * 80), alone(80);
        const quantised_buffer q = quantised(x, tokens, packed.panels, 2, v.needs);
        v.run(packed.panels, q.rows(), all.data(), 80, 0, 2);
        v.run(packed.panels, q.rows(), all.data(), 80, 2, 5);
        for (std::int32_t t = 0; t < tokens; ++t) {
            const std::vector<float> row{x.begin() + t * 640, x.begin() + (t + 1) * 640};
            const quantised_buffer one = quantised(row, 1, packed.panels, 2, v.needs);
            v.run(packed.panels, one.rows(), alone.data(), 80, 0, 5);
            CHECK(std::memcmp(alone.data(), all.data() + t * 80, 80 * sizeof(float)) == 0);
        }
    }
}

TEST_CASE("cpu int4: int8 activations keep to half a step of their group") {
    const int4_matrix w{64, 512, 128, dtype::f16, 9};
    const packed_matrix packed{w.view};
    const std::vector<float> x = random_rows(14 * 512, 21);
    for (const int4_variant& v : int4_variants(best_isa())) {
        const quantised_buffer q = quantised(x, 14, packed.panels, 1, v.needs);
        std::vector<float> result(14 * 64);
        v.run(packed.panels, q.rows(), result.data(), 64, 0, packed.panels.count());
        CHECK(worst_error(w, x, 14, result) < 0.5 / 127);
    }
}

TEST_CASE("cpu int4: the extremes of fixed point neither overflow nor saturate") {
    int4_matrix w{32, 256, 256, dtype::f16, 1};
    std::fill(w.words.begin(), w.words.end(), 0xffffffffu);  // every weight 7 * scale
    const packed_matrix packed{w.view};
    for (const float extreme : {1.0f, -1.0f, 65000.0f, 1e-20f}) {
        std::vector<float> x(256 * 7, extreme);
        for (const int4_variant& v : int4_variants(best_isa())) {
            const quantised_buffer q = quantised(x, 7, packed.panels, 2, v.needs);
            std::vector<float> result(32 * 7);
            v.run(packed.panels, q.rows(), result.data(), 32, 0, 2);
            CHECK(worst_error(w, x, 7, result) < 1e-6);
        }
    }
}

TEST_CASE("cpu int4: NaN and infinity reach the result, zeros give zero") {
    const int4_matrix w{16, 256, 128, dtype::f16, 1};
    const packed_matrix packed{w.view};
    for (const isa which : runnable()) {
        std::vector<float> x(256, 1.0f), result(16);
        const auto run = [&] {
            const quantised_buffer q = quantised(x, 1, packed.panels, 2, which);
            portable::int4_linear(packed.panels, q.rows(), result.data(), 16, 0, 1);
        };
        x[200] = std::numeric_limits<float>::infinity();
        run();
        CHECK(std::isnan(result[3]));
        x[200] = std::numeric_limits<float>::quiet_NaN();
        run();
        CHECK(std::isnan(result[3]));
        std::fill(x.begin(), x.end(), 0.0f);
        run();
        for (const float y : result) CHECK(y == 0.0f);
    }
}

TEST_CASE("cpu int4: a group that panels cannot hold is refused by name") {
    int4_matrix w{16, 256, 128, dtype::f16, 1};
    w.view.group = 48;
    CHECK_THROWS_WITH_AS(panels_of(w.view, "layers.0.q"),
                         "cpu: layers.0.q: expected a group of a multiple of 32, got 48",
                         input_error);
}

TEST_CASE("cpu int4: the fastest variant is one that this processor runs") {
    CHECK(fastest_int4(best_isa(), 2).needs <= best_isa());
    CHECK(fastest_int4(isa::portable, 2).needs == isa::portable);
}
