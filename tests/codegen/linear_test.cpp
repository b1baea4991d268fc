// Linear kernels and their packing in the emulator, against sums in double.
#include "tests/support/simt.hpp"
#include "codegen/linear/linear.cuh"
#include "codegen/linear/pack.cuh"
#include "g4/backends/cuda/linear.hpp"
#include "g4/backends/cuda/pack.hpp"
#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <memory>
#include <random>
#include <utility>
#include <vector>

namespace {

using namespace g4k;
using simt::buffer;

/// Tensors as a checkpoint has them, the matrix they make, and x.
struct problem {
    int rows, columns, tokens;
    std::vector<int> parts;  // rows of each tensor
    int source_group = 0;    // 0: plain
    scale_form scales = scale_form::f16;
    bool paired = false;
};

unsigned short half_bits(float value) {  // of numbers that f16 has exactly
    const unsigned bits = __float_as_uint(value / 0x1p112f);
    return static_cast<unsigned short>((bits >> 16 & 0x8000u) | (bits >> 13 & 0x7fffu));
}

struct made {
    explicit made(const problem& of) : p{of}, random{17} {
        for (const int rows : p.parts) add_tensor(rows);
        std::uniform_real_distribution<float> value{-1, 1};
        x = std::vector<bf16_bits>(static_cast<std::size_t>(p.tokens * p.columns));
        for (bf16_bits& v : x) v = to_bf16(value(random));
    }
    void add_tensor(int rows) {
        std::vector<double> dense(static_cast<std::size_t>(rows * p.columns));
        if (p.source_group == 0) {
            std::vector<bf16_bits> bits(dense.size());
            std::uniform_real_distribution<float> value{-1, 1};
            for (std::size_t i = 0; i < bits.size(); ++i) {
                bits[i] = to_bf16(value(random));
                dense[i] = to_float(bits[i]);
            }
            plain.emplace_back(new buffer<bf16_bits>(bits));
        } else {
            add_int4(rows, dense);
        }
        tensors.push_back(dense);
    }
    void add_int4(int rows, std::vector<double>& dense) {
        const int groups = divide_up(p.columns, p.source_group);
        std::vector<unsigned> words(static_cast<std::size_t>(p.columns / 8 * rows));
        for (unsigned& w : words) w = static_cast<unsigned>(random());
        std::vector<float> scales(static_cast<std::size_t>(groups * rows));
        for (float& s : scales)
            s = static_cast<float>(static_cast<int>(random() % 255) - 127) / 1024;
        for (int r = 0; r < rows; ++r)
            for (int c = 0; c < p.columns; ++c) {
                const unsigned word = words[static_cast<std::size_t>(c / 8 * rows + r)];
                const int q = static_cast<int>(word >> c % 8 * 4 & 15u) - 8;
                dense[static_cast<std::size_t>(r * p.columns + c)] =
                    double(scales[static_cast<std::size_t>(c / p.source_group * rows + r)]) * q;
            }
        nibbles.emplace_back(new buffer<unsigned>(words));
        if (p.scales == scale_form::f32) {
            wide_scales.emplace_back(new buffer<float>(scales));
        } else {
            std::vector<unsigned short> bits;
            for (const float s : scales)
                bits.push_back(p.scales == scale_form::f16 ? half_bits(s) : to_bf16(s));
            half_scales.emplace_back(new buffer<unsigned short>(bits));
        }
    }
    pack_args packing_args() const {
        pack_args args{.source_count = static_cast<int>(p.parts.size()),
                       .paired = p.paired,
                       .rows = p.rows,
                       .columns = p.columns,
                       .group = p.source_group == 0 ? 0 : device_group(p.source_group),
                       .scale_type = p.scales};
        for (std::size_t i = 0; i < p.parts.size(); ++i) {
            matrix_source& s = args.sources[i];
            s = {.form = p.source_group == 0 ? source_form::bf16 : source_form::int4,
                 .scale_type = p.scales, .group = p.source_group, .rows = p.parts[i]};
            if (p.source_group == 0) {
                s.data = plain[i]->data();
                continue;
            }
            s.data = nibbles[i]->data();
            if (p.scales == scale_form::f32) s.scales = wide_scales[i]->data();
            else s.scales = half_scales[i]->data();
        }
        return args;
    }
    double weight(int row, int column) const {
        std::size_t tensor = 0;
        if (p.paired) {
            tensor = static_cast<std::size_t>(row % 2);
            row /= 2;
        } else {
            for (; row >= p.parts[tensor]; ++tensor) row -= p.parts[tensor];
        }
        return tensors[tensor][static_cast<std::size_t>(row * p.columns + column)];
    }
    /// The sum, and the sum of magnitudes that bounds its rounding.
    std::pair<double, double> sum(int token, int row) const {
        double total = 0, magnitude = 0;
        for (int c = 0; c < p.columns; ++c) {
            const double term =
                double(to_float(x[static_cast<std::size_t>(token * p.columns + c)])) *
                weight(row, c);
            total += term;
            magnitude += std::abs(term);
        }
        return {total, magnitude};
    }

