// The weights of a model as a checkpoint would declare them, without their bytes.
#pragma once
#include "g4/gate/weights.hpp"
#include "g4/graph/bound_program.hpp"

namespace g4::testing {

/// The forms of a checkpoint without its bytes: linears of layers as int4, or all as bf16.
inline weight_table forms_of(const bound_program& program, std::int32_t group) {
    weight_table out;
    for (const declared_tensor& t : declared_tensors(program)) {
        weight w{.rows = t.size.rows, .columns = t.size.columns};
        if (group > 0 && t.linear && t.name.find("layers.") != t.name.npos &&
            t.size.columns % group == 0) {
            w.stored = weight::form::int4;
            w.group = group;
        }
        out.emplace(t.name, w);
    }
    return out;
}

}  // namespace g4::testing
