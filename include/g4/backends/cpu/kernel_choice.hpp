// The kernels of this run: timed at start, because flags do not tell what is fast.
#pragma once
#include "g4/backends/cpu/attention.hpp"
#include "g4/backends/cpu/int4_linear.hpp"
#include "g4/backends/cpu/options.hpp"
#include "g4/backends/cpu/plain_bf16.hpp"
#include "g4/backends/cpu/plain_linear.hpp"

namespace g4::cpu {

/// One kernel of each kind, for one token and for many: their sums must be the same bits.
struct kernel_set {
    const row_kernels* rows = nullptr;
    const attention_kernels* attention = nullptr;
    plain_kernels plain{};
    int4_kernel int4 = nullptr;
};

namespace detail {

/// Seconds of a small bf16 GEMM.
inline double plain_seconds(const plain_kernels& kernels) {
    constexpr std::int32_t rows = 32, columns = 512, tokens = 20;
    const std::vector<std::uint16_t> weights(rows * columns, 0x3f80);
    std::vector<float> x(columns, 1.0f), arranged(tokens * columns), out(tokens * rows);
    for (std::int32_t t = 0; t < tokens; ++t)
        kernels.arrange(x.data(), columns, dtype::bf16, arranged.data() + t * columns);
    const plain_matrix w{reinterpret_cast<const std::byte*>(weights.data()), dtype::bf16, rows,
                         columns};
    return fastest_seconds(5, [&] {
        kernels.multiply(w, {arranged.data(), columns, tokens}, out.data(), rows, 0, rows);
    });
}

}  // namespace detail

/// The fastest plain kernels. Those that round activations to bf16 must win by a fifth.
inline plain_kernels choose_plain(isa most, const logger& log) {
    plain_kernels best = plain_for(isa::portable);
    std::string_view name = name_of_isa(isa::portable);
    double least = 1e30;
    for (const isa which : {isa::portable, isa::avx2, isa::avx512, isa::bf16}) {
        if (which > most) continue;
        plain_kernels kernels = plain_for(which);
        double handicap = 1;
#ifdef G4_CPU_X86
        if (which == isa::bf16) {
            kernels = bf16::plain_of_this_isa;
            handicap = 1.25;
        }
#endif
        const double took = handicap * detail::plain_seconds(kernels);
        if (took >= least) continue;
        least = took;
        best = kernels;
        name = name_of_isa(which);
    }
    log.info("cpu: plain linears by ", name);
    return best;
}

/// Cost: a few milliseconds.
inline kernel_set choose_kernels(const cpu_options& options) {
    const std::int32_t passes = options.activation_bits / 8;
    const int4_variant int4 = fastest_int4(options.most, passes);
    options.log.info("cpu: int4 linears by ", name_of_isa(int4.needs), ", activations of ",
                     options.activation_bits, " bits");
    options.log.info("cpu: norms, activations and attention by ", name_of_isa(options.most));
    return {&rows_for(options.most), &attention_for(options.most),
            choose_plain(options.most, options.log), int4.run};
}

}  // namespace g4::cpu
