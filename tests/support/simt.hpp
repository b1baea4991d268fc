// Runs the device code of codegen/ on the CPU: tests of kernels need no GPU. Include it before any
// .cuh.
//
// One fiber for each thread of a block, blocks one after the other: a kernel that waits for another
// block hangs. Lanes exchange values where the code says so, and only there.
#pragma once
#define G4K_SIMT 1
#include "g4/emit/request.hpp"
#include "tests/support/simt_block.hpp"
#include "tests/support/simt_matrix.hpp"
#include "tests/support/simt_warp.hpp"
#include "tests/support/simt_words.hpp"

// NVRTC knows #pragma unroll and says nothing of conversions. GCC before 13 needs the first of
// these as an option.
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#pragma GCC diagnostic ignored "-Wconversion"

namespace g4k::simt {

/// `kernel` is called by every thread of every block. Throws a fault for what no device promises to
/// survive; buffers hold then what had been written so far.
inline void launch(const g4::launch_shape& shape, const std::function<void()>& kernel) {
    if (shape.threads == 0 || shape.threads > 1024)
        throw fault{"simt: expected 1 to 1024 threads, got " + std::to_string(shape.threads)};
    gridDim = {shape.grid_x, shape.grid_y, shape.grid_z};
    blockDim = {shape.threads, 1, 1};
    {
        const fault_guard guard;
        for (unsigned z = 0; z < shape.grid_z; ++z)
            for (unsigned y = 0; y < shape.grid_y; ++y)
                for (unsigned x = 0; x < shape.grid_x; ++x) {
                    blockIdx = {x, y, z};
                    machine::the().run_block(static_cast<int>(shape.threads), shape.shared_bytes,
                                             kernel);
                }
    }
    region::check_all();
}

}  // namespace g4k::simt
