// Reference of operator linear.
#pragma once
#include "g4/backends/reference/activation.hpp"
#include "g4/backends/reference/weight_row.hpp"
#include <array>
#include <thread>

namespace g4::reference {

/// Sum of products in f32: sixteen partial sums, then those in order.
inline float dot(std::span<const float> a, std::span<const float> b) {
    std::array<float, 16> partial{};
    std::size_t i = 0;
    for (; i + 16 <= a.size(); i += 16)
        for (std::size_t k = 0; k < 16; ++k) partial[k] += a[i + k] * b[i + k];
    float sum = 0;
    for (const float p : partial) sum += p;
    for (; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
}

/// y = x · wᵀ: each row of the weight is made f32 once and meets every row of x.
inline activation linear(const activation& x, const weight& w, unsigned threads) {
    activation out{x.rows, w.rows};
    const auto some_rows = [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> row(static_cast<std::size_t>(w.columns));
        for (std::int64_t r = begin; r < end; ++r) {
            read_row(w, r, row);
            for (std::int64_t t = 0; t < x.rows; ++t)
                out.row(t)[static_cast<std::size_t>(r)] = dot(x.row(t), row);
        }
    };
    if (threads < 2 || w.rows * w.columns < 1 << 20) {
        some_rows(0, w.rows);
        return out;
    }
    std::vector<std::thread> workers;
    for (unsigned i = 0; i < threads; ++i)
        workers.emplace_back(some_rows, w.rows * i / threads, w.rows * (i + 1) / threads);
    for (std::thread& worker : workers) worker.join();
    return out;
}

}  // namespace g4::reference
