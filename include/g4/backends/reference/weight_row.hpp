// One row of a weight as floats, exactly what the stored form stands for.
#pragma once
#include "g4/core/error.hpp"
#include "g4/gate/weights.hpp"
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace g4::reference {

/// The weight of that name. Errors: internal_error when the table lacks it.
inline const weight& find_weight(const weight_table& weights, const std::string& name) {
    const auto found = weights.find(name);
    if (found == weights.end()) throw internal_error{"reference: no weight ", name};
    return found->second;
}

/// Row `row` of `w` as floats: out [w.columns].
inline void read_row(const weight& w, std::int64_t row, std::span<float> out) {
    if (w.stored == weight::form::plain) {
        for (std::int64_t c = 0; c < w.columns; ++c)
            out[static_cast<std::size_t>(c)] =
                element_to_float(w.data, w.type, static_cast<std::size_t>(row * w.columns + c));
        return;
    }
    for (std::int64_t c = 0; c < w.columns; ++c) {
        std::uint32_t packed;
        std::memcpy(&packed, w.data + 4 * (c / 8 * w.rows + row), sizeof packed);
        const float scale =
            element_to_float(w.scales, w.scale_type,
                             static_cast<std::size_t>(c / w.group * w.rows + row));
        const int nibble = static_cast<int>(packed >> 4 * (c % 8) & 15u);
        out[static_cast<std::size_t>(c)] = scale * static_cast<float>(nibble - 8);
    }
}

/// A weight of one column, or of one element, as floats.
inline std::vector<float> read_vector(const weight& w) {
    std::vector<float> out(static_cast<std::size_t>(w.rows * w.columns));
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = element_to_float(w.data, w.type, i);
    return out;
}

}  // namespace g4::reference
