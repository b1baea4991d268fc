// Row kernels: each instruction set against double precision, at odd lengths.
#include "g4/backends/cpu/row_kernels.hpp"
#include <doctest/doctest.h>
#include <functional>
#include <random>
#include <vector>

namespace {
using namespace g4;
using namespace g4::cpu;

std::vector<isa> runnable() {
    std::vector<isa> out;
    for (const isa i : {isa::portable, isa::avx2, isa::avx512})
        if (i <= best_isa()) out.push_back(i);
    return out;
}

/// From -range to range, dense about zero, in an odd count.
std::vector<float> samples(float range) {
    std::vector<float> out;
    for (int i = -1500; i <= 1500; ++i) {
        const float u = static_cast<float>(i) / 1500.0f;
        out.push_back(range * u * u * u);
    }
    return out;
}

double worst_relative(const std::vector<float>& in, const std::vector<float>& out,
                      const std::function<double(double)>& exact) {
    double worst = 0;
    for (std::size_t i = 0; i < in.size(); ++i) {
        const double wanted = exact(static_cast<double>(in[i]));
        const double error = std::abs(static_cast<double>(out[i]) - wanted);
        // Below 2^-126 f32 has no relative precision to keep.
        worst = std::max(worst, error / std::max(std::abs(wanted), 0x1p-120));
    }
    return worst;
}

double exact_gelu(double x) {
    const double u = std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x);
    return x / (1 + std::exp(-2 * u));
}
}  // namespace

TEST_CASE("cpu rows: gelu, silu, softcap and exp keep a relative error below 1e-6") {
    for (const isa which : runnable()) {
        const row_kernels& rows = rows_for(which);
        const auto n = [](const std::vector<float>& v) {
            return static_cast<std::int64_t>(v.size());
        };
        CAPTURE(name_of_isa(which));
        std::vector<float> in = samples(4.5f), out = in;
        rows.gelu_tanh(out.data(), n(out));
        // The argument of exp carries the error: |2u| <= 17, 2^-24 of it each for three roundings.
        CHECK(worst_relative(in, out, exact_gelu) < 3e-6);
        in = out = samples(9.0f);
        rows.silu(out.data(), n(out));
        CHECK(worst_relative(in, out, [](double x) { return x / (1 + std::exp(-x)); }) < 1e-6);
        in = out = samples(80.0f);
        rows.exponential(out.data(), n(out));
        CHECK(worst_relative(in, out, [](double x) { return std::exp(x); }) < 1e-6);
        in = out = samples(200.0f);
        rows.softcap(out.data(), n(out), 30.0f);
        CHECK(worst_relative(in, out, [](double x) { return 30 * std::tanh(x / 30); }) < 1e-6);
    }
}

TEST_CASE("cpu rows: the ends of the range are exact and NaN stays NaN") {
    const float infinity = std::numeric_limits<float>::infinity();
    for (const isa which : runnable()) {
        const row_kernels& rows = rows_for(which);
        float x[5]{-infinity, -1000.0f, std::nanf(""), 0.0f, -87.0f};
        rows.exponential(x, 5);
        CHECK(x[0] == 0.0f);
        CHECK(x[1] == 0.0f);
        CHECK(std::isnan(x[2]));
        CHECK(x[3] == 1.0f);
        CHECK(x[4] > 0.0f);
        float y[5]{-1000.0f, 1000.0f, 0.0f, std::nanf(""), 40.0f};
        rows.gelu_tanh(y, 5);
        CHECK(std::abs(y[0]) < 1e-30f);
        CHECK(y[1] == 1000.0f);
        CHECK(y[2] == 0.0f);
        CHECK(std::isnan(y[3]));
        CHECK(y[4] == 40.0f);
        float z[3]{1e30f, -1e30f, std::nanf("")};
        rows.softcap(z, 3, 30.0f);
        CHECK(z[0] == 30.0f);
        CHECK(z[1] == -30.0f);
        CHECK(std::isnan(z[2]));
    }
}

TEST_CASE("cpu rows: an element's bits do not depend on its place") {
    for (const isa which : runnable()) {
        const row_kernels& rows = rows_for(which);
        std::vector<float> all = samples(6.0f);
        const std::vector<float> in = all;
        rows.gelu_tanh(all.data(), static_cast<std::int64_t>(all.size()));
        for (std::size_t i = 0; i < in.size(); i += 37) {
            float one = in[i];
            rows.gelu_tanh(&one, 1);
            CHECK(std::bit_cast<std::uint32_t>(one) == std::bit_cast<std::uint32_t>(all[i]));
        }
    }
}