    problem p;
    std::mt19937 random;
    std::vector<std::vector<double>> tensors;
    std::vector<std::unique_ptr<buffer<bf16_bits>>> plain;
    std::vector<std::unique_ptr<buffer<unsigned>>> nibbles;
    std::vector<std::unique_ptr<buffer<unsigned short>>> half_scales;
    std::vector<std::unique_ptr<buffer<float>>> wide_scales;
    std::vector<bf16_bits> x;
};

struct packed {
    explicit packed(const made& from, bool as_bf16 = false) {
        pack_args args = from.packing_args();
        const g4::cuda::packed_form form{as_bf16 || from.p.source_group == 0
                                             ? weight_form::plain_bf16
                                             : weight_form::int4,
                                         from.p.scales, args.group};
        weights.reset(new buffer<uint4>(
            (g4::cuda::packed_weight_bytes(form, args.rows, args.columns) + 15) / 16));
        scales.reset(new buffer<uint4>(
            (g4::cuda::packed_scale_bytes(form, args.rows, args.columns) + 15) / 16));
        args.weights = weights->data();
        args.scales = scales->data();
        using g4::cuda::packing;
        if (form.form == weight_form::plain_bf16) {
            simt::launch(pack_shape(packing::bf16, args), [&] { unpack_bf16(args); });
        } else {
            simt::launch(pack_shape(packing::int4_words, args), [&] { pack_int4(args); });
            simt::launch(pack_shape(packing::int4_scales, args), [&] { pack_scales(args); });
        }
    }
    std::unique_ptr<buffer<uint4>> weights, scales;
};

// mma and f32 sums each round by 2^-23 of what they add, and the tensor core may truncate: a sum of
// n terms is within (n / 8 + 8) · 2^-22 of the sum of magnitudes; below 2^-14 for these sizes.
constexpr double sum_bound = 0x1p-14;

/// f32 sums of the kernel against the loop.
template <linear_config C>
void check_sums(const problem& p, int splits = 1, int x_pad = 0, unsigned most_blocks = 0) {
    const made from{p};
    const packed w{from};
    const int stride = p.columns + x_pad;
    buffer<bf16_bits> x(static_cast<std::size_t>(p.tokens * stride));
    for (int t = 0; t < p.tokens; ++t)
        for (int c = 0; c < p.columns; ++c)
            x[static_cast<std::size_t>(t * stride + c)] =
                from.x[static_cast<std::size_t>(t * p.columns + c)];
    buffer<float> y(static_cast<std::size_t>(splits * p.tokens * p.rows));
    const linear_args args{.weights = w.weights->data(), .scales = w.scales->data(),
                           .x = x.data(), .x_stride = stride, .tokens = p.tokens,
                           .rows = p.rows, .columns = p.columns, .splits = splits,
                           .out = y.data(), .out_stride = p.rows,
                           .split_stride = static_cast<long long>(p.tokens) * p.rows};
    g4::launch_shape shape = g4::cuda::linear_shape(C, args);
    if (most_blocks > 0) shape.grid_x = std::min(shape.grid_x, most_blocks);
    simt::launch(shape, [&] { linear<C>(args); });
    double worst = 0;
    for (int t = 0; t < p.tokens; ++t)
        for (int r = 0; r < p.rows; ++r) {
            double got = 0;
            for (int s = 0; s < splits; ++s)
                got += double(y[static_cast<std::size_t>((s * p.tokens + t) * p.rows + r)]);
            const auto [want, magnitude] = from.sum(t, r);
            const double error = std::abs(got - want) / magnitude;
            if (!(error <= worst)) worst = error;
        }
    CHECK(worst <= sum_bound);
}

constexpr linear_config int4_config(int group, scale_form scales = scale_form::f16) {
    linear_config c;
    c.form = weight_form::int4;
    c.scales = scales;
    c.group = group;
    c.out = number_type::f32;
    return c;
}
constexpr linear_config cut(linear_config c, g4::cuda::linear_tiling t) {
    return g4::cuda::with_tiling(c, t);
}
constexpr linear_config plain_config = [] {
    linear_config c;
    c.out = number_type::f32;
    return c;
}();
using tiling = g4::cuda::linear_tiling;

}  // namespace

