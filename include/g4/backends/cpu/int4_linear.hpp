// The int4 kernels of this program, and which one this machine runs fastest.
#pragma once
#include "g4/backends/cpu/int4_avx2.hpp"
#include "g4/backends/cpu/int4_avx512.hpp"
#include "g4/backends/cpu/int4_portable.hpp"
#include "g4/backends/cpu/quantised_buffer.hpp"
#include <chrono>
#include <string_view>
#include <vector>

namespace g4::cpu {

struct int4_variant {
    isa needs = isa::portable;
    int4_kernel run = portable::int4_linear;
};

/// What a processor that runs `best` can run, slowest guess first.
inline std::vector<int4_variant> int4_variants(isa best) {
    std::vector<int4_variant> out{{isa::portable, portable::int4_linear}};
#ifdef G4_CPU_X86
    if (best >= isa::avx2) out.push_back({isa::avx2, avx2::int4_linear});
    if (best >= isa::avx512) out.push_back({isa::avx512, avx512::int4_linear});
#endif
    static_cast<void>(best);
    return out;
}

/// Seconds of the fastest of `repeats` runs: other programs only ever add.
template <class Work> double fastest_seconds(int repeats, const Work& work) {
    double best = 1e30;
    for (int i = 0; i < repeats; ++i) {
        const auto start = std::chrono::steady_clock::now();
        work();
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        best = std::min(best, took.count());
    }
    return best;
}

namespace detail {

/// Seconds of one variant on a small matrix that lies in cache.
inline double int4_seconds(const int4_variant& variant, std::int32_t tokens, std::int32_t passes) {
    constexpr std::int32_t rows = 64, columns = 1024, group = 128;
    int4_panels shape;
    shape.rows = rows;
    shape.columns = columns;
    shape.group = group;
    shape.groups = columns / group;
    aligned_memory memory{static_cast<std::size_t>(shape.bytes()) + 8192};
    std::memset(memory.data(), 0x35, memory.size());
    shape.data = memory.data();
    quantised_buffer x{tokens, columns};
    x.shape(tokens, group, columns / group, passes);
    const std::vector<float> row(columns, 1.0f);
    for (std::int32_t t = 0; t < tokens; ++t)
        x.put(rows_for(variant.needs), t, row.data(), columns);
    std::vector<float> result(static_cast<std::size_t>(tokens) * rows);
    return fastest_seconds(
        3, [&] { variant.run(shape, x.rows(), result.data(), rows, 0, shape.count()); });
}

}  // namespace detail

/// The fastest variant over one token and a block of many: one for both, so that a token's bits do
/// not depend on its company. Cost: a few milliseconds.
inline int4_variant fastest_int4(isa most, std::int32_t passes) {
    int4_variant fastest;
    double least = 1e30;
    for (const int4_variant& variant : int4_variants(most)) {
        const double took = detail::int4_seconds(variant, 1, passes) *
                            detail::int4_seconds(variant, 2 * block_tokens, passes);
        if (took < least) fastest = variant;
        least = std::min(least, took);
    }
    return fastest;
}

}  // namespace g4::cpu
