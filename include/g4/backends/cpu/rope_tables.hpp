// Cosines and sines of a step's rows: once a step, for all layers that turn alike.
#pragma once
#include "g4/backends/cpu/stage_pass.hpp"
#include "g4/backends/cpu/thread_pool.hpp"
#include <cmath>
#include <span>
#include <vector>

namespace g4::cpu {

/// One table for each theta, share that turns, and head size of the plan.
class rope_tables {
  public:
    /// While passes are built.
    rope_use use(double theta, double rotary, std::int64_t head_dim) {
        const std::int64_t turning =
            static_cast<std::int64_t>(rotary * static_cast<double>(head_dim)) / 2;
        for (std::size_t i = 0; i < tables_.size(); ++i)
            if (tables_[i].theta == theta && tables_[i].rotary == rotary &&
                tables_[i].head_dim == head_dim)
                return {static_cast<std::int32_t>(i), turning};
        table made{theta, rotary, head_dim, turning, {}, {}};
        // In f32 from an f32 exponent, as the models' sources compute it.
        for (std::int64_t m = 0; m < turning; ++m) {
            const double share = static_cast<double>(2 * m) / static_cast<double>(head_dim);
            made.frequencies.push_back(static_cast<float>(1 / std::pow(theta, share)));
        }
        tables_.push_back(std::move(made));
        return {static_cast<std::int32_t>(tables_.size() - 1), turning};
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
        double theta, rotary;
        std::int64_t head_dim, turning;
        std::vector<float> frequencies, values;  // values [row][cosines, sines]
    };
    std::vector<table> tables_;
};

}  // namespace g4::cpu
