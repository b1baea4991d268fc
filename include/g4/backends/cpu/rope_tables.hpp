// Cosines and sines of a step's rows: once a step, for all layers that turn alike.
#pragma once
#include "g4/backends/cpu/stage_pass.hpp"
#include "g4/backends/cpu/thread_pool.hpp"
#include "g4/graph/bound_rope.hpp"
#include <cmath>
#include <span>
#include <vector>

namespace g4::cpu {

/// One table for each rope of the plan.
class rope_tables {
  public:
    /// While passes are built.
    rope_use use(const bound_rope& rope) {
        for (std::size_t i = 0; i < tables_.size(); ++i)
            if (tables_[i].rope == rope) return {static_cast<std::int32_t>(i), rope.turning()};
        tables_.push_back({rope, rope.turning(), rope.frequencies(), {}});
        return {static_cast<std::int32_t>(tables_.size() - 1), rope.turning()};
    }
    void reserve(std::int32_t rows) {
        for (table& t : tables_) t.values.resize(static_cast<std::size_t>(rows * 2 * t.turning));
    }
    std::size_t bytes() const {
        std::size_t out = 0;
        for (const table& t : tables_) out += t.values.size() * sizeof(float);
        return out;
    }

    void fill(std::span<const std::int32_t> positions, thread_pool& pool) {
        const auto rows = static_cast<std::int64_t>(positions.size());
        pool.for_ranges(rows, 16, [&](std::int64_t begin, std::int64_t end, int) {
            for (table& t : tables_)
                for (std::int64_t row = begin; row < end; ++row) {
                    float* to = t.values.data() + row * 2 * t.turning;
                    const float position =
                        static_cast<float>(positions[static_cast<std::size_t>(row)]);
                    for (std::int64_t m = 0; m < t.turning; ++m) {
                        const float angle = position * t.frequencies[static_cast<std::size_t>(m)];
                        to[m] = std::cos(angle);
                        to[t.turning + m] = std::sin(angle);
                    }
                }
        });
    }
    const float* cosines(const rope_use& use, std::int64_t row) const {
        const table& t = tables_[static_cast<std::size_t>(use.table)];
        return t.values.data() + row * 2 * t.turning;
    }

  private:
    struct table {
        bound_rope rope;
        std::int64_t turning;
        std::vector<float> frequencies, values;  // values [row][cosines, sines]
    };
    std::vector<table> tables_;
};

}  // namespace g4::cpu
