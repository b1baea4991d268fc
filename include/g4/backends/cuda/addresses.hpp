// Where everything lies that the launches of a step name: null throughout while they are gathered.
#pragma once
#include "g4/backends/cuda/arena.hpp"
#include "g4/backends/cuda/device_weights.hpp"
#include "g4/backends/cuda/step_layout.hpp"

namespace g4::cuda {

struct plan_addresses {
    std::vector<placed_buffer> buffers;
    std::vector<g4k::cache_args> caches;
    std::vector<std::int64_t> pool_bytes;       // by cache kind
    std::vector<device_matrix> matrices;
    std::vector<const g4k::bf16_bits*> tables;
    std::vector<std::int64_t> table_strides;
    std::map<bound_vector, const float*> vectors;
    std::vector<float*> ropes;                  // [step rows][head_dim / 2][2]
    std::vector<const float*> frequencies;      // [head_dim / 2]
    std::byte* activation = nullptr;
    float* sums = nullptr;
    float* partial = nullptr;
    float* extent = nullptr;
    std::byte* step = nullptr;    // what step_layout lays out
    int* token_ids = nullptr;     // [rows], resolved
    int* last_tokens = nullptr;   // [wanted], of the step before
};

}  // namespace g4::cuda
