// Reference of operator rope.
#pragma once
#include "g4/backends/reference/activation.hpp"
#include <cmath>

namespace g4::reference {

/// Row t stands at position first + t. Pairs (m, m + head_dim/2) turn by position · f_m, where
/// f_m = theta^(-2m/head_dim) / factor for the first `rotary` share of the pairs, else 0.
inline activation rope(const activation& x, std::int64_t head_dim, double theta, double rotary,
                       double factor, std::int64_t first) {
    activation out = x;
    const std::int64_t half = head_dim / 2;
    const auto turning = static_cast<std::int64_t>(rotary * static_cast<double>(head_dim)) / 2;
    for (std::int64_t t = 0; t < x.rows; ++t)
        for (std::int64_t head = 0; head < x.width; head += head_dim)
            for (std::int64_t m = 0; m < turning; ++m) {
                // the angle in f32 from an f32 frequency, as the source does
                const auto frequency = static_cast<float>(
                    1 / std::pow(theta, static_cast<double>(2 * m) /
                                            static_cast<double>(head_dim)) / factor);
                const float angle = static_cast<float>(first + t) * frequency;
                float& a = out.row(t)[static_cast<std::size_t>(head + m)];
                float& b = out.row(t)[static_cast<std::size_t>(head + m + half)];
                const float cosine = std::cos(angle), sine = std::sin(angle), old = a;
                a = old * cosine - b * sine;
                b = b * cosine + old * sine;
            }
    return out;
}

}  // namespace g4::reference
