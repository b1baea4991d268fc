// What the lowering asks the device compiler for, and how the kernel is then launched.
#pragma once
#include <string>

namespace g4 {

/// A kernel as text: a dozen lines that include the family's real files with the plan's constants.
/// It has one parameter, the family's arguments by value.
///   name    of the function: extern "C", says what the kernel does
///   hopper  needs wgmma and TMA: compiled for sm_90a only
struct kernel_request {
    std::string name, text;
    bool hopper = false;
};

/// How a kernel is launched. Sizes in blocks, threads and bytes.
struct launch_shape {
    unsigned grid_x = 1, grid_y = 1, grid_z = 1;
    unsigned threads = 1;
    unsigned shared_bytes = 0;  // dynamic
};

}  // namespace g4
