// A matrix product of the gemm family on a device: random operands, poisoned result, and what the
// result must be by sums in f64. Tests and the benchmark share it.
#pragma once
#include "g4/backends/cuda/gemm.hpp"
#include "g4/runtime/tensor_map.hpp"
#include "tests/support/gpu.hpp"
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace g4::testing {

inline float bf16_value(std::uint16_t bits) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}
inline std::uint16_t bf16_bits(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

/// Uniform in [-scale, scale]; after a prime number of values they repeat, which no row length
/// divides.
inline std::vector<std::uint16_t> random_bf16(std::size_t count, float scale, unsigned seed) {
    constexpr std::size_t period = 1'000'003;
    std::mt19937 random{seed};
    std::uniform_real_distribution<float> uniform{-scale, scale};
    std::vector<std::uint16_t> out(count);
    for (std::size_t i = 0; i < std::min(count, period); ++i) out[i] = bf16_bits(uniform(random));
    for (std::size_t at = period; at < count; at += period)
        std::memcpy(&out[at], out.data(), std::min(period, count - at) * sizeof out[0]);
    return out;
}

class gemm_case {
  public:
    /// out_gap: elements behind each row of the result that must stay as they are.
    gemm_case(gpu& on, const cuda::gemm_sizes& sizes, const cuda::gemm_tiling& tiling,
              const g4k::gemm_config& what, unsigned seed, int out_gap = 8, int copies = 1)
        : gpu_{on},
          sizes_{sizes},
          config_{cuda::with_tiling(what, tiling)},
          columns_{sizes.rows / (what.paired ? 2 : 1)},
          stride_{columns_ + out_gap},
          splits_{tiling.splits},
          x_{random_bf16(count(sizes.tokens * sizes.x_stride), 1, seed)},
          weights_{random_bf16(count(sizes.rows * sizes.columns),
                               2 / std::sqrt(static_cast<float>(sizes.columns)), seed + 1)},
          input_{random_bf16(what.input_count > 0 ? count(sizes.tokens * columns_) : 1, 1,
                             seed + 2)},
          x_on_{on.upload(x_)},
          input_on_{on.upload(input_)},
          scale_on_{on.upload(std::vector<float>{0.75f})},
          out_{on.poisoned<unsigned char>(out_bytes() * splits_)},
          kernel_{on.compile(cuda::gemm_request(config_))} {
        for (int i = 0; i < copies; ++i) weights_on_.push_back(on.upload(weights_));
        for (int i = 0; i < copies; ++i) args_.push_back(arguments(i));
        shape_ = cuda::gemm_launch(config_, args_[0], on.info().multiprocessors);
    }

    void launch(int i) const {
        gpu_.stream().launch(kernel_, shape_, args_[static_cast<std::size_t>(i) % args_.size()]);
    }
    const g4k::gemm_config& config() const { return config_; }
    const launch_shape& shape() const { return shape_; }
    std::vector<unsigned char> result() const { return gpu_.download(out_); }

    /// Runs, and tells of the first of `samples` elements (0: all) that is not what it must be, or
    /// of a write beyond the result; empty: none.
    std::string verify(std::size_t samples, double* worst = nullptr) {
        launch(0);
        gpu_.stream().synchronize();
        const std::vector<unsigned char> out = result();
        std::mt19937_64 random{static_cast<std::uint64_t>(sizes_.tokens * 31 + sizes_.rows)};
        const std::size_t all = count(sizes_.tokens * columns_);
        for (std::size_t i = 0; i < (samples == 0 ? all : samples); ++i) {
            std::size_t at = samples == 0 ? i : random() % all;
            if (samples != 0 && i == 0) at = 0;
            if (samples != 0 && i == 1) at = all - 1;
            const std::int64_t token = static_cast<std::int64_t>(at) / columns_;
            const std::int64_t column = static_cast<std::int64_t>(at) % columns_;
            std::string wrong = compare(out, token, column, worst);
            if (!wrong.empty()) return wrong;
        }
        return gaps(out);
    }

  private:
    static std::size_t count(std::int64_t n) { return static_cast<std::size_t>(n); }
    std::size_t element_bytes() const { return config_.out == g4k::number_type::f32 ? 4 : 2; }
    std::size_t out_bytes() const { return count(sizes_.tokens * stride_) * element_bytes(); }

    g4k::gemm_args arguments(int copy) const {
        g4k::gemm_args out{};
        const auto map = [&](const tiled_array& array, const void* memory) {
            return encode_map<g4k::tensor_map>(gpu_.device(), array, memory);
        };
        out.x = map(cuda::gemm_x_array(sizes_), x_on_.data());
        out.weights = map(cuda::gemm_weights_array(config_, sizes_),
                          weights_on_[static_cast<std::size_t>(copy)].data());
        out.tokens = static_cast<int>(sizes_.tokens);
        out.rows = static_cast<int>(sizes_.rows);
        out.columns = static_cast<int>(sizes_.columns);
        out.splits = splits_;
        out.out = out_.data();
        out.out_stride = stride_;
        out.split_stride = sizes_.tokens * stride_;
        for (auto& input : out.inputs) input = {input_on_.data(), columns_, nullptr};
        for (auto& vector : out.vectors) vector = scale_on_.data();
        return out;
    }

    /// One sum, and the sum of its terms' magnitudes.
    double sum(std::int64_t token, std::int64_t row, double& magnitude) const {
        double out = 0;
        for (std::int64_t k = 0; k < sizes_.columns; ++k) {
            const double term =
                static_cast<double>(bf16_value(x_[count(token * sizes_.x_stride + k)])) *
                static_cast<double>(bf16_value(weights_[count(row * sizes_.columns + k)]));
            out += term;
            magnitude += std::abs(term);
        }
        return out;
    }

    double stepped(const double* sums, double input) const {
        double values[12]{sums[0], sums[1]};
        int next = config_.paired ? 2 : 1;
        for (int i = 0; i < config_.input_count; ++i) values[next++] = input;
        double last = values[0];
        for (const g4k::step& s : config_.steps) {
            if (s.op == g4k::step_op::end) break;
            const double a = values[s.left], b = values[s.right];
            switch (s.op) {
                case g4k::step_op::gelu_tanh:
                    last = 0.5 * a * (1 + std::tanh(0.7978845608 * (a + 0.044715 * a * a * a)));
                    break;
                case g4k::step_op::add: last = a + b; break;
                case g4k::step_op::mul: last = a * b; break;
                case g4k::step_op::scale: last = a * 0.75; break;
                case g4k::step_op::softcap: {
                    const double cap = static_cast<double>(s.number);
                    last = cap * std::tanh(a / cap);
                    break;
                }
                default: throw internal_error{"gemm_case: a step without its f64 form"};
            }
            values[next++] = last;
        }
        return last;
    }

    std::string compare(const std::vector<unsigned char>& out, std::int64_t token,
                        std::int64_t column, double* worst) const {
        double sums[2]{}, magnitude = 0;
        const int results = config_.paired ? 2 : 1;
        for (int r = 0; r < results; ++r) sums[r] = sum(token, column * results + r, magnitude);
        const double input =
            config_.input_count > 0
                ? static_cast<double>(bf16_value(input_[count(token * columns_ + column)]))
                : 0;
        const double expected = stepped(sums, input);
        double got = 0;
        for (int s = 0; s < splits_; ++s) {
            const std::size_t at = count((s * sizes_.tokens + token) * stride_ + column);
            if (config_.out == g4k::number_type::f32) {
                float value;
                std::memcpy(&value, &out[at * 4], 4);
                got += static_cast<double>(value);
            } else {
                std::uint16_t value;
                std::memcpy(&value, &out[at * 2], 2);
                got += static_cast<double>(bf16_value(value));
            }
        }
        // bf16 rounds by 2^-9 of the result; sums in f32, whose terms tensor cores align and cut,
        // by 2^-15 of the magnitudes; steps pass an error on by their slopes: below 1.2 + factors.
        const double rounding = config_.out == g4k::number_type::f32 ? 0x1p-20 : 0x1p-8;
        const double slope = 1.2 + (config_.paired ? std::abs(sums[0]) + std::abs(sums[1]) : 0);
        const double allowed = rounding * std::abs(expected) + 0x1p-15 * magnitude * slope + 1e-6;
        if (worst != nullptr) *worst = std::max(*worst, std::abs(got - expected) / allowed);
        if (std::abs(got - expected) <= allowed) return {};
        return concat("token ", token, ", column ", column, ": expected ", expected, ", got ",
                      got);
    }

    std::string gaps(const std::vector<unsigned char>& out) const {
        const std::size_t row = count(stride_) * element_bytes();
        const std::size_t used = count(columns_) * element_bytes();
        if (used == row) return {};
        for (std::size_t at = used; at < out.size();
             at = at % row == row - 1 ? at + used + 1 : at + 1)
            if (out[at] != 0xFF) return concat("wrote beyond row ", at / row);
        return {};
    }

    gpu& gpu_;
    cuda::gemm_sizes sizes_;
    g4k::gemm_config config_;
    std::int64_t columns_, stride_;
    int splits_;
    std::vector<std::uint16_t> x_, weights_, input_;
    device_vector<std::uint16_t> x_on_, input_on_;
    device_vector<float> scale_on_;
    device_vector<unsigned char> out_;
    kernel kernel_;
    std::vector<device_vector<std::uint16_t>> weights_on_;
    std::vector<g4k::gemm_args> args_;
    launch_shape shape_;
};

}  // namespace g4::testing
