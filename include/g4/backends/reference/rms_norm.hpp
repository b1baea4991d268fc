// Reference of operator rms_norm.
#pragma once
#include "g4/backends/reference/activation.hpp"
#include <cmath>

namespace g4::reference {

/// Each `part` elements of a row divided by their root mean square; `weight` [part], to
/// which `added` comes, or empty.
inline activation rms_norm(const activation& x, std::int64_t part, double epsilon,
                           std::span<const float> weight, double added) {
    activation out = x;
    const auto size = static_cast<std::size_t>(part);
    for (std::size_t at = 0; at < out.values.size(); at += size) {
        double squares = 0;
        for (std::size_t i = 0; i < size; ++i)
            squares += static_cast<double>(out.values[at + i]) * out.values[at + i];
        const double factor = 1 / std::sqrt(squares / static_cast<double>(part) + epsilon);
        for (std::size_t i = 0; i < size; ++i)
            out.values[at + i] = static_cast<float>(
                out.values[at + i] * factor * (weight.empty() ? 1.0 : weight[i] + added));
    }
    return out;
}

}  // namespace g4::reference
