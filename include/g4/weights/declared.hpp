// What a declaration wants of a checkpoint: names and sizes, without the graph that they come from.
#pragma once
#include <cstdint>
#include <string>

namespace g4 {

/// One weight that a declaration wants. A vector has columns 1; several axes that the file stores
/// as one are joined.
struct declared_weight {
    std::string name;  // in full: "model.language_model.layers.0.self_attn.q_proj.weight"
    std::int64_t rows = 0, columns = 1;
    bool linear = false;  // the weight of a linear: may be stored quantised
};

}  // namespace g4
