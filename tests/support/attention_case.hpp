// A step for attention kernels: sequences with random queries, keys and values in scattered pages,
// and what plain f64 loops make of them.
#pragma once
#include "codegen/attention/config.hpp"
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

namespace g4::testing {

inline float bf16_value(std::uint16_t bits) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}
inline std::uint16_t bf16_bits_of(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

struct sequence_size {
    int past, rows;
};

/// Of two layers in a page the second is read, of two cache kinds the second. What no query may see
/// is NaN: other layers, free pages, positions not yet written.
struct attention_case {
    g4k::attention_config config;
    int rows = 0;                        // of the step
    std::vector<std::uint16_t> queries;  // [rows][q_stride]
    std::vector<int> positions, sequence_of, pages;
    std::vector<g4k::sequence_entry> sequences;
    std::vector<std::uint16_t> cache;

    static constexpr int kind = 1;
    long long q_stride() const { return config.q_heads * config.head_dim + 8; }
    long long layer_elements() const {
        return 2LL * config.kv_heads * config.page_tokens * config.head_dim;
    }
    long long page_bytes() const { return layer_elements() * 2 * 2; }

    /// `padded` rows at the end belong to no position.
    attention_case(const g4k::attention_config& of, const std::vector<sequence_size>& sizes,
                   int padded, unsigned seed)
        : config{of}, random_{seed} {
        for (const sequence_size& s : sizes) add(s);
        for (int i = 0; i < padded; ++i) {
            positions.push_back(-1);
            sequence_of.push_back(0);
        }
        rows = static_cast<int>(positions.size());
        queries.assign(static_cast<std::size_t>(rows * q_stride()), 0x7fff);
        for (int r = 0; r < rows; ++r)
            for (int i = 0; i < config.q_heads * config.head_dim; ++i)
                queries[static_cast<std::size_t>(r * q_stride() + i)] = draw();
        place_pages(sizes);
    }

    /// Where the key of a position lies in the cache, in elements.
    long long key_place(int sequence, int kv_head, int position) const {
        const g4k::sequence_entry& s = sequences[static_cast<std::size_t>(sequence)];
        const int page = pages[static_cast<std::size_t>(
            s.first_page[kind] + position / config.page_tokens - s.skipped[kind])];
        return page * page_bytes() / 2 + layer_elements() +
               (static_cast<long long>(kv_head) * config.page_tokens +
                position % config.page_tokens) *
                   config.head_dim;
    }

    int first_seen(int position) const {
        return config.window > 0 ? std::max(0, position - config.window + 1) : 0;
    }

    /// One head of one row: [head_dim]; zeros for a padded row.
    std::vector<double> expected(int row, int head) const {
        std::vector<double> out(static_cast<std::size_t>(config.head_dim));
        const int position = positions[static_cast<std::size_t>(row)];
        if (position < 0) return out;
        const int kv_head = head / (config.q_heads / config.kv_heads);
        const int sequence = sequence_of[static_cast<std::size_t>(row)];
        const std::uint16_t* q = queries.data() + row * q_stride() + head * config.head_dim;
        std::vector<double> scores;
        for (int p = first_seen(position); p <= position; ++p) {
            const std::uint16_t* key = cache.data() + key_place(sequence, kv_head, p);
            double sum = 0;
            for (int d = 0; d < config.head_dim; ++d)
                sum += static_cast<double>(bf16_value(q[d])) * bf16_value(key[d]);
            scores.push_back(sum * config.scale);
        }
        const double peak = *std::ranges::max_element(scores);
        double total = 0;
        for (double& score : scores) total += score = std::exp(score - peak);
        for (std::size_t i = 0; i < scores.size(); ++i) {
            const std::uint16_t* value =
                cache.data() +
                key_place(sequence, kv_head, first_seen(position) + static_cast<int>(i)) +
                layer_elements() / 2;
            for (int d = 0; d < config.head_dim; ++d)
                out[static_cast<std::size_t>(d)] += scores[i] / total * bf16_value(value[d]);
        }
        return out;
    }

  private:
    std::uint16_t draw() { return bf16_bits_of(normal_(random_)); }

    void add(const sequence_size& s) {
        g4k::sequence_entry entry{};
        entry.first_row = static_cast<int>(positions.size());
        entry.row_count = s.rows;
        entry.past = s.past;
        for (int i = 0; i < s.rows; ++i) {
            positions.push_back(s.past + i);
            sequence_of.push_back(static_cast<int>(sequences.size()));
        }
        sequences.push_back(entry);
    }
    void place_pages(const std::vector<sequence_size>& sizes) {
        std::vector<int> counts;
        for (std::size_t i = 0; i < sizes.size(); ++i) {
            const int last = sizes[i].past + sizes[i].rows - 1;
            sequences[i].skipped[kind] = first_seen(sizes[i].past) / config.page_tokens;
            counts.push_back(last / config.page_tokens + 1 - sequences[i].skipped[kind]);
        }
        const int used = std::accumulate(counts.begin(), counts.end(), 0), free = 3;
        std::vector<int> order(static_cast<std::size_t>(used + free));
        std::iota(order.begin(), order.end(), 0);
        std::ranges::shuffle(order, random_);
        cache.assign(static_cast<std::size_t>((used + free) * page_bytes() / 2), 0x7fff);
        pages.assign(2, -1);  // of another kind
        for (std::size_t i = 0, next = 0; i < sizes.size(); ++i) {
            sequences[i].first_page[kind] = static_cast<int>(pages.size());
            for (int n = 0; n < counts[i]; ++n) pages.push_back(order[next++]);
            fill(static_cast<int>(i), sizes[i]);
        }
    }
    void fill(int sequence, const sequence_size& size) {
        for (int head = 0; head < config.kv_heads; ++head)
            for (int p = first_seen(size.past); p < size.past + size.rows; ++p) {
                const auto key = static_cast<std::size_t>(key_place(sequence, head, p));
                const auto value = key + static_cast<std::size_t>(layer_elements() / 2);
                for (std::size_t d = 0; d < static_cast<std::size_t>(config.head_dim); ++d) {
                    cache[key + d] = draw();
                    cache[value + d] = draw();
                }
            }
    }

    std::mt19937 random_;
    std::normal_distribution<float> normal_{0, 1};
};

/// The greatest error over what rounding allows: scores here are no larger than 8; P in bf16, 2^-9
/// of each product, values up to 5; the result in bf16, 2^-9 of it. Sums in f32 and exp2 are far
/// below. With `checks`, of so many heads of random rows, those of the first and last row too.
///   out  [rows][stride]
inline double worst_error(const attention_case& of, const std::uint16_t* out, long long stride,
                          int checks = 0) {
    double worst = 0;
    const auto look = [&](int row, int head) {
        const std::vector<double> expected = of.expected(row, head);
        for (int d = 0; d < of.config.head_dim; ++d) {
            const double want = expected[static_cast<std::size_t>(d)];
            const double got = bf16_value(out[row * stride + head * of.config.head_dim + d]);
            const double error = std::abs(got - want) / (5 * 0x1p-8 + std::abs(want) * 0x1p-8);
            if (!(error <= worst)) worst = error;
        }
    };
    if (checks == 0)
        for (int row = 0; row < of.rows; ++row)
            for (int head = 0; head < of.config.q_heads; ++head) look(row, head);
    std::mt19937 random{3};
    for (int i = 0; i < checks; ++i) {
        const auto row = i == 0   ? 0
                         : i == 1 ? of.rows - 1
                                  : static_cast<int>(random() % static_cast<unsigned>(of.rows));
        look(row, static_cast<int>(random() % static_cast<unsigned>(of.config.q_heads)));
    }
    return worst;
}

}  // namespace g4::testing
