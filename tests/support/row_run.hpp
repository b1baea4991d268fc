// A row case put into memory, the emulator's or a device's, and what is wrong with what came out.
#pragma once
#include "tests/support/row_case.hpp"
#include <algorithm>
#include <vector>

namespace g4::testing {

/// Memory: put(vector) and poisoned<T>(count) give addresses as kernels see them, get(address,
/// count) what lies there.
template <class Memory> class row_run {
  public:
    row_run(const row_case& from, Memory& memory) : case_{from}, memory_{memory} {
        args_.rows = from.sizes().rows;
        args_.step_rows = put(from.step_row_list);
        args_.tables = {put(from.token_ids), put(from.positions), put(from.sequence_of),
                        memory.put(from.sequences), put(from.page_list)};
        cache_ = memory.template poisoned<g4k::bf16_bits>(cache_size());
        for (int c = 0; c < from.config().chain_count; ++c) add_chain(c);
    }
    const g4k::row_args& args() const { return args_; }

    /// Elements that are wrong, among them the ones that should not have been written.
    std::int64_t wrong() const {
        std::int64_t out = 0;
        const auto cache = memory_.get(cache_, cache_size());
        std::vector<row_expectation> in_cache;
        for (int c = 0; c < case_.config().chain_count; ++c)
            for (int t = 0; t < case_.config().chains[c].target_count; ++t) {
                const auto kind = case_.config().chains[c].targets[t].kind;
                const auto expected = case_.expected(c, t);
                if (kind == g4k::target_kind::f32) out += wrong_in(written<float>(c, t), expected);
                else if (kind == g4k::target_kind::bf16)
                    out += wrong_in(written<g4k::bf16_bits>(c, t), expected);
                else in_cache.insert(in_cache.end(), expected.begin(), expected.end());
            }
        return out + wrong_in(cache, in_cache);
    }

    /// The bits of target t of chain c: two runs must agree in all.
    template <class T> std::vector<T> written(int c, int t) const {
        const auto count =
            static_cast<std::size_t>(case_.target_elements(case_.config().chains[c]));
        return memory_.get(static_cast<const T*>(begin_[c][t]), count);
    }

  private:
    std::size_t cache_size() const { return static_cast<std::size_t>(case_.cache_elements()); }
    template <class T> const T* put(const std::vector<T>& from) {
        return from.empty() ? nullptr : memory_.put(from);
    }
    void add_chain(int c) {
        const g4k::row_chain& chain = case_.config().chains[c];
        const row_chain_data& data = case_.chain(c);
        g4k::row_chain_args& args = args_.chains[c];
        const int extra = case_.sizes().extra;
        for (int i = 0; i < chain.source_count; ++i) {
            const void* at = data.floats[i].empty()
                                 ? static_cast<const void*>(put(data.halves[i]) + extra)
                                 : put(data.floats[i]) + extra;
            args.sources[i] = {at, case_.stride(chain), case_.split_stride(chain),
                               case_.sizes().splits, put(data.rows[i])};
        }
        for (int v = 0; v < 4; ++v) args.vectors[v] = put(data.vectors[v]);
        args.rope = put(data.rope);
        const auto count = static_cast<std::size_t>(case_.target_elements(chain));
        for (int t = 0; t < chain.target_count; ++t) {
            args.targets[t].stride = case_.stride(chain);
            args.targets[t].cache = case_.cache(reinterpret_cast<char*>(cache_));
            if (chain.targets[t].kind == g4k::target_kind::f32) {
                float* begin = memory_.template poisoned<float>(count);
                begin_[c][t] = begin;
                args.targets[t].data = begin + extra;
            } else if (chain.targets[t].kind == g4k::target_kind::bf16) {
                auto* begin = memory_.template poisoned<g4k::bf16_bits>(count);
                begin_[c][t] = begin;
                args.targets[t].data = begin + extra;
            }
        }
    }
    static double value_of(float x) { return x; }
    static double value_of(g4k::bf16_bits x) { return float_of(x); }
    template <class T>
    static std::int64_t wrong_in(const std::vector<T>& got,
                                 const std::vector<row_expectation>& expected) {
        std::int64_t out = 0;
        std::vector<bool> meant(got.size());
        for (const auto& e : expected) {
            const auto at = static_cast<std::size_t>(e.at);
            meant[at] = true;
            out += std::abs(value_of(got[at]) - e.value) <= e.allowed ? 0 : 1;
        }
        for (std::size_t i = 0; i < got.size(); ++i)  // poison is NaN
            out += !meant[i] && value_of(got[i]) == value_of(got[i]) ? 1 : 0;
        return out;
    }

    const row_case& case_;
    Memory& memory_;
    g4k::row_args args_{};
    g4k::bf16_bits* cache_ = nullptr;
    const void* begin_[g4k::max_row_chains][3]{};
};

}  // namespace g4::testing
