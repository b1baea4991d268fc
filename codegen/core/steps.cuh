// The steps that treat each element alone. A new one adds its case here.
#pragma once
#include "codegen/core/config.hpp"

namespace g4k {

/// tanh by exp, within 2^-21: CUDA's tanhf branches.
__device__ inline float tanh_of(float x) {
    const float e = expf(2 * fminf(fmaxf(x, -15.0f), 15.0f));
    return (e - 1) / (e + 1);
}

/// `scale` is the learned number that s.vector names; read by the caller.
__device__ inline float apply(const step& s, float x, float y, float scale) {
    switch (s.op) {
        case step_op::gelu_tanh: {
            const float inner = 0.79788456f * (x + 0.044715f * x * x * x);
            return 0.5f * x * (1 + tanh_of(inner));
        }
        case step_op::silu: return x / (1 + expf(-x));
        case step_op::add: return x + y;
        case step_op::mul: return x * y;
        case step_op::multiply: return x * s.number;
        case step_op::scale: return x * scale;
        case step_op::softcap: return s.number * tanh_of(x / s.number);
        default: return x;  // end; norms and rope are the row family's
    }
}

}  // namespace g4k
