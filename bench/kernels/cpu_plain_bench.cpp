// Plain bf16 linears and attention of the CPU back end: one token, and a chunk of many.
#include "g4/backends/cpu/attention.hpp"
#include "g4/backends/cpu/kernel_choice.hpp"
#include "g4/backends/cpu/thread_pool.hpp"
#include <benchmark/benchmark.h>
#include <numeric>

namespace {
using namespace g4;
using namespace g4::cpu;

/// A head's worth of rows, in huge pages or in small ones as a mapped file lies.
void plain_linear(benchmark::State& state) {
    const auto tokens = static_cast<std::int32_t>(state.range(0));
    constexpr std::int64_t rows = 49152, columns = 2560, bytes = rows * columns * 2;
    const aligned_memory huge{static_cast<std::size_t>(bytes)};
    const plain_kernels kernels = choose_plain(best_isa(), {});
    plain_matrix w{huge.data(), dtype::bf16, rows, columns};
    std::memset(const_cast<std::byte*>(huge.data()), 0, huge.size());
    std::vector<float> row(columns, 1.0f), x(static_cast<std::size_t>(tokens * columns));
    for (std::int32_t t = 0; t < tokens; ++t)
        kernels.arrange(row.data(), columns, dtype::bf16, x.data() + t * columns);
    std::vector<float> result(static_cast<std::size_t>(tokens * rows));
    thread_pool pool{usable_processors()};
    for (auto _ : state)
        pool.for_ranges(rows, 32, [&](std::int64_t begin, std::int64_t end, int) {
            kernels.multiply(w, {x.data(), columns, tokens}, result.data(), rows, begin, end);
        });
    const double runs = static_cast<double>(state.iterations());
    state.counters["GB/s"] =
        benchmark::Counter(static_cast<double>(bytes) * runs / 1e9, benchmark::Counter::kIsRate);
    state.counters["GFLOP/s"] =
        benchmark::Counter(2.0 * tokens * static_cast<double>(rows * columns) * runs / 1e9,
                           benchmark::Counter::kIsRate);
}
BENCHMARK(plain_linear)
    ->ArgName("tokens")
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->Arg(1)
    ->Arg(4)
    ->Arg(64);

/// rows of one sequence at the end of a context; E4B's heads: 8 over 2, of `head_dim`.
void attention(benchmark::State& state) {
    const auto rows = static_cast<std::int32_t>(state.range(0));
    const auto context = static_cast<std::int32_t>(state.range(1));
    const auto head_dim = static_cast<std::int32_t>(state.range(2));
    constexpr std::int32_t kv_heads = 2, group = 4, page_tokens = 16;
    std::vector<std::int32_t> pages(static_cast<std::size_t>(context / page_tokens + 1));
    std::iota(pages.begin(), pages.end(), 0);
    attention_rows q;
    q.cache.page_tokens = page_tokens;
    q.cache.kv_heads = kv_heads;
    q.cache.head_dim = head_dim;
    q.cache.page_bytes = 4 * page_tokens * kv_heads * head_dim;
    aligned_memory pool_memory{pages.size() * static_cast<std::size_t>(q.cache.page_bytes)};
    std::memset(pool_memory.data(), 0, pool_memory.size());
    q.cache.base = pool_memory.data();
    q.cache.pages = pages.data();
    const std::int64_t width = kv_heads * group * head_dim;
    std::vector<std::uint16_t> queries(static_cast<std::size_t>(rows * width), 0x3c00);
    std::vector<float> result(queries.size());
    std::vector<std::int32_t> positions(static_cast<std::size_t>(rows)), order(positions.size());
    std::iota(positions.begin(), positions.end(), context - rows);
    std::iota(order.begin(), order.end(), 0);
    q.query = reinterpret_cast<const std::byte*>(queries.data());
    q.query_stride = width * 2;
    q.query_rows = order.data();
    q.positions = positions.data();
    q.result = result.data();
    q.result_stride = width;
    thread_pool pool{usable_processors()};
    aligned_memory scratch{static_cast<std::size_t>(2 * state_floats * pool.threads()) * 4};
    const std::int32_t step = tile_queries / group, tiles = (rows + step - 1) / step;
    for (auto _ : state)
        pool.for_ranges(tiles * kv_heads, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
            for (; begin < end; ++begin) {
                const auto head = static_cast<std::int32_t>(begin % kv_heads);
                const auto row = static_cast<std::int32_t>(begin / kv_heads) * step;
                attend_tile(attention_for(best_isa()), q,
                            {head, head * group, group, row, std::min(step, rows - row)},
                            scratch.as<float>() + 2 * state_floats * thread);
            }
        });
    const double seen = rows * (context - (rows - 1) / 2.0);
    state.counters["GFLOP/s"] = benchmark::Counter(
        4.0 * seen * static_cast<double>(width) * static_cast<double>(state.iterations()) / 1e9,
        benchmark::Counter::kIsRate);
}
BENCHMARK(attention)
    ->ArgNames({"rows", "context", "head_dim"})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond)
    ->Args({1, 512, 256})
    ->Args({1, 8192, 512})
    ->Args({512, 512, 256})
    ->Args({512, 4096, 512});

}  // namespace
