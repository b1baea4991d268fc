// Attention kernels on a device: E4B's sizes and odd ones against plain f64 loops.
#include "g4/backends/cuda/attention.hpp"
#include "tests/support/attention_case.hpp"
#include "tests/support/gpu.hpp"
#include <doctest/doctest.h>

using namespace g4k;
using g4::testing::attention_case;
using g4::testing::device_vector;
using g4::testing::gpu;
using g4::testing::sequence_size;

namespace {

constexpr attention_config e4b_local{
    .head_dim = 256, .q_heads = 8, .kv_heads = 2, .window = 512, .scale = 0.0625f};
constexpr attention_config e4b_global{
    .head_dim = 512, .q_heads = 8, .kv_heads = 2, .scale = 0.0442f};

/// A case in device memory.
struct device_case {
    device_case(const gpu& on, const attention_case& of)
        : host{of},
          queries{on.upload(of.queries)},
          cache{on.upload(of.cache)},
          positions{on.upload(of.positions)},
          sequence_of{on.upload(of.sequence_of)},
          pages{on.upload(of.pages)},
          sequences{on.upload(of.sequences)},
          out{on.poisoned<std::uint16_t>(static_cast<std::size_t>(of.rows * out_stride()))} {}

    long long out_stride() const { return host.config.q_heads * host.config.head_dim + 8; }
    step_tables tables() const {
        return {nullptr, positions.data(), sequence_of.data(), sequences.data(), pages.data()};
    }
    cache_args cache_of() const {
        return {reinterpret_cast<char*>(cache.data()), host.page_bytes(), host.layer_elements() * 2,
                attention_case::kind};
    }
    double worst(const gpu& on, int checks) const {
        return worst_error(host, on.download(out).data(), out_stride(), checks);
    }

    const attention_case& host;
    device_vector<std::uint16_t> queries, cache;
    device_vector<int> positions, sequence_of, pages;
    device_vector<sequence_entry> sequences;
    device_vector<std::uint16_t> out;
};

double decode_error(gpu& on, const g4::cuda::decode_choice& choice,
                    const std::vector<sequence_size>& sizes) {
    const attention_case host{choice.config.attention, sizes, 1, 5};
    const device_case at{on, host};
    const auto scratch = g4::cuda::decode_scratch_of(choice, host.rows);
    const auto partial = on.poisoned<float>(scratch.partial_bytes / 4 + 1);
    const auto extent = on.poisoned<float>(scratch.extent_bytes / 4 + 1);
    const decode_args args{.q = at.queries.data(),
                           .q_stride = host.q_stride(),
                           .q_rows = nullptr,
                           .out = at.out.data(),
                           .out_stride = at.out_stride(),
                           .out_rows = nullptr,
                           .rows = host.rows,
                           .splits = choice.splits,
                           .step_rows = nullptr,
                           .tables = at.tables(),
                           .cache = at.cache_of(),
                           .partial = partial.data(),
                           .extent = extent.data()};
    on.run(on.compile(g4::cuda::decode_request(choice.config)),
           g4::cuda::decode_shape(choice.config, args), args);
    if (choice.parts() > 1)
        on.run(on.compile(g4::cuda::merge_request(choice.config)),
               g4::cuda::merge_shape(choice.config, args), args);
    return at.worst(on, 24);
}

bool has_clusters(const gpu& on) { return on.info().arch >= "sm_90" || on.info().arch.size() > 6; }

double prefill_error(gpu& on, const attention_config& config,
                     const std::vector<sequence_size>& sizes) {
    const attention_case host{config, sizes, 0, 6};
    const device_case at{on, host};
    const auto tiles =
        on.upload(g4::cuda::prefill_tiles(host.sequences, g4::cuda::prefill_tile_rows(config)));
    const prefill_args args{.q = at.queries.data(),
                            .q_stride = host.q_stride(),
                            .out = at.out.data(),
                            .out_stride = at.out_stride(),
                            .tiles = tiles.data(),
                            .tile_count = static_cast<int>(tiles.size()),
                            .tables = at.tables(),
                            .cache = at.cache_of()};
    on.run(on.compile(g4::cuda::prefill_request(config)), g4::cuda::prefill_shape(config, args),
           args);
    return at.worst(on, 48);
}

/// nano, odd-a, odd-b, odd-f and what no checkpoint has.
const std::vector<attention_config> odd_configs{
    {.head_dim = 32, .q_heads = 8, .kv_heads = 2, .window = 64, .scale = 0.18f},
    {.head_dim = 64, .q_heads = 8, .kv_heads = 2, .scale = 0.125f},
    {.head_dim = 16, .q_heads = 4, .kv_heads = 4, .window = 5, .scale = 0.25f},
    {.head_dim = 48, .q_heads = 4, .kv_heads = 4, .scale = 0.14f},
    {.head_dim = 96, .q_heads = 6, .kv_heads = 1, .scale = 0.1f},
    {.head_dim = 48, .q_heads = 3, .kv_heads = 1, .window = 17, .scale = 0.14f, .page_tokens = 16},
    {.head_dim = 40, .q_heads = 13, .kv_heads = 1, .scale = 0.15f, .page_tokens = 32},
    {.head_dim = 456, .q_heads = 16, .kv_heads = 1, .window = 33, .scale = 0.045f}};

}  // namespace

