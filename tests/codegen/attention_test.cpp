// Attention kernels in the emulator: small and odd shapes against plain f64 loops.
#include "tests/support/simt.hpp"

#include "codegen/attention/decode.cuh"
#include "codegen/attention/merge.cuh"
#include "codegen/attention/prefill.cuh"
#include "g4/backends/cuda/attention.hpp"
#include "tests/support/attention_case.hpp"
#include <doctest/doctest.h>

using namespace g4k;
using g4::testing::attention_case;

namespace {

/// A case in the emulator's memory.
struct device_case {
    explicit device_case(const attention_case& of)
        : host{of},
          queries{of.queries},
          cache{of.cache},
          positions{of.positions},
          sequence_of{of.sequence_of},
          pages{of.pages},
          sequences{of.sequences} {}

    step_tables tables() {
        return {nullptr, positions.data(), sequence_of.data(), sequences.data(), pages.data()};
    }
    cache_args cache_of() {
        return {reinterpret_cast<char*>(cache.data()), host.page_bytes(), host.layer_elements() * 2,
                attention_case::kind};
    }

    const attention_case& host;
    simt::buffer<bf16_bits> queries, cache;
    simt::buffer<int> positions, sequence_of, pages;
    simt::buffer<sequence_entry> sequences;
};

template <attention_config Attention, int Tile = 16, int Slots = 5>
double decode_error(const std::vector<g4::testing::sequence_size>& sizes, int splits) {
    constexpr decode_config config{.attention = Attention, .tile = Tile, .slots = Slots};
    const attention_case host{Attention, sizes, 1, 7};
    device_case on{host};
    const long long stride = Attention.q_heads * Attention.head_dim + 4;
    simt::buffer<bf16_bits> out(static_cast<std::size_t>(host.rows * stride));
    const std::size_t places = static_cast<std::size_t>(host.rows * Attention.q_heads * splits);
    simt::buffer<float> partial(places * Attention.head_dim), extent(places * 2);
    const decode_args args{.q = on.queries.data(),
                           .q_stride = host.q_stride(),
                           .q_rows = nullptr,
                           .out = out.data(),
                           .out_stride = stride,
                           .out_rows = nullptr,
                           .rows = host.rows,
                           .splits = splits,
                           .step_rows = nullptr,
                           .tables = on.tables(),
                           .cache = on.cache_of(),
                           .partial = partial.data(),
                           .extent = extent.data()};
    simt::launch(g4::cuda::decode_shape(config, args), [&] { decode<config>(args); });
    if (splits > 1) simt::launch(g4::cuda::merge_shape(config, args), [&] { merge<config>(args); });
    return worst_error(host, out.data(), stride);
}

template <attention_config Config>
double prefill_error(const std::vector<g4::testing::sequence_size>& sizes) {
    const attention_case host{Config, sizes, 0, 11};
    device_case on{host};
    simt::buffer<prefill_tile> tiles{
        g4::cuda::prefill_tiles(host.sequences, g4::cuda::prefill_tile_rows(Config))};
    const long long stride = Config.q_heads * Config.head_dim + 8;
    simt::buffer<bf16_bits> out(static_cast<std::size_t>(host.rows * stride));
    const prefill_args args{.q = on.queries.data(),
                            .q_stride = host.q_stride(),
                            .out = out.data(),
                            .out_stride = stride,
                            .tiles = tiles.data(),
                            .tile_count = static_cast<int>(tiles.size()),
                            .tables = on.tables(),
                            .cache = on.cache_of()};
    simt::launch(g4::cuda::prefill_shape(Config, args), [&] { prefill<Config>(args); });
    return worst_error(host, out.data(), stride);
}

}  // namespace

TEST_CASE("attention: decode agrees with plain loops for sizes of small and odd models") {
    constexpr attention_config nano_local{
        .head_dim = 32, .q_heads = 8, .kv_heads = 2, .window = 64, .scale = 0.2f};
    constexpr attention_config nano_global{
        .head_dim = 64, .q_heads = 8, .kv_heads = 2, .scale = 0.1f};
    constexpr attention_config odd{.head_dim = 48,
                                   .q_heads = 3,
                                   .kv_heads = 1,
                                   .window = 17,
                                   .scale = 0.15f,
                                   .page_tokens = 16};
    constexpr attention_config ragged{
        .head_dim = 24, .q_heads = 12, .kv_heads = 1, .scale = 0.2f, .page_tokens = 32};
    for (const int splits : {1, 3}) {
        CAPTURE(splits);
        CHECK(decode_error<nano_local>({{0, 1}, {63, 1}, {200, 1}}, splits) <= 1);
        CHECK(decode_error<nano_local, 64, 2>({{0, 1}, {63, 1}, {200, 1}}, splits) <= 1);
        CHECK(decode_error<nano_global, 32>({{0, 1}, {63, 1}, {200, 1}}, splits) <= 1);
        CHECK(decode_error<nano_global, 32, 3>({{0, 1}, {63, 1}, {200, 1}}, splits) <= 1);
        CHECK(decode_error<odd>({{3, 1}, {16, 1}, {99, 1}}, splits) <= 1);
        CHECK(decode_error<ragged>({{0, 1}, {31, 1}, {150, 1}}, splits) <= 1);
    }
}

