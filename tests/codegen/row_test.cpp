// Row kernels in the emulator against plain f64 loops: the chains of real models at small sizes.
#include "tests/support/simt.hpp"

#include "codegen/row/row.cuh"
#include "g4/backends/cuda/row.hpp"
#include "tests/support/row_case.hpp"
#include "tests/support/row_configs.hpp"
#include <doctest/doctest.h>
#include <list>
#include <string>

namespace {

using namespace g4::testing;
using g4k::simt::buffer;

/// The case in buffers that notice what is touched outside of them.
class emulated_row {
  public:
    explicit emulated_row(const row_case& from) : case_{from} {
        args_.rows = from.sizes().rows;
        args_.step_rows = ints(from.step_row_list);
        args_.tables = {ints(from.token_ids), ints(from.positions), ints(from.sequence_of),
                        sequences_.emplace_back(from.sequences).data(), ints(from.page_list)};
        for (int c = 0; c < from.config().chain_count; ++c) add_chain(c);
    }
    const g4k::row_args& args() const { return args_; }

    /// Elements that are wrong, among them the ones that should not have been written.
    int wrong() const {
        int out = 0;
        std::vector<bool> cache_written(cache_.size());
        for (int c = 0; c < case_.config().chain_count; ++c)
            for (int t = 0; t < case_.config().chains[c].target_count; ++t) {
                const auto kind = case_.config().chains[c].targets[t].kind;
                const auto expected = case_.expected(c, t);
                if (kind == target_kind::f32) out += wrong_in(*floats_of_[c][t], expected);
                else if (kind == target_kind::bf16) out += wrong_in(*halves_of_[c][t], expected);
                else out += wrong_in_cache(expected, cache_written);
            }
        for (std::size_t i = 0; i < cache_.size(); ++i)
            out += !cache_written[i] && cache_[i] != 0xffff ? 1 : 0;
        return out;
    }

  private:
    const int* ints(const std::vector<int>& from) {
        return from.empty() ? nullptr : ints_.emplace_back(from).data();
    }
    const float* floats(const std::vector<float>& from) {
        return from.empty() ? nullptr : floats_.emplace_back(from).data();
    }
    void add_chain(int c) {
        const row_chain& chain = case_.config().chains[c];
        const row_chain_data& data = case_.chain(c);
        g4k::row_chain_args& args = args_.chains[c];
        const int extra = case_.sizes().extra;
        for (int i = 0; i < chain.source_count; ++i) {
            const bool wide = !data.floats[i].empty();
            const void* at = wide ? static_cast<const void*>(floats(data.floats[i]) + extra)
                                  : halves_.emplace_back(data.halves[i]).data() + extra;
            args.sources[i] = {at, case_.stride(chain), case_.split_stride(chain),
                               case_.sizes().splits, ints(data.rows[i])};
        }
        for (int v = 0; v < 4; ++v) args.vectors[v] = floats(data.vectors[v]);
        args.rope = floats(data.rope);
        const auto count = static_cast<std::size_t>(case_.target_elements(chain));
        for (int t = 0; t < chain.target_count; ++t) {
            args.targets[t].stride = case_.stride(chain);
            args.targets[t].cache = case_.cache(reinterpret_cast<char*>(cache_.data()));
            if (chain.targets[t].kind == target_kind::f32) {
                floats_of_[c][t] = &floats_.emplace_back(count);
                args.targets[t].data = floats_of_[c][t]->data() + extra;
            } else if (chain.targets[t].kind == target_kind::bf16) {
                halves_of_[c][t] = &halves_.emplace_back(count);
                args.targets[t].data = halves_of_[c][t]->data() + extra;
            }
        }
    }
    static int wrong_in(const buffer<float>& got, const std::vector<row_expectation>& expected) {
        int out = 0;
        for (const auto& e : expected)
            out += !(std::abs(got[static_cast<std::size_t>(e.at)] - e.value) <= e.allowed) ? 1 : 0;
        return out + count_written(got, expected.size());
    }
    static int wrong_in(const buffer<g4k::bf16_bits>& got,
                        const std::vector<row_expectation>& expected) {
        int out = 0;
        for (const auto& e : expected) out += wrong_at(got, e);
        return out + count_written(got, expected.size());
    }
    static int wrong_at(const buffer<g4k::bf16_bits>& got, const row_expectation& e) {
        const double value = float_of(got[static_cast<std::size_t>(e.at)]);
        return !(std::abs(value - e.value) <= e.allowed) ? 1 : 0;
    }
    int wrong_in_cache(const std::vector<row_expectation>& expected,
                       std::vector<bool>& written) const {
        int out = 0;
        for (const auto& e : expected) {
            written[static_cast<std::size_t>(e.at)] = true;
            out += wrong_at(cache_, e);
        }
        return out;
    }
    template <class T> static int count_written(const buffer<T>& got, std::size_t expected) {
        const auto written = std::count_if(got.begin(), got.end(), [](T x) { return x == x; });
        if constexpr (sizeof(T) == 2) {
            return static_cast<std::size_t>(std::count(
                       got.begin(), got.end(), static_cast<T>(0xffff))) == got.size() - expected
                       ? 0
                       : 1;
        } else {
            return static_cast<std::size_t>(written) == expected ? 0 : 1;
        }
    }

