// Reference of the operators that treat each element alone.
#pragma once
#include "g4/backends/reference/activation.hpp"
#include "g4/core/error.hpp"
#include "g4/graph/node.hpp"
#include <cmath>

namespace g4::reference {

inline double gelu_tanh(double x) {
    return 0.5 * x * (1 + std::tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
}
inline double silu(double x) { return x / (1 + std::exp(-x)); }

/// `number` is the factor of scale and multiply, and the cap of softcap.
inline activation elementwise(op kind, activation x, const activation* other, double number) {
    for (std::size_t i = 0; i < x.values.size(); ++i) {
        const double value = x.values[i], right = other != nullptr ? other->values[i] : 0;
        double result = 0;
        switch (kind) {
            case op::gelu_tanh: result = gelu_tanh(value); break;
            case op::silu: result = silu(value); break;
            case op::add: result = value + right; break;
            case op::mul: result = value * right; break;
            case op::scale:
            case op::multiply: result = value * number; break;
            case op::softcap: result = number * std::tanh(value / number); break;
            default: throw internal_error{"reference: not elementwise: ", op_name(kind)};
        }
        x.values[i] = static_cast<float>(result);
    }
    return x;
}

}  // namespace g4::reference