TEST_CASE("attention: decode agrees with plain loops for heads of 256 and 512") {
    constexpr attention_config local{
        .head_dim = 256, .q_heads = 4, .kv_heads = 1, .window = 100, .scale = 0.06f};
    constexpr attention_config global{.head_dim = 512, .q_heads = 4, .kv_heads = 1, .scale = 0.04f};
    constexpr attention_config wide{.head_dim = 496, .q_heads = 16, .kv_heads = 1, .scale = 0.04f};
    CHECK(decode_error<local>({{260, 1}, {5, 1}}, 1) <= 1);
    CHECK(decode_error<local, 32>({{260, 1}}, 4) <= 1);
    CHECK(decode_error<local, 64, 2>({{260, 1}, {300, 1}, {20, 1}}, 2) <= 1);
    CHECK(decode_error<global>({{150, 1}}, 1) <= 1);
    CHECK(decode_error<global>({{150, 1}, {0, 1}}, 20) <= 1);
    CHECK(decode_error<wide>({{70, 1}}, 2) <= 1);
}

TEST_CASE("attention: rows of one step see the keys of the step before them, not those behind") {
    constexpr attention_config config{
        .head_dim = 32, .q_heads = 4, .kv_heads = 2, .window = 40, .scale = 0.2f};
    CHECK(decode_error<config>({{61, 5}, {0, 3}}, 1) <= 1);
    CHECK(decode_error<config>({{61, 5}, {0, 3}}, 2) <= 1);
}

TEST_CASE("attention: prefill agrees with plain loops for sizes of small and odd models") {
    constexpr attention_config nano_local{
        .head_dim = 32, .q_heads = 8, .kv_heads = 2, .window = 64, .scale = 0.2f};
    constexpr attention_config nano_global{
        .head_dim = 64, .q_heads = 8, .kv_heads = 2, .scale = 0.1f};
    constexpr attention_config odd{.head_dim = 48,
                                   .q_heads = 3,
                                   .kv_heads = 1,
                                   .window = 5,
                                   .scale = 0.15f,
                                   .page_tokens = 16};
    constexpr attention_config ragged{
        .head_dim = 24, .q_heads = 16, .kv_heads = 1, .scale = 0.2f, .page_tokens = 32};
    CHECK(prefill_error<nano_local>({{0, 70}, {100, 33}}) <= 1);
    CHECK(prefill_error<nano_global>({{0, 70}, {100, 33}, {0, 1}}) <= 1);
    CHECK(prefill_error<odd>({{0, 50}, {17, 44}}) <= 1);
    CHECK(prefill_error<ragged>({{0, 9}, {63, 2}}) <= 1);
}

TEST_CASE("attention: prefill agrees with plain loops for heads of 256 and 512") {
    constexpr attention_config local{
        .head_dim = 256, .q_heads = 4, .kv_heads = 1, .window = 40, .scale = 0.06f};
    constexpr attention_config global{.head_dim = 512, .q_heads = 4, .kv_heads = 1, .scale = 0.04f};
    constexpr attention_config ragged{.head_dim = 376, .q_heads = 2, .kv_heads = 2, .scale = 0.05f};
    CHECK(prefill_error<local>({{90, 34}, {5, 3}}) <= 1);
    CHECK(prefill_error<global>({{60, 20}, {0, 2}}) <= 1);
    CHECK(prefill_error<ragged>({{60, 20}, {0, 2}}) <= 1);
}

TEST_CASE("attention: general kernels keep to the shared memory of small GPUs") {
    for (int head_dim = 8; head_dim <= 512; head_dim += 8)
        for (const int group : {1, 3, 4, 8, 16})
            for (const int page : {16, 32, 64}) {
                const attention_config config{
                    .head_dim = head_dim, .q_heads = group, .kv_heads = 1, .page_tokens = page};
                for (const bool clusters : {false, true})
                    for (const std::int64_t longest : {100, 500, 100000}) {
                        const auto choice =
                            g4::cuda::choose_decode(config, 1, longest, 132, clusters);
                        g4::cuda::check_decode(choice.config);
                        CHECK(choice.splits % choice.config.cluster == 0);
                        CHECK(decode_layout_of(choice.config).shared_bytes <= 99 * 1024);
                    }
                CHECK(prefill_layout_of(config).shared_bytes <= 99 * 1024);
            }
}