    const row_case& case_;
    g4k::row_args args_{};
    std::list<buffer<int>> ints_;
    std::list<buffer<float>> floats_;
    std::list<buffer<g4k::bf16_bits>> halves_;
    std::list<buffer<g4k::sequence_entry>> sequences_;
    buffer<g4k::bf16_bits> cache_ =
        buffer<g4k::bf16_bits>(static_cast<std::size_t>(case_.cache_elements()));
    const buffer<float>* floats_of_[4][3]{};
    const buffer<g4k::bf16_bits>* halves_of_[4][3]{};
};

template <const row_config& Config> int wrong(const row_case_sizes& sizes) {
    const row_case one{Config, sizes};
    const emulated_row row{one};
    g4k::simt::launch(g4::cuda::row_shape(Config, sizes.rows),
                      [&] { g4k::row<Config>(row.args()); });
    return row.wrong();
}

constexpr row_config small_block = residual_and_norm(256), odd_block = residual_and_norm(70),
                     wide_block = residual_and_norm(1056), uneven_block = layer_end(1034),
                     widest_block = residual_and_norm(8200), embed = embedding(96),
                     inputs = layer_inputs(32, 5), local_heads = heads(64, 4, 2, 8),
                     global_heads = heads(256, 2, 1, 16), odd_heads = heads(18, 3, 3, 4),
                     all_steps = everything(48, 2), all_steps_odd = everything(7, 3),
                     all_steps_wide = everything(640, 1);

}  // namespace

TEST_CASE("row: norm, residual and norm agree with f64 at every width and team") {
    CHECK(wrong<small_block>({.rows = 3, .splits = 5}) == 0);
    CHECK(wrong<odd_block>({.rows = 2, .splits = 2}) == 0);
    CHECK(wrong<wide_block>({.rows = 2, .splits = 9}) == 0);
    CHECK(wrong<uneven_block>({.rows = 2, .splits = 3}) == 0);
    CHECK(wrong<widest_block>({.rows = 1, .splits = 2}) == 0);
}

TEST_CASE("row: rows by index, and chains that lie anywhere in their rows") {
    for (const int extra : {0, 8, 3})
        for (const bool indexed : {false, true}) {
            CAPTURE(extra);
            CHECK(wrong<small_block>(
                      {.rows = 5, .splits = 2, .extra = extra, .indexed = indexed}) == 0);
            CHECK(wrong<wide_block>({.rows = 2, .extra = extra, .indexed = indexed}) == 0);
            CHECK(wrong<all_steps>({.rows = 3, .extra = extra, .indexed = indexed}) == 0);
        }
}

TEST_CASE("row: the embedding's row is that of the resolved token") {
    CHECK(wrong<embed>({.rows = 4}) == 0);
    CHECK(wrong<embed>({.rows = 4, .indexed = true}) == 0);
    CHECK(wrong<inputs>({.rows = 3, .splits = 2}) == 0);
}

TEST_CASE("row: queries turn, keys and values reach their page, padded rows reach none") {
    for (const bool padded : {false, true}) {
        CHECK(wrong<local_heads>({.rows = 5, .splits = 3, .padded = padded}) == 0);
        CHECK(wrong<global_heads>({.rows = 3, .indexed = true, .padded = padded}) == 0);
        CHECK(wrong<odd_heads>({.rows = 9, .extra = 1, .padded = padded}) == 0);
    }
}

TEST_CASE("row: every step, source and target agrees with f64") {
    CHECK(wrong<all_steps>({.rows = 4, .splits = 6}) == 0);
    CHECK(wrong<all_steps_odd>({.rows = 3, .splits = 2}) == 0);
    CHECK(wrong<all_steps_wide>({.rows = 2, .splits = 2}) == 0);
}

TEST_CASE("row: teams take several parts each once there are many") {
    CHECK(g4k::row_items_each(2 * 16384, 32) == 2);
    static constexpr row_config tiny = residual_and_norm(2);
    CHECK(wrong<tiny>({.rows = 2 * 16384 + 5}) == 0);
}

TEST_CASE("row: the kernel is named by what it does, and its text holds the config") {
    const auto request = g4::cuda::row_request(heads(256, 8, 2, 64));
    CHECK(request.name == "g4_row_norm_rope_and_norm_rope_key_and_norm_value");
    CHECK(request.text.find("constexpr row_config config{.chain_count = 3, .chains = {{.width = "
                            "256, .parts = 8,") != std::string::npos);
    CHECK(g4::cuda::row_request(embedding(2560)).name == "g4_row_embed_by_norm");
    CHECK(g4::cuda::row_shape(residual_and_norm(2560), 3).grid_x == 3);
    CHECK(g4::cuda::row_shape(residual_and_norm(2560), 3).threads == 320);
}

TEST_CASE("row: what no kernel takes is refused in words") {
    row_config config = residual_and_norm(20000);
    CHECK(g4::cuda::row_refuses(config) == "row: expected parts of 1 to 16384 elements, got 20000");
    config = heads(63, 1, 1, 16);
    CHECK(g4::cuda::row_refuses(config) ==
          "row: expected an even part where it turns, got 63 elements");
    config = heads(64, 1, 1, 0);
    CHECK(g4::cuda::row_refuses(config) ==
          "row: expected page_tokens of a chain that appends, got 0");
    CHECK_THROWS_AS(g4::cuda::row_request(row_config{}), g4::input_error);
}
