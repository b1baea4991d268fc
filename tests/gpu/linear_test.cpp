// Linear kernels on a device: packing, products and steps at the sizes of E4B and at odd ones.
#include "g4/backends/cuda/linear.hpp"
#include "g4/backends/cuda/pack.hpp"
#include "tests/support/gpu.hpp"
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <doctest/doctest.h>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {

using g4::testing::device_vector;
using g4::testing::gpu;

float from_bf16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }
std::uint16_t to_bf16(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
double gelu(double x) {
    return 0.5 * x * (1 + std::tanh(0.7978845608 * (x + 0.044715 * x * x * x)));
}

/// One tensor of the checkpoint: int4 when `group` is not 0, with f32 scales.
struct tensor {
    int rows, columns, group;
    std::vector<std::uint32_t> words;
    std::vector<float> scales;
    std::vector<std::uint16_t> plain;

    tensor(int r, int c, int g, std::mt19937& random) : rows{r}, columns{c}, group{g} {
        const auto count = [](std::int64_t n) { return static_cast<std::size_t>(n); };
        if (group == 0) {
            plain.resize(count(std::int64_t{rows} * columns));
            for (auto& v : plain) v = to_bf16(static_cast<float>(random() % 2001) / 1000 - 1);
            return;
        }
        words.resize(count(std::int64_t{columns} / 8 * rows));
        for (auto& w : words) w = static_cast<std::uint32_t>(random());
        scales.resize(count(std::int64_t{g4k::divide_up(columns, group)} * rows));
        for (auto& s : scales) s = static_cast<float>(random() % 2001) / 16000 - 0.0625f;
    }
    double at(int row, int column) const {
        if (group == 0)
            return from_bf16(plain[static_cast<std::size_t>(std::int64_t{row} * columns + column)]);
        const auto height = static_cast<std::size_t>(rows), r = static_cast<std::size_t>(row);
        const std::uint32_t word = words[static_cast<std::size_t>(column / 8) * height + r];
        return double(scales[static_cast<std::size_t>(column / group) * height + r]) *
               (static_cast<int>(word >> column % 8 * 4 & 15) - 8);
    }
};

/// What is computed: sums, gelu(gate) · up of two tensors, or softcap of sums.
enum class kind { sums, gate_up, softcap };
struct problem {
    kind what;
    int rows, columns, group, tokens;
};

g4k::linear_config config_of(const problem& p) {
    g4k::linear_config c;
    c.form = p.group == 0 ? g4k::weight_form::plain_bf16 : g4k::weight_form::int4;
    c.group = p.group;
    c.scales = g4k::scale_form::f32;
    c.out = p.what == kind::gate_up ? g4k::number_type::bf16 : g4k::number_type::f32;
    c.paired = p.what == kind::gate_up;
    if (p.what == kind::gate_up) {
        c.steps[0].op = g4k::step_op::gelu_tanh;
        c.steps[1] = {g4k::step_op::mul, 2, 1, 0, -1};
    } else if (p.what == kind::softcap) {
        c.steps[0] = {g4k::step_op::softcap, 0, 0, 30, -1};
    }
    return c;
}

struct uploaded {
    std::vector<device_vector<std::uint32_t>> words;
    std::vector<device_vector<float>> scales;
    std::vector<device_vector<std::uint16_t>> plain;
    device_vector<std::uint8_t> weights, packed_scales;
};

/// Uploads tensors as they are and packs them on the device.
uploaded pack(gpu& on, const std::vector<tensor>& tensors, bool paired, bool as_bf16) {
    g4k::pack_args args;
    args.source_count = static_cast<int>(tensors.size());
    args.paired = paired;
    args.columns = tensors[0].columns;
    args.group = tensors[0].group;
    args.scale_type = g4k::scale_form::f32;
    for (const tensor& t : tensors) args.rows += t.rows;
    g4::cuda::packed_form form;
    if (!as_bf16 && args.group != 0)
        form = {g4k::weight_form::int4, g4k::scale_form::f32, args.group};
    const auto scale_bytes = g4::cuda::packed_scale_bytes(form, args.rows, args.columns);
    uploaded out{{}, {}, {},
                 on.poisoned<std::uint8_t>(
                     g4::cuda::packed_weight_bytes(form, args.rows, args.columns)),
                 on.poisoned<std::uint8_t>(std::max<std::size_t>(scale_bytes, 16))};
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        g4k::matrix_source& source = args.sources[i];
        source.rows = tensors[i].rows;
        source.group = tensors[i].group;
        source.scale_type = g4k::scale_form::f32;
        source.form = source.group == 0 ? g4k::source_form::bf16 : g4k::source_form::int4;
        if (source.group == 0) {
            out.plain.push_back(on.upload(tensors[i].plain));
            source.data = out.plain.back().data();
        } else {
            out.words.push_back(on.upload(tensors[i].words));
            out.scales.push_back(on.upload(tensors[i].scales));
            source.data = out.words.back().data();
            source.scales = out.scales.back().data();
        }
    }
    args.weights = out.weights.data();
    args.scales = out.packed_scales.data();
    using g4::cuda::packing;
    const auto run = [&](packing what) {
        on.run(on.compile(pack_request(what)), pack_shape(what, args), args);
    };
    if (form.form == g4k::weight_form::int4) {
        run(packing::int4_words);
        run(packing::int4_scales);
    } else {
        run(packing::bf16);
    }
    return out;
}

