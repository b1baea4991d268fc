// What a node of the reference back end computes: rows of floats.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace g4::reference {

/// [rows, width], row behind row, in f32.
struct activation {
    std::int64_t rows = 0, width = 0;
    std::vector<float> values{};

    activation() = default;
    activation(std::int64_t row_count, std::int64_t row_width)
        : rows{row_count}, width{row_width},
          values(static_cast<std::size_t>(row_count * row_width)) {}
    std::span<float> row(std::int64_t r) {
        return std::span{values}.subspan(static_cast<std::size_t>(r * width),
                                         static_cast<std::size_t>(width));
    }
    std::span<const float> row(std::int64_t r) const {
        return std::span{values}.subspan(static_cast<std::size_t>(r * width),
                                         static_cast<std::size_t>(width));
    }
};

}  // namespace g4::reference