TEST_CASE("linear: int4 with few tokens agrees with the loop for every group and scale type") {
    constexpr tiling t{.column_warps = 2, .depth = 2};
    check_sums<cut(int4_config(128), t)>({40, 384, 3, {24, 16}, 128});
    check_sums<cut(int4_config(64), t)>({16, 192, 8, {16}, 64});
    check_sums<cut(int4_config(32), t)>({33, 96, 1, {33}, 32});
    check_sums<cut(int4_config(16), t)>({18, 144, 5, {18}, 48});
    constexpr auto f32 = scale_form::f32, bf16 = scale_form::bf16;
    check_sums<cut(int4_config(128, f32), t)>({16, 256, 2, {16}, 128, f32});
    check_sums<cut(int4_config(128, bf16), t)>({16, 256, 2, {16}, 128, bf16});
}

TEST_CASE("linear: a last group that is shorter, and columns that end inside a unit") {
    constexpr tiling t{.column_warps = 4, .depth = 3};
    check_sums<cut(int4_config(128), t)>({16, 200, 2, {16}, 128});
    check_sums<cut(int4_config(32), t)>({16, 40, 2, {16}, 32});
    check_sums<cut(plain_config, t)>({17, 203, 2, {17}});
}

TEST_CASE("linear: entries of several units, a ring that goes round, an odd count of units") {
    constexpr tiling pair{.row_tiles = 2, .column_warps = 2, .depth = 3, .span = 2};
    check_sums<cut(int4_config(128), pair)>({48, 1600, 5, {48}, 128});
    check_sums<cut(int4_config(64), pair)>({48, 320, 5, {48}, 64});
    check_sums<cut(int4_config(16), pair)>({48, 336, 5, {48}, 16});
    check_sums<cut(plain_config, pair)>({35, 328, 3, {35}});
    constexpr tiling split{.column_warps = 2, .depth = 2, .span = 2, .splits = 3};
    check_sums<cut(int4_config(128), split)>({16, 1088, 1, {16}, 128}, 3);
    constexpr tiling staged{.token_tile = 16, .staged = true, .row_tiles = 2, .column_warps = 2,
                            .depth = 2, .span = 2};
    check_sums<cut(int4_config(128), staged)>({40, 1088, 12, {40}, 128}, 2);
    check_sums<cut(int4_config(32), staged)>({40, 448, 12, {40}, 32}, 3);
    check_sums<cut(plain_config, staged)>({40, 456, 17, {40}});
}

TEST_CASE("linear: x in registers, whole and short spans of columns, one turn and many") {
    constexpr tiling once{.resident = true, .column_warps = 4, .depth = 1, .span = 3};
    check_sums<cut(int4_config(128), once)>({40, 640, 3, {24, 16}, 128});
    check_sums<cut(int4_config(32), once)>({33, 96, 1, {33}, 32});
    check_sums<cut(int4_config(16), once)>({18, 592, 5, {18}, 48});
    check_sums<cut(int4_config(64), once)>({16, 200, 8, {16}, 64}, 1, 3);
    constexpr tiling split{.resident = true, .row_tiles = 2, .column_warps = 2, .depth = 1,
                           .span = 2};
    check_sums<cut(int4_config(128, scale_form::f32), split)>(
        {72, 704, 11, {40, 32}, 128, scale_form::f32}, 3);
    constexpr tiling turns{.resident = true, .row_tiles = 2, .column_warps = 3, .depth = 3,
                           .span = 3};
    check_sums<cut(int4_config(128), turns)>({200, 576, 8, {200}, 128}, 1, 0, 2);
    constexpr tiling wide{.token_tile = 16, .resident = true, .column_warps = 2, .depth = 2,
                          .span = 1};
    check_sums<cut(int4_config(64), wide)>({48, 128, 21, {48}, 64}, 1, 0, 1);
}

