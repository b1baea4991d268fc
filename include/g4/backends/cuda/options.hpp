// What the CUDA back end may use, and what it reserves at start.
#pragma once
#include "g4/core/log.hpp"
#include <cstdint>
#include <optional>
#include <vector>

namespace g4::cuda {

/// What choices of variants depend on.
struct device_target {
    int major = 0, multiprocessors = 0;  // compute capability; of the device
    int memory_gigabytes_per_second = 0;
    friend bool operator==(const device_target&, const device_target&) = default;
};

/// Made in main() and passed down.
struct cuda_options {
    std::int32_t rows = 8192;      // of one step
    std::int32_t wanted = 256;     // rows of one step whose logits are wanted
    std::int32_t sequences = 256;  // of one step
    std::int32_t longest = 0;      // positions of a sequence: max_model_len
    std::int32_t page_tokens = 64;
    std::vector<std::int32_t> pages{};  // for each cache group of the plan
    bool replay = true;            // decode steps as CUDA graphs, one a bucket of rows
    bool hopper = true;            // wgmma kernels where the device has them
    /// Int4 linears as bf16 beside the packed form, for long steps on devices with wgmma.
    bool unpacked_copy = true;
    std::optional<device_target> target{};  // that variants are chosen for; none: the device
    logger log{};
};

/// Decode steps are padded to one of these numbers of rows, each with a replay of its own.
inline std::vector<std::int32_t> decode_buckets(std::int32_t most) {
    std::vector<std::int32_t> out;
    for (const std::int32_t rows : {1, 2, 4, 8, 12, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128,
                                    160, 192, 224, 256})
        if (rows < most) out.push_back(rows);
    if (most <= 256) out.push_back(most);
    return out;
}

}  // namespace g4::cuda
