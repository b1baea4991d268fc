// A row launch with random inputs, and what it must leave behind, in plain f64 loops.
#pragma once
#include "codegen/row/config.hpp"
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace g4::testing {

inline float float_of(g4k::bf16_bits bits) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}
inline g4k::bf16_bits bits_of(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    return static_cast<g4k::bf16_bits>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

/// How much wider than their chain the rows of buffers are, how many splits, which rows are taken.
struct row_case_sizes {
    int rows = 1;
    int splits = 1;
    int extra = 0;         // columns in front of the chain, and behind it
    bool indexed = false;  // rows of sources and of the step by index
    bool padded = false;   // the last row of the step has position -1
};

/// Memory of one chain as vectors; what the arguments point to is made of them.
struct row_chain_data {
    std::vector<float> floats[3];           // of sources: f32 and sums
    std::vector<g4k::bf16_bits> halves[3];  // bf16 and table
    std::vector<int> rows[3];
    std::vector<float> vectors[4];
    std::vector<float> rope;
};

/// What a target must hold, how large an error is allowed, and where it lies in its memory.
struct row_expectation {
    double value, allowed;
    std::int64_t at;
};

class row_case {
  public:
    static constexpr int vocabulary = 37, kinds = 2, pages = 24;

    row_case(const g4k::row_config& config, row_case_sizes sizes, unsigned seed = 1)
        : config_{config}, sizes_{sizes}, random_{seed} {
        make_step();
        for (int c = 0; c < config.chain_count; ++c) data_.push_back(make_chain(config.chains[c]));
    }

    const g4k::row_config& config() const { return config_; }
    const row_case_sizes& sizes() const { return sizes_; }
    const row_chain_data& chain(int c) const { return data_[static_cast<std::size_t>(c)]; }
    std::int64_t stride(const g4k::row_chain& chain) const {
        return chain.width * chain.parts + 2 * sizes_.extra;
    }
    std::int64_t split_stride(const g4k::row_chain& c) const { return source_rows() * stride(c); }
    std::int64_t target_elements(const g4k::row_chain& c) const { return sizes_.rows * stride(c); }
    int source_rows() const { return sizes_.indexed ? 2 * sizes_.rows + 1 : sizes_.rows; }
    int step_rows() const { return source_rows(); }

    // Bytes of one layer's piece of a page, and the page: two layers beside each other.
    std::int64_t layer_bytes() const {
        std::int64_t out = 0;
        for (int c = 0; c < config_.chain_count; ++c)
            out = std::max<std::int64_t>(
                out, 4LL * config_.chains[c].parts * config_.page_tokens * config_.chains[c].width);
        return out;
    }
    std::int64_t page_bytes() const { return 2 * layer_bytes(); }
    std::int64_t cache_elements() const { return pages * page_bytes() / 2; }
    g4k::cache_args cache(char* base) const {
        return {base, page_bytes(), layer_bytes(), kinds - 1};
    }

    std::vector<int> step_row_list, token_ids, positions, sequence_of, page_list;
    std::vector<g4k::sequence_entry> sequences;

    /// Of target t of chain c, every element that is written.
    std::vector<row_expectation> expected(int c, int t) const {
        std::vector<row_expectation> out;
        const g4k::row_chain& chain = config_.chains[c];
        for (int row = 0; row < sizes_.rows; ++row)
            for (int part = 0; part < chain.parts; ++part) {
                const auto values = evaluate(c, row, part);
                const g4k::row_target& target = chain.targets[t];
                const std::int64_t first = place_of(chain, target, row, part);
                if (first < 0) continue;
                double greatest = 1;
                for (const auto& one : values)
                    for (const double x : one) greatest = std::max(greatest, std::abs(x));
                const auto& of = values[static_cast<std::size_t>(target.value)];
                for (int i = 0; i < chain.width; ++i) {
                    const double x = of[static_cast<std::size_t>(i)];
                    // Each of a dozen steps rounds to f32, norms add `width` squares and e^x has
                    // 2 ulp: 2^-19 of the greatest value on the way; bf16 halves its last place.
                    double allowed = greatest * std::ldexp(1.0, -19);
                    if (target.kind != g4k::target_kind::f32) allowed += std::abs(x) / 256;
                    out.push_back({x, allowed, first + i});
                }
            }
        return out;
    }

  private:
    float number() { return std::normal_distribution<float>{0, 1}(random_); }
    int below(int limit) { return std::uniform_int_distribution<int>{0, limit - 1}(random_); }

    void make_step() {
        const int rows = step_rows();
        for (int r = 0; r < sizes_.rows && sizes_.indexed; ++r)
            step_row_list.push_back((r * 2 + 1) % rows);
        // Two sequences: the first with half of the rows, far along; its early pages were dropped.
        const int half = rows / 2;
        const int past[2] = {3 * std::max(config_.page_tokens, 1) + 2, 0};
        const int skipped = 2;
        for (int p = 0; p < pages; ++p) page_list.push_back(p);
        std::shuffle(page_list.begin(), page_list.end(), random_);
        for (int s = 0; s < 2; ++s) {
            g4k::sequence_entry entry{};
            entry.first_row = s == 0 ? 0 : half;
            entry.row_count = s == 0 ? half : rows - half;
            entry.past = past[s];
            entry.first_page[kinds - 1] = s == 0 ? 1 : pages / 2;
            entry.skipped[kinds - 1] = s == 0 ? skipped : 0;
            sequences.push_back(entry);
        }
        for (int r = 0; r < rows; ++r) {
            const int s = r < half ? 0 : 1;
            token_ids.push_back(below(vocabulary));
            sequence_of.push_back(s);
            positions.push_back(past[s] + r - (s == 0 ? 0 : half));
        }
        if (sizes_.padded) {
            positions.back() = -1;
            sequence_of.back() = 0;
        }
    }
    row_chain_data make_chain(const g4k::row_chain& chain) {
        row_chain_data out;
        for (int i = 0; i < chain.source_count; ++i) {
            const auto kind = chain.sources[i];
            const std::int64_t rows = kind == g4k::source_kind::table ? vocabulary : source_rows();
            const std::int64_t splits = kind == g4k::source_kind::sums ? sizes_.splits : 1;
            const auto count = static_cast<std::size_t>(splits * rows * stride(chain));
            const bool wide = kind == g4k::source_kind::sums || kind == g4k::source_kind::f32;
            for (std::size_t n = 0; n < count; ++n)
                if (wide) out.floats[i].push_back(number());
                else out.halves[i].push_back(bits_of(number()));
            for (int r = 0; r < sizes_.rows && sizes_.indexed; ++r)
                out.rows[i].push_back((r * 2 + i) % source_rows());
        }
        for (auto& vector : out.vectors)
            for (int n = 0; n < chain.width; ++n) vector.push_back(1 + number() / 4);
        if (!g4k::row_turns(chain)) return out;
        for (int n = 0; n < step_rows() * chain.width / 2; ++n) {
            const float angle = 3 * number();
            out.rope.push_back(std::cos(angle));
            out.rope.push_back(std::sin(angle));
        }
        return out;
    }
    int step_row(int row) const {
        return sizes_.indexed ? step_row_list[static_cast<std::size_t>(row)] : row;
    }

    /// First element of a part in its target; below 0: nothing is written.
    std::int64_t place_of(const g4k::row_chain& chain, const g4k::row_target& target, int row,
                          int part) const {
        if (target.kind < g4k::target_kind::key)
            return row * stride(chain) + sizes_.extra + part * chain.width;
        const auto at = static_cast<std::size_t>(step_row(row));
        if (positions[at] < 0) return -1;
        const auto& sequence = sequences[static_cast<std::size_t>(sequence_of[at])];
        const int tokens = config_.page_tokens, listed = positions[at] / tokens;
        const int page = page_list[static_cast<std::size_t>(sequence.first_page[kinds - 1] +
                                                            listed - sequence.skipped[kinds - 1])];
        const int side = target.kind == g4k::target_kind::value ? 1 : 0;
        return (page * page_bytes() + layer_bytes()) / 2 +
               ((side * chain.parts + part) * std::int64_t{tokens} + positions[at] % tokens) *
                   chain.width;
    }

    std::vector<std::vector<double>> evaluate(int c, int row, int part) const {
        const g4k::row_chain& chain = config_.chains[c];
        std::vector<std::vector<double>> values;
        for (int i = 0; i < chain.source_count; ++i) values.push_back(read(c, i, row, part));
        for (const g4k::step& s : chain.steps) {
            if (s.op == g4k::step_op::end) break;
            values.push_back(apply(c, s, row, values));
        }
        return values;
    }
    std::vector<double> read(int c, int source, int row, int part) const {
        const g4k::row_chain& chain = config_.chains[c];
        const row_chain_data& data = this->chain(c);
        const auto kind = chain.sources[source];
        std::int64_t at = sizes_.indexed ? data.rows[source][static_cast<std::size_t>(row)] : row;
        if (kind == g4k::source_kind::table)
            at = token_ids[static_cast<std::size_t>(step_row(row))];
        std::vector<double> out;
        for (int i = 0; i < chain.width; ++i) {
            const std::int64_t n = at * stride(chain) + sizes_.extra + part * chain.width + i;
            double sum = 0;
            const int splits = kind == g4k::source_kind::sums ? sizes_.splits : 1;
            for (int s = 0; s < splits; ++s) {
                const auto index = static_cast<std::size_t>(s * split_stride(chain) + n);
                sum += data.floats[source].empty() ? float_of(data.halves[source][index])
                                                   : data.floats[source][index];
            }
            out.push_back(sum);
        }
        return out;
    }
    std::vector<double> apply(int c, const g4k::step& s, int row,
                              const std::vector<std::vector<double>>& values) const {
        const auto& x = values[static_cast<std::size_t>(s.left)];
        const auto& y = values[static_cast<std::size_t>(s.right)];
        const row_chain_data& data = chain(c);
        std::vector<double> out = x;
        double squares = 0;
        for (const double e : x) squares += e * e;
        const double factor = 1 / std::sqrt(squares / static_cast<double>(x.size()) + s.number);
        const std::size_t half = x.size() / 2;
        for (std::size_t i = 0; i < x.size(); ++i) {
            const float* angle = nullptr;
            if (s.op == g4k::step_op::rope)
                angle = &data.rope[(static_cast<std::size_t>(step_row(row)) * half + i % half) * 2];
            const double weight = s.vector < 0 ? 1 : data.vectors[s.vector][i];
            switch (s.op) {
                case g4k::step_op::gelu_tanh: {
                    const double inner =
                        std::sqrt(2 / std::acos(-1.0)) * (x[i] + 0.044715 * x[i] * x[i] * x[i]);
                    out[i] = 0.5 * x[i] * (1 + std::tanh(inner));
                    break;
                }
                case g4k::step_op::silu: out[i] = x[i] / (1 + std::exp(-x[i])); break;
                case g4k::step_op::add: out[i] = x[i] + y[i]; break;
                case g4k::step_op::mul: out[i] = x[i] * y[i]; break;
                case g4k::step_op::multiply: out[i] = x[i] * s.number; break;
                case g4k::step_op::scale: out[i] = x[i] * data.vectors[s.vector][0]; break;
                case g4k::step_op::softcap: out[i] = s.number * std::tanh(x[i] / s.number); break;
                case g4k::step_op::rms_norm: out[i] = x[i] * factor * weight; break;
                case g4k::step_op::rope:
                    out[i] = i < half ? x[i] * angle[0] - x[i + half] * angle[1]
                                      : x[i] * angle[0] + x[i - half] * angle[1];
                    break;
                case g4k::step_op::end: break;
            }
        }
        return out;
    }

    g4k::row_config config_;
    row_case_sizes sizes_;
    std::minstd_rand random_;
    std::vector<row_chain_data> data_;
};

}  // namespace g4::testing