TEST_CASE("attention: decode agrees with plain loops for sizes of E4B") {
    gpu* const on = g4::testing::open_gpu();
    if (on == nullptr) return;
    const std::vector<sequence_size> mixed{{0, 1},    {511, 1},  {512, 1},
                                           {1000, 1}, {3000, 1}, {64, 1}};
    for (const int splits : {1, 2, 7, 16, 33}) {
        CAPTURE(splits);
        CHECK(decode_error(*on, {{.attention = e4b_local}, splits}, mixed) <= 1);
        CHECK(decode_error(*on, {{.attention = e4b_global, .tile = 16}, splits}, mixed) <= 1);
    }
    CHECK(decode_error(*on, {{.attention = e4b_global, .tile = 16}, 132}, {{16000, 1}}) <= 1);
}

TEST_CASE("attention: decode in clusters agrees with plain loops for sizes of E4B") {
    gpu* const on = g4::testing::open_gpu();
    if (on == nullptr || !has_clusters(*on)) return;
    const std::vector<sequence_size> mixed{{0, 1},    {511, 1},  {512, 1},
                                           {1000, 1}, {3000, 1}, {64, 1}};
    for (const int cluster : {2, 4, 8})
        for (const int times : {1, 3}) {
            CAPTURE(cluster);
            CAPTURE(times);
            const int splits = cluster * times;
            CHECK(decode_error(*on, {{e4b_local, 32, 5, cluster}, splits}, mixed) <= 1);
            CHECK(decode_error(*on, {{e4b_global, 16, 4, cluster}, splits}, mixed) <= 1);
        }
    CHECK(decode_error(*on, {{e4b_local, 64, 2, 8}, 8}, mixed) <= 1);
    CHECK(decode_error(*on, {{e4b_global, 16, 4, 8}, 128}, {{16000, 1}}) <= 1);
}

TEST_CASE("attention: decode agrees with plain loops as it is chosen") {
    gpu* const on = g4::testing::open_gpu();
    if (on == nullptr) return;
    std::vector<attention_config> configs = odd_configs;
    configs.push_back(e4b_local);
    configs.push_back(e4b_global);
    const std::vector<sequence_size> sizes{{0, 1}, {100, 1}, {63, 2}, {400, 1}};
    for (const attention_config& config : configs)
        for (const int longest : {100, 401}) {
            CAPTURE(config.head_dim);
            const auto choice = g4::cuda::choose_decode(
                config, 6, longest, on->info().multiprocessors, has_clusters(*on));
            CHECK(decode_error(*on, choice, sizes) <= 1);
        }
}

TEST_CASE("attention: prefill agrees with plain loops for sizes of E4B") {
    gpu* const on = g4::testing::open_gpu();
    if (on == nullptr) return;
    for (const attention_config& config : {e4b_local, e4b_global}) {
        CAPTURE(config.head_dim);
        CHECK(prefill_error(*on, config, {{0, 700}}) <= 1);
        CHECK(prefill_error(*on, config, {{1100, 300}, {0, 77}, {513, 2}, {10, 1}}) <= 1);
    }
}

TEST_CASE("attention: prefill agrees with plain loops for odd sizes") {
    gpu* const on = g4::testing::open_gpu();
    if (on == nullptr) return;
    for (const attention_config& config : odd_configs) {
        CAPTURE(config.head_dim);
        CHECK(prefill_error(*on, config, {{0, 130}, {90, 41}, {5, 1}}) <= 1);
    }
}
