// Attention at E4B's sizes: g4-gpu-bench-attention [decode|few|prefill]. Keys and values come
// from device memory, as between the layers of a model: calls take layer after layer of the pages.
#include "g4/backends/cuda/attention.hpp"
#include "tests/support/gpu.hpp"
#include <cstdint>
#include <cstdio>
#include <random>
#include <string_view>

namespace {

using g4::testing::device_vector;
using g4::testing::gpu;
using g4k::attention_config;

constexpr attention_config local{
    .head_dim = 256, .q_heads = 8, .kv_heads = 2, .window = 512, .scale = 0.0625f};
constexpr attention_config global{.head_dim = 512, .q_heads = 8, .kv_heads = 2, .scale = 0.0442f};

const char* name_of(const attention_config& c) { return c.window > 0 ? "local" : "global"; }

struct read_args {
    const void* from;
    long long chunks;
    unsigned* out;
};
g4::kernel_request read_request() {
    return {.name = "g4_bench_read", .text = R"(
#include "codegen/core/async_copy.cuh"
struct read_args { const uint4* from; long long chunks; unsigned* out; };
extern "C" __global__ void __launch_bounds__(512)
g4_bench_read(const __grid_constant__ read_args args) {
    unsigned sum = 0;
    const long long step = (long long)gridDim.x * 512;
    long long at = blockIdx.x * 512ll + threadIdx.x;
    for (; at + 3 * step < args.chunks; at += 4 * step) {
        uint4 v[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) v[i] = g4k::load_streaming(args.from + at + i * step);
#pragma unroll
        for (int i = 0; i < 4; ++i) sum ^= v[i].x ^ v[i].y ^ v[i].z ^ v[i].w;
    }
    if (sum == 0x12345678u) *args.out = sum;
}
)"};
}

/// Gigabytes a second that a plain kernel reads.
double read_limit(gpu& on) {
    const auto from = on.filled<unsigned char>(std::size_t{2} << 30, 0x3c);
    const auto out = on.filled<unsigned>(1);
    const g4::kernel& read = on.compile(read_request());
    const read_args args{from.data(), static_cast<long long>(from.bytes() / 16), out.data()};
    const auto time = on.time(
        [&](int) {
            on.stream().launch(
                read,
                {.grid_x = 4u * static_cast<unsigned>(on.info().multiprocessors), .threads = 512},
                args);
        },
        2, 5);
    return static_cast<double>(from.bytes()) / time.best_us / 1e3;
}

/// Sequences of one length in scattered pages of some layers, rows at the end of each.
struct bench_case {
    bench_case(gpu& on, const attention_config& config, int sequences, int past, int rows_each)
        : config{config}, rows{sequences * rows_each} {
        std::vector<int> positions, sequence_of, pages;
        std::vector<g4k::sequence_entry> entries;
        const int first_page =
            config.window > 0 ? std::max(0, past - config.window + 1) / config.page_tokens : 0;
        const int each = (past + rows_each - 1) / config.page_tokens + 1 - first_page;
        for (int s = 0; s < sequences; ++s) {
            entries.push_back({s * rows_each, rows_each, past, s, {s * each}, {first_page}});
            for (int i = 0; i < rows_each; ++i) positions.push_back(past + i);
            sequence_of.insert(sequence_of.end(), static_cast<std::size_t>(rows_each), s);
        }
        for (int i = 0; i < sequences * each; ++i) pages.push_back(i);
        std::shuffle(pages.begin(), pages.end(), std::mt19937{1});
        layer_bytes = 4LL * config.kv_heads * config.page_tokens * config.head_dim;
        const long long pool = layer_bytes * sequences * each;
        layers = static_cast<int>(std::clamp(200'000'000 / pool, 1LL, 64LL));
        this->entries = on.upload(entries);
        this->positions = on.upload(positions);
        this->sequence_of = on.upload(sequence_of);
        this->pages = on.upload(pages);
        host_entries = entries;
        fill(on, static_cast<std::size_t>(pool * layers / 2));
        const std::size_t values = static_cast<std::size_t>(rows) * width();
        out = on.poisoned<std::uint16_t>(values);
        queries = on.poisoned<std::uint16_t>(values);
        on.stream().copy_on_device(queries->data(), cache->data(),
                                   std::min(queries->bytes(), cache->bytes()));
    }
    std::size_t width() const { return static_cast<std::size_t>(config.q_heads * config.head_dim); }