TEST_CASE("cpu rows: narrow rounds to the nearest even, widen is exact") {
    std::mt19937 random{5};
    std::vector<float> in{0.0f,         -0.0f,     1.0f,
                          0x1.01p0f,    0x1.03p0f, 1e-40f,
                          -1e-39f,      3.4e38f,   std::numeric_limits<float>::infinity(),
                          std::nanf("")};
    for (int i = 0; i < 1000; ++i)
        in.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(random())));
    for (const isa which : runnable()) {
        const row_kernels& rows = rows_for(which);
        std::vector<std::uint16_t> bits(in.size());
        rows.narrow(in.data(), bits.data(), static_cast<std::int64_t>(in.size()));
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < in.size(); ++i)
            wrong += std::isnan(in[i]) ? !std::isnan(bf16_to_float(bits[i]))
                                       : bits[i] != float_to_bf16(in[i]);
        CHECK(wrong == 0);
        std::vector<std::uint16_t> halves(1009);
        for (std::uint16_t& h : halves) h = static_cast<std::uint16_t>(random());
        for (const dtype type : {dtype::bf16, dtype::f16}) {
            std::vector<float> wide(halves.size());
            const std::byte* from = reinterpret_cast<const std::byte*>(halves.data());
            rows.widen(from, type, wide.data(), static_cast<std::int64_t>(halves.size()));
            for (std::size_t i = 0; i < halves.size(); ++i) {
                const float exact = element_to_float(from, type, i);
                wrong += std::isnan(exact) ? !std::isnan(wide[i]) : wide[i] != exact;
            }
        }
        CHECK(wrong == 0);
    }
}

TEST_CASE("cpu rows: rms_norm and rope agree with double precision, for odd widths") {
    std::mt19937 random{9};
    std::normal_distribution<float> normal;
    for (const isa which : runnable())
        for (const std::int64_t width : {6, 16, 34, 256, 2560}) {
            const row_kernels& rows = rows_for(which);
            const std::size_t n = static_cast<std::size_t>(width);
            std::vector<float> x(3 * n), weight(n), cosine(n / 2), sine(n / 2);
            for (float& v : x) v = normal(random);
            for (float& v : weight) v = normal(random);
            for (std::size_t i = 0; i < n / 2; ++i) {
                cosine[i] = std::cos(0.3f * static_cast<float>(i));
                sine[i] = std::sin(0.3f * static_cast<float>(i));
            }
            const std::vector<float> in = x;
            rows.rms_norm(x.data(), weight.data(), 3, width, 1e-6f);
            double worst = 0;
            for (std::size_t part = 0; part < 3; ++part) {
                double squares = 0;
                for (std::size_t i = 0; i < n; ++i)
                    squares += std::pow(static_cast<double>(in[part * n + i]), 2);
                const double scale = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-6);
                for (std::size_t i = 0; i < n; ++i) {
                    const double exact = static_cast<double>(in[part * n + i]) * scale *
                                         static_cast<double>(weight[i]);
                    worst = std::max(worst, std::abs(static_cast<double>(x[part * n + i]) - exact) /
                                                (std::abs(exact) + 1e-6));
                }
            }
            // Sums of squares lane by lane: 160 additions of 2^-24, and a handful of roundings.
            CHECK(worst < 2e-6);
            const std::vector<float> normed = x;
            rows.rope(x.data(), cosine.data(), sine.data(), 3, width, width / 2);
            worst = 0;
            for (std::size_t part = 0; part < 3; ++part)
                for (std::size_t i = 0; i < n / 2; ++i) {
                    const double a = static_cast<double>(normed[part * n + i]);
                    const double b = static_cast<double>(normed[part * n + n / 2 + i]);
                    const double c = static_cast<double>(cosine[i]),
                                 s = static_cast<double>(sine[i]);
                    const double first = static_cast<double>(x[part * n + i]);
                    const double second = static_cast<double>(x[part * n + n / 2 + i]);
                    worst = std::max({worst, std::abs(first - (a * c - b * s)),
                                      std::abs(second - (b * c + a * s))});
                }
            CHECK(worst < 2e-6);
        }
}
