// The scale of a group that changes its weights least, sought among both signs and many sizes.
#pragma once
#include "g4/weights/round_int4.hpp"
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace g4 {

namespace detail {

/// What the whole numbers q of a group say about its scale: the best one for them is wq / qq, and
/// it lowers the error, which is the sum of squares without it, by wq² / qq.
struct int4_fit {
    float wq = 0, qq = 0;
    float gain() const { return qq > 0 ? wq * wq / qq : 0; }
};
/// For a scale of either sign: a negative one turns the range -8..7 into -7..8.
struct int4_fits {
    int4_fit positive, negative;
};

G4_WEIGHTS_INLINE int4_fits fit_int4(weight_group group, float steps_per_unit) {
    eight_floats wq{}, qq{}, wq_turned{}, qq_turned{};
    for (std::size_t i = 0; i < group.size; i += 8) {
        eight_floats w;
        std::memcpy(&w, group.data + i, sizeof w);
        eight_floats both = w * steps_per_unit;
        both = both < -8.0f ? eight_floats{} - 8.0f : both;
        both = both > 8.0f ? eight_floats{} + 8.0f : both;
        both = (both + to_whole) - to_whole;
        const eight_floats q = both > 7.0f ? eight_floats{} + 7.0f : both;
        const eight_floats turned = both < -7.0f ? eight_floats{} - 7.0f : both;
        wq += w * q;
        qq += q * q;
        wq_turned += w * turned;
        qq_turned += turned * turned;
    }
    int4_fits out;
    for (int k = 0; k < 8; ++k) {
        out.positive.wq += wq[k];
        out.positive.qq += qq[k];
        out.negative.wq += wq_turned[k];
        out.negative.qq += qq_turned[k];
    }
    return out;
}

/// How many steps the largest weight may span: fewer waste levels, more cut it off. They lie so
/// close that refining the best of them finds what refining all would (search_int4_test measures).
inline constexpr auto int4_spans = [] {
    std::array<float, 24> spans{};
    float span = 5.0f;
    for (float& each : spans) {
        each = span;
        span *= 1.055f;  // up to 17
    }
    return spans;
}();

/// Fits the scale to the whole numbers and these to the scale, in turns: the error only falls.
G4_WEIGHTS_INLINE float refine_int4(weight_group group, float step, bool negative) {
    for (int turn = 0; turn < 4; ++turn) {
        const int4_fits fits = fit_int4(group, 1.0f / step);
        const int4_fit& fit = negative ? fits.negative : fits.positive;
        const float next = fit.qq > 0 ? fit.wq / fit.qq : 0;
        if (!(next > 0) || next == step) break;
        step = next;
    }
    return negative ? -step : step;
}

}  // namespace detail

/// The scale with the least sum of squares of what rounding changes, as far as the search finds it:
/// exactly measured as it is stored, never worse than plain_int4_scale, and that one when none is
/// better. Each processor finds the same.
///   group   finite, below int4_weight_limit
/// Cost:     about 56 roundings of the group.
G4_WEIGHTS_INLINE std::uint16_t searched_int4_scale(weight_group group) {
    std::uint16_t best = plain_int4_scale(group);
    double least = int4_error(group, best);
    const float eighth = f16_to_float(best), largest = 8 * (eighth < 0 ? -eighth : eighth);
    if (least == 0 || (best & 0x7fffu) == least_int4_scale) return best;
    float gain[2]{}, start[2]{};
    for (const float span : detail::int4_spans) {
        const detail::int4_fits fits = detail::fit_int4(group, span / largest);
        for (const int sign : {0, 1}) {
            const float got = (sign == 0 ? fits.positive : fits.negative).gain();
            if (!(got > gain[sign])) continue;
            gain[sign] = got;
            start[sign] = largest / span;
        }
    }
    for (const int sign : {0, 1}) {
        if (!(start[sign] > 0)) continue;
        const std::uint16_t scale =
            detail::int4_scale(detail::refine_int4(group, start[sign], sign == 1));
        const double error = int4_error(group, scale);
        if (!(error < least)) continue;
        least = error;
        best = scale;
    }
    return best;
}

}  // namespace g4