/// The worst error of some outputs of every token, in units of its bound.
template <class Output>
double worst_error(const problem& p, const std::vector<tensor>& tensors,
                   const std::vector<std::uint16_t>& x, const Output& output) {
    const int width = p.what == kind::gate_up ? p.rows / 2 : p.rows;
    std::mt19937 random{5};
    double worst = 0;
    const auto sum = [&](const tensor& of, int token, int row) {
        std::pair<double, double> out{0, 0};
        for (int c = 0; c < p.columns; ++c) {
            const double term =
                of.at(row, c) * from_bf16(x[static_cast<std::size_t>(token) *
                                                static_cast<std::size_t>(p.columns) +
                                            static_cast<std::size_t>(c)]);
            out.first += term;
            out.second += std::abs(term);
        }
        return out;
    };
    for (int token = 0; token < p.tokens; ++token)
        for (int i = 0; i < std::min(width, p.tokens > 64 ? 24 : 200); ++i) {
            const int column = i < 4 ? width - 1 - i : static_cast<int>(random() % unsigned(width));
            const auto [first, magnitude] = sum(tensors[0], token, column);
            // f32 sums in the tensor cores: see tests/codegen/linear_test.cpp; f32 steps beside.
            double want = first, bound = 0x1p-14 * magnitude + 1e-6;
            if (p.what == kind::softcap) want = 30 * std::tanh(first / 30);
            if (p.what == kind::gate_up) {
                const auto [second, other] = sum(tensors[1], token, column);
                want = gelu(first) * second;
                bound = 0x1p-8 * std::abs(want) + 1e-6 +
                        0x1p-14 * (1.2 * std::abs(second) * magnitude + std::abs(first) * other);
            }
            const double error = std::abs(output(token, column) - want) / bound;
            if (!(error <= worst)) worst = error;
        }
    return worst;
}

