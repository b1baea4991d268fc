// Row kernels in the emulator against plain f64 loops: the chains of real models at small sizes.
#include "tests/support/simt.hpp"

#include "codegen/row/row.cuh"
#include "g4/backends/cuda/row.hpp"
#include "tests/support/row_configs.hpp"
#include "tests/support/row_run.hpp"
#include <doctest/doctest.h>
#include <list>
#include <string>
#include <vector>

namespace {

using namespace g4::testing;

/// Buffers that notice what is touched outside of them.
class emulated_memory {
  public:
    template <class T> T* put(const std::vector<T>& from) {
        return add<T>(from.size(), [&](T* to) { std::copy(from.begin(), from.end(), to); });
    }
    template <class T> T* poisoned(std::size_t count) {
        return add<T>(count, [](T*) {});
    }
    template <class T> static std::vector<T> get(const T* from, std::size_t count) {
        return {from, from + count};
    }

  private:
    template <class T> T* add(std::size_t count, const auto& fill) {
        T* const out = reinterpret_cast<T*>(buffers_.emplace_back(count * sizeof(T)).data());
        fill(out);
        return out;
    }
    std::list<g4k::simt::buffer<unsigned char>> buffers_;
};

template <const row_config& Config> std::int64_t wrong(const row_case_sizes& sizes) {
    static constexpr row_config compiled = g4::cuda::row_cut(Config);
    const row_case one{Config, sizes};
    emulated_memory memory;
    const row_run row{one, memory};
    g4k::simt::launch(g4::cuda::row_shape(Config, sizes.rows),
                      [&] { g4k::row<compiled>(row.args()); });
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
    static constexpr row_config tiny = many(residual_and_norm(2));
    CHECK(g4k::row_items_each(tiny, 2 * 16384) == 2);
    CHECK(wrong<tiny>({.rows = 2 * 16384 + 5}) == 0);
}

TEST_CASE("row: kernels for many rows compute the same") {
    static constexpr row_config wide = many(wide_block), uneven = many(uneven_block),
                                turned_heads = many(local_heads), steps = many(all_steps_wide);
    CHECK(wrong<wide>({.rows = 3, .splits = 3, .extra = 3}) == 0);
    CHECK(wrong<uneven>({.rows = 2, .splits = 2}) == 0);
    CHECK(wrong<turned_heads>({.rows = 5, .splits = 2, .padded = true}) == 0);
    CHECK(wrong<steps>({.rows = 2}) == 0);
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

TEST_CASE("row: a row of which no element needs another is cut into parts for warps") {
    static constexpr row_config gated = gate(1536), odd_gated = gate(1030), widest = gate(21504);
    CHECK(g4::cuda::row_shape(gated, 2).grid_x == 6);
    CHECK(g4::cuda::row_shape(gated, 2).threads == 32);
    CHECK(g4::cuda::row_refuses(widest).empty());
    CHECK(wrong<gated>({.rows = 2, .splits = 3}) == 0);
    CHECK(wrong<odd_gated>({.rows = 2, .splits = 2}) == 0);
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
