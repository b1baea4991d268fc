// The first kernel of a step on the device.
#pragma once
#include "codegen/step/config.hpp"
#include "g4/emit/request.hpp"
#include <algorithm>

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

}  // namespace g4::cuda
