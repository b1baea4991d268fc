// int4 linears of the CPU back end beside what this machine reads and what oneDNN multiplies.
#include "apps/bench/read_limit.hpp"
#include "g4/backends/cpu/int4_linear.hpp"
#include "g4/backends/cpu/thread_pool.hpp"
#include <benchmark/benchmark.h>
#ifdef G4_WITH_ONEDNN
#include <dnnl.hpp>
#endif

namespace {
using namespace g4;
using namespace g4::cpu;

/// A matrix in panels, its bytes arbitrary.
struct panels {
    int4_panels shape;
    aligned_memory memory;
    panels(std::int64_t rows, std::int64_t columns) {
        shape.rows = rows;
        shape.columns = columns;
        shape.group = 128;
        shape.groups = static_cast<std::int32_t>(columns / 128);
        memory = aligned_memory{static_cast<std::size_t>(shape.bytes())};
        std::memset(memory.data(), 0x35, memory.size());
        shape.data = memory.data();
    }
};

quantised_buffer activations(std::int32_t tokens, const int4_panels& w, std::int32_t passes) {
    const std::vector<float> row(static_cast<std::size_t>(w.columns), 1.0f);
    quantised_buffer out{tokens, w.columns};
    out.shape(tokens, w.group, w.groups, passes);
    for (std::int32_t t = 0; t < tokens; ++t)
        out.put(rows_for(best_isa()), t, row.data(), w.columns);
    return out;
}

void run(benchmark::State& state, const int4_panels& w, std::int32_t tokens, std::int32_t bits) {
    thread_pool pool{usable_processors()};
    const quantised_buffer x = activations(tokens, w, bits / 8);
    const int4_kernel kernel = fastest_int4(best_isa(), bits / 8).run;
    std::vector<float> result(static_cast<std::size_t>(tokens * w.rows));
    for (auto _ : state)
        pool.for_ranges(w.count(), 2, [&](std::int64_t begin, std::int64_t end, int) {
            kernel(w, x.rows(), result.data(), w.rows, begin, end);
        });
    const double runs = static_cast<double>(state.iterations());
    state.counters["GB/s"] = benchmark::Counter(static_cast<double>(w.bytes()) * runs / 1e9,
                                                benchmark::Counter::kIsRate);
    state.counters["GOP/s"] =
        benchmark::Counter(2.0 * tokens * static_cast<double>(w.rows * w.columns) * runs / 1e9,
                           benchmark::Counter::kIsRate);
}

/// tokens, bits: a quarter of a gigabyte, so that no cache helps.
void stream(benchmark::State& state) {
    static const panels w{196608, 2560};
    run(state, w.shape, static_cast<std::int32_t>(state.range(0)),
        static_cast<std::int32_t>(state.range(1)));
}
BENCHMARK(stream)
    ->ArgNames({"tokens", "bits"})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->Args({1, 16})
    ->Args({1, 8})
    ->Args({2, 16})
    ->Args({4, 16})
    ->Args({8, 16});

/// tokens, bits: a projection of E4B in prefill.
void multiply(benchmark::State& state) {
    static const panels w{10240, 2560};
    run(state, w.shape, static_cast<std::int32_t>(state.range(0)),
        static_cast<std::int32_t>(state.range(1)));
}
BENCHMARK(multiply)
    ->ArgNames({"tokens", "bits"})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->Args({512, 16})
    ->Args({512, 8})
    ->Args({64, 16});

/// What all threads read at best, in huge pages.
void read_limit(benchmark::State& state) {
    double rate = 0;
    for (auto _ : state)
        rate = std::max(rate, apps::read_limit(static_cast<unsigned>(usable_processors()),
                                               std::size_t{1} << 28, 7));
    state.counters["GB/s"] = rate / 1e9;
}
BENCHMARK(read_limit)->UseRealTime()->Iterations(1);

#ifdef G4_WITH_ONEDNN
/// oneDNN's bytes times signed bytes, weights packed beforehand, no scales.
void onednn_u8s8(benchmark::State& state) {
    using dnnl::memory;
    constexpr std::int64_t tokens = 512, rows = 4096, columns = 4096;
    dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream{engine};
    const memory::desc x{{tokens, columns}, memory::data_type::u8, memory::format_tag::ab};
    const memory::desc w{{columns, rows}, memory::data_type::s8, memory::format_tag::any};
    const memory::desc y{{tokens, rows}, memory::data_type::s32, memory::format_tag::ab};
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::matmul::primitive_desc plan{engine, x, w, y};
#else
    const dnnl::matmul::primitive_desc plan{dnnl::matmul::desc{x, w, y}, engine};
#endif
    const dnnl::matmul multiply{plan};
    memory from{x, engine}, weights{plan.weights_desc(), engine}, to{y, engine};
    std::memset(from.get_data_handle(), 3, x.get_size());
    std::memset(weights.get_data_handle(), 5, plan.weights_desc().get_size());
    for (auto _ : state) {
        multiply.execute(stream,
                         {{DNNL_ARG_SRC, from}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, to}});
        stream.wait();
    }
    state.counters["GOP/s"] = benchmark::Counter(
        2.0 * tokens * rows * columns * static_cast<double>(state.iterations()) / 1e9,
        benchmark::Counter::kIsRate);
}
BENCHMARK(onednn_u8s8)->UseRealTime()->Unit(benchmark::kMillisecond);
#endif

}  // namespace
