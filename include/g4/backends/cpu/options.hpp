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
    /// Bits of activations in int4 linears. 16: at least what bf16 keeps. 8: about twice as fast in
    /// prefill; adds an error of 0.6 % of a linear's output on Gaussian activations.
    int activation_bits = 16;
    /// Plain linears are copied into huge pages up to so many bytes: a mapped file lies in small
    /// pages, which halves the rate at which one core reads. The rest is read from the file.
    std::int64_t copy_bytes = std::int64_t{2} << 30;
    isa most = best_isa();  // the best instruction set that may be used
    logger log{};
};

}  // namespace g4::cpu