void check(gpu& on, const problem& p) {
    std::mt19937 random{static_cast<unsigned>(p.rows * 31 + p.columns + p.tokens)};
    std::vector<tensor> tensors;
    const bool paired = p.what == kind::gate_up;
    tensors.emplace_back(paired ? p.rows / 2 : p.rows, p.columns, p.group, random);
    if (paired) tensors.emplace_back(p.rows / 2, p.columns, p.group, random);
    const uploaded weights = pack(on, tensors, paired, false);
    std::vector<std::uint16_t> x(static_cast<std::size_t>(p.tokens) *
                                 static_cast<std::size_t>(p.columns));
    for (auto& v : x) v = to_bf16(static_cast<float>(random() % 2001) / 1000 - 1);
    const auto x_device = on.upload(x);
    const g4::cuda::linear_sizes sizes{config_of(p).form, p.group,   p.tokens,
                                       p.rows,            p.columns, p.what != kind::sums};
    const auto tiling = choose_linear(sizes, on.info().multiprocessors);
    const auto config = with_tiling(config_of(p), tiling);
    const int width = paired ? p.rows / 2 : p.rows;
    const auto count = static_cast<std::size_t>(tiling.splits) *
                       static_cast<std::size_t>(p.tokens) * static_cast<std::size_t>(width);
    const auto out = on.poisoned<float>(count);
    g4k::linear_args args;
    args.weights = weights.weights.data();
    args.scales = weights.packed_scales.data();
    args.x = x_device.data();
    args.x_stride = p.columns;
    args.tokens = p.tokens;
    args.rows = p.rows;
    args.columns = p.columns;
    args.splits = tiling.splits;
    args.out = out.data();
    args.out_stride = width;
    args.split_stride = std::int64_t{p.tokens} * width;
    const auto request = g4::cuda::linear_request(config);
    on.run(on.compile(request), g4::cuda::linear_shape(config, args), args);
    const std::vector<float> got = on.download(out);
    const auto* halves = reinterpret_cast<const std::uint16_t*>(got.data());
    const auto output = [&](int token, int column) {
        const auto at = static_cast<std::size_t>(token) * static_cast<std::size_t>(width) +
                        static_cast<std::size_t>(column);
        if (paired) return double(from_bf16(halves[at]));
        double total = 0;
        for (int s = 0; s < tiling.splits; ++s)
            total += double(got[static_cast<std::size_t>(s) *
                                    static_cast<std::size_t>(args.split_stride) + at]);
        return total;
    };
    INFO("rows ", p.rows, " columns ", p.columns, " group ", p.group, " tokens ", p.tokens, " of ",
         request.name);
    CHECK(worst_error(p, tensors, x, output) <= 1);
}

}  // namespace

TEST_CASE("linear: products of E4B agree with sums in double, for few and many tokens") {
    auto* on = g4::testing::open_gpu();
    if (on == nullptr) return;
    for (const int tokens : {1, 8, 17, 64, 300}) {
        check(*on, {kind::sums, 3072, 2560, 128, tokens});
        check(*on, {kind::sums, 2560, 10240, 128, tokens});
        check(*on, {kind::gate_up, 20480, 2560, 128, tokens});
        check(*on, {kind::sums, 256, 2560, 128, tokens});
        check(*on, {kind::sums, 2560, 256, 32, tokens});
        check(*on, {kind::softcap, 10752, 2560, 0, tokens});
    }
}

TEST_CASE("linear: products of odd sizes agree with sums in double") {
    auto* on = g4::testing::open_gpu();
    if (on == nullptr) return;
    for (const int tokens : {7, 33, 129}) {
        check(*on, {kind::sums, 96, 320, 32, tokens});
        check(*on, {kind::sums, 577, 320, 0, tokens});
        check(*on, {kind::gate_up, 2 * 104, 64, 16, tokens});
        check(*on, {kind::gate_up, 2 * 352, 100, 0, tokens});
        check(*on, {kind::sums, 33, 200, 128, tokens});
        check(*on, {kind::softcap, 521, 48, 16, tokens});
    }
}

TEST_CASE("linear: int4 unpacked for the family of many tokens equals its own value") {
    auto* on = g4::testing::open_gpu();
    if (on == nullptr) return;
    std::mt19937 random{3};
    std::vector<tensor> tensors;
    for (int i = 0; i < 3; ++i) tensors.emplace_back(200 + 56 * i, 1000, 128, random);
    const uploaded weights = pack(*on, tensors, false, true);
    const std::vector<std::uint8_t> bytes = on->download(weights.weights);
    const auto* bits = reinterpret_cast<const std::uint16_t*>(bytes.data());
    int wrong = 0, row = 0;
    for (const tensor& t : tensors)
        for (int r = 0; r < t.rows; ++r, ++row)
            for (int c = 0; c < t.columns; ++c)
                wrong += bits[row * 1000 + c] != to_bf16(static_cast<float>(t.at(r, c)));
    CHECK(wrong == 0);
}