    /// Random numbers, for what they cost in power: 64 MB of them, over and over.
    void fill(gpu& on, std::size_t count) {
        std::vector<std::uint16_t> numbers(std::min<std::size_t>(count, 32 << 20));
        std::mt19937_64 random{2};
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            const std::uint64_t bits = random();
            numbers[i] =
                static_cast<std::uint16_t>((bits & 0x807f) | (0x3f00 + (bits >> 8 & 0x80)));
        }
        const auto piece = on.upload(numbers);
        cache = on.poisoned<std::uint16_t>(count);
        for (std::size_t at = 0; at < count; at += numbers.size())
            on.stream().copy_on_device(cache->data() + at, piece.data(),
                                       2 * std::min(numbers.size(), count - at));
        on.stream().synchronize();
    }
    g4k::step_tables tables() const {
        return {nullptr, positions->data(), sequence_of->data(), entries->data(), pages->data()};
    }
    g4k::cache_args cache_of(int call) const {
        return {reinterpret_cast<char*>(cache->data()), layer_bytes * layers,
                layer_bytes * (call % layers), 0};
    }

    attention_config config;
    int rows, layers = 1;
    long long layer_bytes = 0;
    std::vector<g4k::sequence_entry> host_entries;
    std::optional<device_vector<g4k::sequence_entry>> entries;
    std::optional<device_vector<int>> positions, sequence_of, pages;
    std::optional<device_vector<std::uint16_t>> cache, queries, out;
};

void decode(gpu& on, const bench_case& c, int context, const g4::cuda::decode_choice& choice,
            double limit) {
    const auto scratch = g4::cuda::decode_scratch_of(choice, c.rows);
    const auto partial = on.filled<float>(scratch.partial_bytes / 4 + 1);
    const auto extent = on.filled<float>(scratch.extent_bytes / 4 + 1);
    g4k::decode_args args{.q = c.queries->data(),
                          .q_stride = static_cast<long long>(c.width()),
                          .q_rows = nullptr,
                          .out = c.out->data(),
                          .out_stride = static_cast<long long>(c.width()),
                          .out_rows = nullptr,
                          .rows = c.rows,
                          .splits = choice.splits,
                          .step_rows = nullptr,
                          .tables = c.tables(),
                          .cache = c.cache_of(0),
                          .partial = partial.data(),
                          .extent = extent.data()};
    const g4::kernel& first = on.compile(g4::cuda::decode_request(choice.config));
    const g4::kernel& second = on.compile(g4::cuda::merge_request(choice.config));
    const auto decode_shape = g4::cuda::decode_shape(choice.config, args);
    const auto merge_shape = g4::cuda::merge_shape(choice.config, args);
    const auto timed = [&](bool merge) {
        return on.time(
            [&](int call) {
                args.cache = c.cache_of(call);
                on.stream().launch(first, decode_shape, args);
                if (merge) on.stream().launch(second, merge_shape, args);
            },
            context * c.rows > 200'000 ? 8 : 40, 7);
    };
    const double seen = c.config.window > 0 ? std::min(context, c.config.window) : context;
    const double bytes = 4.0 * c.config.kv_heads * c.config.head_dim * seen * c.rows;
    const double alone = timed(false).median_us;
    const double both = choice.parts() > 1 ? timed(true).median_us : alone;
    std::printf(
        "%-6s %4d x %6d  tile %2d x%d  splits %3d / %d  %8.2f us, merged %8.2f us  "
        "%6.0f GB/s  %3.0f%%\n",
        name_of(c.config), c.rows, context, choice.config.tile, choice.config.slots, choice.splits,
        choice.config.cluster, alone, both, bytes / both / 1e3, bytes / both / 1e3 / limit * 100);
    std::fflush(stdout);
}

void prefill(gpu& on, const attention_config& config, int rows, int past) {
    const bench_case c{on, config, 1, past, rows};
    const auto tiles =
        on.upload(g4::cuda::prefill_tiles(c.host_entries, g4::cuda::prefill_tile_rows(config)));
    g4k::prefill_args args{.q = c.queries->data(),
                           .q_stride = static_cast<long long>(c.width()),
                           .out = c.out->data(),
                           .out_stride = static_cast<long long>(c.width()),
                           .tiles = tiles.data(),
                           .tile_count = static_cast<int>(tiles.size()),
                           .tables = c.tables(),
                           .cache = c.cache_of(0)};
    const g4::kernel& kernel = on.compile(g4::cuda::prefill_request(config));
    const auto shape = g4::cuda::prefill_shape(config, args);
    double flops = 0;
    for (int i = past; i < past + rows; ++i)
        flops += 4.0 * config.q_heads * config.head_dim *
                 (config.window > 0 ? std::min(i + 1, config.window) : i + 1);
    const auto time = on.time(
        [&](int call) {
            args.cache = c.cache_of(call);
            on.stream().launch(kernel, shape, args);
        },
        flops > 2e11 ? 2 : 10, 5);
    std::printf("%-6s %6d rows after %6d  %9.1f us  %6.1f TFLOP/s\n", name_of(config), rows, past,
                time.median_us, flops / time.median_us / 1e6);
    std::fflush(stdout);
}

}  // namespace

