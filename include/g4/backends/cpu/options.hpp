// What the CPU back end may use, and what it reserves at start.
#pragma once
#include "g4/backends/cpu/isa.hpp"
#include "g4/core/log.hpp"
#include <cstdint>
#include <vector>

namespace g4::cpu {

/// Made in main() and passed down.
struct cpu_options {
    std::int32_t rows = 512;      // of one step
    std::int32_t wanted = 64;     // rows of one step whose logits are wanted
    std::int32_t sequences = 64;  // of one step
    std::int32_t page_tokens = 16;
    std::vector<std::int32_t> pages{};  // for each cache group of the plan
    int threads = 0;                    // 0: all that the process may use
    /// Bits of activations in int4 linears, fixed point in groups of the weights. Relative error of
    /// an output over 2560 Gaussian columns, measured: 16 bits 2.5e-5 (rounding them to
    /// bf16: 1.7e-3), 8 bits 6.4e-3; with five columns 20 times larger 6.7e-5 and 1.8e-2. 8 bits
    /// prefill 1.7 times as fast.
    int activation_bits = 16;
    /// Plain linears are copied into huge pages up to so many bytes: a mapped file lies in small
    /// pages, which halves the rate at which one core reads. The rest is read from the file.
    std::int64_t copy_bytes = std::int64_t{2} << 30;
    isa most = best_isa();  // the best instruction set that may be used
    logger log{};
};

}  // namespace g4::cpu
