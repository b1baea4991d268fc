// The first kernel of a step on the device, and the frequencies that its rope tables turn by.
#pragma once
#include "codegen/step/config.hpp"
#include "g4/emit/request.hpp"
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace g4::cuda {

inline constexpr unsigned begin_step_threads = 128;

inline kernel_request begin_step_request() {
    return {"g4_begin_step",
            "#include \"codegen/step/begin_step.cuh\"\nusing namespace g4k;\n"
            "extern \"C\" __global__ void __launch_bounds__(128) g4_begin_step("
            "const __grid_constant__ begin_step_args args) { begin_step(args); }\n"};
}

inline launch_shape begin_step_shape(const g4k::begin_step_args& args) {
    return {.grid_x = static_cast<unsigned>(args.rows),
            .grid_y = static_cast<unsigned>(std::max(args.rope_count, 1)),
            .threads = begin_step_threads};
}

/// For each pair of a head, the angle per position: theta^(-2m / head_dim), in f32 from f64, as the
/// other back ends have it; zero for pairs beyond the share `rotary` that turns.
inline std::vector<float> rope_frequencies(double theta, double rotary, std::int64_t head_dim) {
    const auto turning = static_cast<std::int64_t>(rotary * static_cast<double>(head_dim)) / 2;
    std::vector<float> out(static_cast<std::size_t>(head_dim / 2), 0.0f);
    for (std::int64_t m = 0; m < std::min(turning, head_dim / 2); ++m) {
        const double share = static_cast<double>(2 * m) / static_cast<double>(head_dim);
        out[static_cast<std::size_t>(m)] = static_cast<float>(1 / std::pow(theta, share));
    }
    return out;
}

}  // namespace g4::cuda