int main(int count, char** arguments) {
    gpu* const on = g4::testing::open_gpu();
    if (on == nullptr) return 0;
    const std::string_view what = count > 1 ? arguments[1] : "";
    const double limit = read_limit(*on);
    const int multiprocessors = on->info().multiprocessors;
    std::printf("%s: reads %.0f GB/s\n", on->info().name.c_str(), limit);
    const bool clusters = on->info().arch == "sm_90a";
    if (what.empty() || what == "decode")
        for (const attention_config& config : {local, global})
            for (const int context : {1024, 4096, 16384})
                for (const int rows : {1, 8, 32, 64, 128}) {
                    if (config.window > 0 && context > 1024) continue;
                    const bench_case c{*on, config, rows, context - 1, 1};
                    decode(
                        *on, c, context,
                        g4::cuda::choose_decode(config, rows, context, multiprocessors, clusters),
                        limit);
                }
    if (what == "few")
        for (const attention_config& config : {local, global}) {
            const bench_case c{*on, config, 1, 1023, 1};
            using choice = g4::cuda::decode_choice;
            const std::vector<choice> choices =
                config.window > 0
                    ? std::vector<choice>{{{config, 32, 5, 1}, 16},
                                          {{config, 64, 2, 1}, 8},
                                          {{config, 64, 2, 8}, 8},
                                          {{config, 32, 5, 8}, 8},
                                          {{config, 32, 5, 8}, 16}}
                    : std::vector<choice>{{{config, 16, 5, 1}, 64}, {{config, 32, 2, 1}, 32},
                                          {{config, 16, 4, 8}, 64}, {{config, 16, 4, 8}, 32},
                                          {{config, 32, 2, 8}, 32}, {{config, 32, 2, 8}, 8}};
            for (const choice& each : choices) decode(*on, c, 1024, each, limit);
        }
    if (what.empty() || what == "prefill")
        for (const attention_config& config : {local, global}) {
            for (const int rows : {512, 2048, 8192, 16384}) prefill(*on, config, rows, 0);
            prefill(*on, config, 2048, 14336);
        }
}
