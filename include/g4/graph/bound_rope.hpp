// The numbers of a rope once it is bound, and the frequencies that they stand for.
#pragma once
#include "g4/graph/bind.hpp"
#include <algorithm>
#include <cmath>
#include <vector>

namespace g4 {

/// See rope_spec.
struct bound_rope {
    double theta = 0, rotary = 1, factor = 1;
    std::int64_t head_dim = 0;
    friend bool operator==(const bound_rope&, const bound_rope&) = default;

    /// Pairs of a head that turn: the first ones.
    std::int64_t turning() const {
        return std::min(static_cast<std::int64_t>(rotary * static_cast<double>(head_dim)) / 2,
                        head_dim / 2);
    }
    /// The angle per position of each pair of a head, in f32 as the models' sources have it: the
    /// power from f64, then the division. Zero for pairs that stand still.
    std::vector<float> frequencies() const {
        std::vector<float> out(static_cast<std::size_t>(head_dim / 2), 0.0f);
        for (std::int64_t m = 0; m < turning(); ++m) {
            const double share = static_cast<double>(2 * m) / static_cast<double>(head_dim);
            out[static_cast<std::size_t>(m)] =
                static_cast<float>(1 / std::pow(theta, share)) / static_cast<float>(factor);
        }
        return out;
    }
};

/// Of a rope node.
inline bound_rope rope_of(const node& n, const bound_values& values) {
    return {number_of(n.attributes[0], values), number_of(n.attributes[1], values),
            number_of(n.attributes[2], values),
            static_cast<std::int64_t>(values.of[n.result.axes[n.result.rank - 1]])};
}

}  // namespace g4
