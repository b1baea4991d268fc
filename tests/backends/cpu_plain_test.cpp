// Plain linears: every variant against double precision, at odd shapes and alignments.
#include "g4/backends/cpu/plain_bf16.hpp"
#include "g4/backends/cpu/plain_linear.hpp"
#include <cmath>
#include <doctest/doctest.h>
#include <random>
#include <vector>

namespace {
using namespace g4;
using namespace g4::cpu;

struct plain_variant {
    isa needs;
    plain_kernels kernels;
    double step;  // of the activations, relative
};
std::vector<plain_variant> variants() {
    std::vector<plain_variant> out;
    for (const isa i : {isa::portable, isa::avx2, isa::avx512})
        if (i <= best_isa()) out.push_back({i, plain_for(i), 0});
#ifdef G4_CPU_X86
    if (best_isa() == isa::bf16) out.push_back({isa::bf16, cpu::bf16::plain_of_this_isa, 0x1p-8});
#endif
    return out;
}

/// A matrix that starts at an odd byte, as in a file whose header has an odd length.
struct file_matrix {
    std::vector<std::byte> bytes;
    plain_matrix view;
    file_matrix(std::int64_t rows, std::int64_t columns, dtype type, unsigned seed) {
        std::mt19937 random{seed};
        std::normal_distribution<float> normal;
        const std::size_t size = static_cast<std::size_t>(bytes_of(type));
        bytes.resize(static_cast<std::size_t>(rows * columns) * size + 1);
        for (std::size_t i = 1; i < bytes.size(); i += size) {
            const float value = normal(random);
            const std::uint16_t bits =
                type == dtype::bf16 ? float_to_bf16(value) : float_to_f16(value);
            std::memcpy(bytes.data() + i,
                        type == dtype::f32 ? static_cast<const void*>(&value)
                                           : static_cast<const void*>(&bits),
                        size);
        }
        view = {bytes.data() + 1, type, rows, columns};
    }
    double value(std::int64_t row, std::int64_t column) const {
        return static_cast<double>(element_to_float(
            view.data, view.type, static_cast<std::size_t>(row * view.columns + column)));
    }
};

std::vector<float> multiply(const plain_kernels& kernels, const plain_matrix& w,
                            const std::vector<float>& x, std::int32_t tokens) {
    const std::int64_t stride = arranged_columns(w.columns);
    std::vector<float> arranged(static_cast<std::size_t>(tokens * stride), 7.0f);
    for (std::int32_t t = 0; t < tokens; ++t)
        kernels.arrange(x.data() + t * w.columns, w.columns, w.type, arranged.data() + t * stride);
    std::vector<float> out(static_cast<std::size_t>(tokens * w.rows));
    const std::int64_t middle = w.rows / 3;  // ranges that start anywhere
    kernels.multiply(w, {arranged.data(), stride, tokens}, out.data(), w.rows, 0, middle);
    kernels.multiply(w, {arranged.data(), stride, tokens}, out.data(), w.rows, middle, w.rows);
    return out;
}
}  // namespace

TEST_CASE("cpu plain: every variant agrees with double precision for odd shapes and alignments") {
    std::mt19937 random{17};
    std::normal_distribution<float> normal;
    for (const auto& [rows, columns] : {std::pair{1, 8}, {5, 33}, {13, 100}, {32, 256}, {9, 1000}})
        for (const dtype type : {dtype::bf16, dtype::f16, dtype::f32}) {
            const file_matrix w{rows, columns, type, 3};
            for (const std::int32_t tokens : {1, 2, 5, 11, 70}) {
                std::vector<float> x(static_cast<std::size_t>(tokens * columns));
                for (float& v : x) v = normal(random);
                for (const plain_variant& v : variants()) {
                    const std::vector<float> result = multiply(v.kernels, w.view, x, tokens);
                    double worst = 0;
                    for (std::int32_t t = 0; t < tokens; ++t)
                        for (std::int64_t r = 0; r < rows; ++r) {
                            double exact = 0, magnitude = 0;
                            for (std::int64_t c = 0; c < columns; ++c) {
                                const double product =
                                    w.value(r, c) *
                                    static_cast<double>(
                                        x[static_cast<std::size_t>(t * columns + c)]);
                                exact += product;
                                magnitude += std::abs(product);
                            }
                            const double got =
                                static_cast<double>(result[static_cast<std::size_t>(t * rows + r)]);
                            worst = std::max(worst, std::abs(got - exact) / magnitude);
                        }
                    // f32 sums of at most 250 products a lane; plus the activations' own rounding
                    // where they become bf16.
                    CHECK_MESSAGE(worst < 0x1p-20 + (type == dtype::bf16 ? v.step : 0.0),
                                  name_of_isa(v.needs), " ", rows, "x", columns, " ", tokens);
                }
            }
        }
}

TEST_CASE("cpu plain: one token gives the same bits alone and among others") {
    std::mt19937 random{23};
    std::normal_distribution<float> normal;
    const std::int64_t columns = 200;
    std::vector<float> x(static_cast<std::size_t>(23 * columns));
    for (float& v : x) v = normal(random);
    for (const dtype type : {dtype::bf16, dtype::f16, dtype::f32}) {
        const file_matrix w{19, columns, type, 5};
        for (const plain_variant& v : variants()) {
            const std::vector<float> all = multiply(v.kernels, w.view, x, 23);
            for (int t = 0; t < 23; ++t) {
                const std::vector<float> row{x.begin() + t * columns,
                                             x.begin() + (t + 1) * columns};
                const std::vector<float> alone = multiply(v.kernels, w.view, row, 1);
                CHECK(std::memcmp(alone.data(), all.data() + t * 19, 19 * sizeof(float)) == 0);
            }
        }
    }
}