TEST_CASE("linear: a block goes on with further rows") {
    constexpr tiling t{.row_tiles = 2, .column_warps = 2, .depth = 3};
    check_sums<cut(int4_config(128), t)>({168, 448, 4, {168}, 128}, 1, 0, 2);
    check_sums<cut(plain_config, t)>({101, 200, 8, {101}}, 1, 0, 1);
}

TEST_CASE("linear: streamed blocks of several row tiles, token tiles and splits") {
    constexpr tiling t{.row_tiles = 2, .column_warps = 2, .depth = 2, .splits = 3};
    check_sums<cut(int4_config(128), t)>({72, 512, 11, {40, 32}, 128}, 3);
    check_sums<cut(plain_config, t)>({40, 328, 9, {40}}, 2);
    constexpr tiling wide{.token_tile = 16, .row_tiles = 1, .column_warps = 2, .depth = 2};
    check_sums<cut(int4_config(32), wide)>({48, 256, 21, {48}, 32});
}

TEST_CASE("linear: rows of x that are not aligned to 16 bytes") {
    constexpr tiling t{.column_warps = 2, .depth = 2};
    check_sums<cut(int4_config(32), t)>({16, 96, 3, {16}, 32}, 1, 3);
    constexpr tiling staged{.token_tile = 16, .staged = true, .column_warps = 2, .depth = 3};
    check_sums<cut(plain_config, staged)>({16, 100, 3, {16}}, 1, 1);
}

TEST_CASE("linear: staged tiles of every size agree with the loop") {
    constexpr tiling small{.token_tile = 16, .staged = true, .row_warps = 2, .column_warps = 2,
                           .depth = 3};
    check_sums<cut(int4_config(128), small)>({50, 640, 19, {50}, 128}, 2);
    check_sums<cut(int4_config(16), small)>({32, 80, 16, {32}, 16});
    constexpr auto f32 = scale_form::f32;
    check_sums<cut(int4_config(32, f32), small)>({32, 160, 5, {32}, 32, f32});
    check_sums<cut(plain_config, small)>({37, 312, 30, {30, 7}});
    constexpr tiling middle{.token_tile = 32, .staged = true, .row_tiles = 2, .row_warps = 2,
                            .column_warps = 4, .depth = 2};
    check_sums<cut(int4_config(64), middle)>({70, 448, 40, {70}, 64});
    check_sums<cut(plain_config, middle)>({70, 448, 40, {70}});
    constexpr tiling odd{.token_tile = 64, .staged = true, .row_tiles = 1, .row_warps = 5,
                         .column_warps = 2, .depth = 2};
    check_sums<cut(int4_config(128), odd)>({176, 448, 70, {176}, 128});
    check_sums<cut(plain_config, odd)>({176, 328, 70, {176}});
    constexpr tiling large{.token_tile = 128, .staged = true, .row_tiles = 2, .row_warps = 4,
                           .token_warps = 2, .column_warps = 1, .depth = 3};
    check_sums<cut(int4_config(128), large)>({144, 256, 150, {144}, 128});
    check_sums<cut(plain_config, large)>({144, 256, 129, {144}});
}

