// Reference of operators append and attend: a cache that keeps everything, and plain attention.
#pragma once
#include "g4/backends/reference/linear.hpp"
#include <algorithm>
#include <cmath>

namespace g4::reference {

/// Keys and values of one layer, position by position: [positions, kv_heads * head_dim].
struct cache {
    std::vector<float> keys{}, values{};
};

inline void append(cache& to, const activation& keys, const activation& values) {
    to.keys.insert(to.keys.end(), keys.values.begin(), keys.values.end());
    to.values.insert(to.values.end(), values.values.begin(), values.values.end());
}

struct attend_sizes {
    std::int64_t kv_heads, head_dim, window;  // window 0: everything
    double scale;
};

/// Row t stands at position first + t and sees `window` positions up to its own.
inline activation attend(const activation& query, const cache& past, const attend_sizes& size,
                         std::int64_t first) {
    activation out{query.rows, query.width};
    const std::int64_t heads = query.width / size.head_dim, width = size.kv_heads * size.head_dim;
    const auto d = static_cast<std::size_t>(size.head_dim);
    for (std::int64_t t = 0; t < query.rows; ++t)
        for (std::int64_t head = 0; head < heads; ++head) {
            const std::int64_t last = first + t;
            const std::int64_t begin = size.window == 0 ? 0 : std::max<std::int64_t>(
                                                                  0, last - size.window + 1);
            const std::int64_t kv = head / (heads / size.kv_heads) * size.head_dim;
            const auto q = query.row(t).subspan(static_cast<std::size_t>(head) * d, d);
            const auto part = [&](const std::vector<float>& of, std::int64_t position) {
                return std::span{of}.subspan(static_cast<std::size_t>(position * width + kv), d);
            };
            std::vector<double> scores;
            for (std::int64_t j = begin; j <= last; ++j)
                scores.push_back(size.scale * static_cast<double>(dot(q, part(past.keys, j))));
            const double most = *std::max_element(scores.begin(), scores.end());
            double sum = 0;
            for (double& s : scores) sum += s = std::exp(s - most);
            const auto result = out.row(t).subspan(static_cast<std::size_t>(head) * d, d);
            for (std::int64_t j = begin; j <= last; ++j) {
                const auto share = static_cast<float>(scores[static_cast<std::size_t>(j - begin)] /
                                                      sum);
                const auto v = part(past.values, j);
                for (std::size_t i = 0; i < d; ++i) result[i] += share * v[i];
            }
        }
    return out;
}

}  // namespace g4::reference