namespace {

double gelu(double x) {
    return 0.5 * x * (1 + std::tanh(0.7978845608 * (x + 0.044715 * x * x * x)));
}

/// gelu(result 0) · result 1, or gelu(result) · input: out bf16, rows of x and input by number.
template <linear_config C> void check_gated(const problem& p) {
    const made from{p};
    const packed w{from};
    std::vector<int> x_rows, input_rows;
    for (int t = 0; t < p.tokens; ++t) {
        x_rows.push_back(p.tokens - 1 - t);
        input_rows.push_back((t + 1) % p.tokens);
    }
    const buffer<bf16_bits> x{from.x};
    const buffer<int> rows_of_x{x_rows}, rows_of_input{input_rows};
    const int width = C.paired ? p.rows / 2 : p.rows;
    std::vector<bf16_bits> input_values;
    for (int i = 0; i < p.tokens * width; ++i)
        input_values.push_back(to_bf16(static_cast<float>(i % 13 - 6) / 4));
    const buffer<bf16_bits> input{input_values};
    const buffer<float> factor{std::vector<float>{0.5f}};
    buffer<bf16_bits> y(static_cast<std::size_t>(p.tokens * width));
    const linear_args args{.weights = w.weights->data(), .scales = w.scales->data(),
                           .x = x.data(), .x_stride = p.columns, .x_rows = rows_of_x.data(),
                           .tokens = p.tokens, .rows = p.rows, .columns = p.columns, .splits = 1,
                           .out = y.data(), .out_stride = width,
                           .inputs = {{input.data(), width, rows_of_input.data()}},
                           .vectors = {nullptr, factor.data()}};
    simt::launch(g4::cuda::linear_shape(C, args), [&] { linear<C>(args); });
    double worst = 0;
    for (int t = 0; t < p.tokens; ++t)
        for (int i = 0; i < width; ++i) {
            const int token = x_rows[static_cast<std::size_t>(t)];
            const auto [first, magnitude] = from.sum(token, C.paired ? 2 * i : i);
            const auto [second, other] = from.sum(token, 2 * i % p.rows + 1);
            const int row = input_rows[static_cast<std::size_t>(t)];
            const auto at_input = static_cast<std::size_t>(row * width + i);
            const double factor_of = C.paired ? second : double(to_float(input_values[at_input]));
            const double want = 0.5 * gelu(first) * factor_of;
            const double got = to_float(y[static_cast<std::size_t>(t * width + i)]);
            // bf16 rounds by 2^-9; the slope of gelu is below 1.13.
            const double bound = 0x1p-8 * std::abs(want) +
                                 sum_bound * (std::abs(factor_of) * magnitude +
                                              (C.paired ? std::abs(first) * other : 0)) + 1e-6;
            const double error = std::abs(got - want) / bound;
            if (!(error <= worst)) worst = error;
        }
    CHECK(worst <= 1);
}

constexpr linear_config gated(linear_config c, bool paired) {
    c.out = number_type::bf16;
    c.paired = paired;
    c.input_count = paired ? 0 : 1;
    c.steps[0] = {.op = step_op::gelu_tanh, .left = 0};
    c.steps[1] = {.op = step_op::mul, .left = 2, .right = 1};
    c.steps[2] = {.op = step_op::scale, .left = 3, .vector = 1};
    return c;
}

}  // namespace

TEST_CASE("linear: a pair of matrices row by row, and an input, meet in the steps") {
    constexpr tiling t{.column_warps = 2, .depth = 2};
    constexpr tiling staged{.token_tile = 16, .staged = true, .row_tiles = 2, .column_warps = 2,
                            .depth = 3};
    check_gated<gated(cut(int4_config(32), t), true)>(
        {.rows = 44, .columns = 128, .tokens = 3, .parts = {22, 22}, .source_group = 32,
         .paired = true});
    check_gated<gated(cut(plain_config, staged), true)>(
        {.rows = 44, .columns = 136, .tokens = 18, .parts = {22, 22}, .paired = true});
    check_gated<gated(cut(int4_config(128), t), false)>(
        {.rows = 24, .columns = 128, .tokens = 6, .parts = {24}, .source_group = 128});
    check_gated<gated(cut(int4_config(128), staged), false)>(
        {.rows = 23, .columns = 128, .tokens = 17, .parts = {23}, .source_group = 128});
}

TEST_CASE("linear: int4 unpacked to bf16 is the nearest of scale times whole number") {
    const problem p{.rows = 10, .columns = 200, .tokens = 1, .parts = {5, 5}, .source_group = 48,
                    .paired = true};
    const made from{p};
    const packed w{from, true};
    const auto* bits = reinterpret_cast<const bf16_bits*>(w.weights->data());
    bool equal = true;
    for (int r = 0; r < p.rows; ++r)
        for (int c = 0; c < p.columns; ++c)
            equal = equal && bits[r * plain_stride(p.columns) + c] ==
                                 to_bf16(static_cast<float>(from.weight(r, c)));
    CHECK(equal);
}
