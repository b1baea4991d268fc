// Matrix products of E4B's shapes by tiles, beside what the cost model of backends/cuda/gemm.hpp
// predicts: g4-gpu-bench-gemm [chosen|sweep [product]]; a sweep takes all tilings.
#include "tests/support/gemm_case.hpp"
#include <cstdio>
#include <string_view>

namespace {

using g4::cuda::gemm_sizes;
using g4::cuda::gemm_tiling;
using g4::testing::gemm_case;
using g4k::number_type;
using g4k::step_op;

enum class kind { sums, gate_up, gelu_input, logits };
struct product {
    const char* name;
    std::int64_t rows, columns;
    kind what;
};
constexpr product products[]{{"qkv local", 3072, 2560, kind::sums},
                             {"qkv global", 6144, 2560, kind::sums},
                             {"q local", 2048, 2560, kind::sums},
                             {"o local", 2560, 2048, kind::sums},
                             {"o global", 2560, 4096, kind::sums},
                             {"gate up", 20480, 2560, kind::gate_up},
                             {"down", 2560, 10240, kind::sums},
                             {"layer gate", 256, 2560, kind::gelu_input},
                             {"layer projection", 2560, 256, kind::sums},
                             {"layer inputs", 10752, 2560, kind::sums},
                             {"head", 262144, 2560, kind::logits}};

g4k::gemm_config config_of(kind what) {
    g4k::gemm_config out{.out = number_type::f32};
    if (what == kind::gate_up || what == kind::gelu_input) {
        out.out = number_type::bf16;
        out.paired = what == kind::gate_up;
        out.input_count = what == kind::gelu_input ? 1 : 0;
        out.steps[0] = {.op = step_op::gelu_tanh, .left = 0};
        out.steps[1] = {.op = step_op::mul, .left = 2, .right = 1};
    }
    if (what == kind::logits) out.steps[0] = {.op = step_op::softcap, .left = 0, .number = 30};
    return out;
}

void measure(g4::testing::gpu& gpu, const product& p, std::int64_t tokens,
             const gemm_tiling& tiling, bool chosen) {
    const gemm_sizes sizes{tokens, p.rows, p.columns, p.columns};
    const double weights = static_cast<double>(p.rows * p.columns) * 2;
    const double flops = static_cast<double>(tokens) * weights;
    // Weights that L2 would keep from call to call are taken in turn.
    const int copies = static_cast<int>(std::clamp(150e6 / weights, 1.0, 16.0));
    gemm_case one{gpu, sizes, tiling, config_of(p.what), 5, 0, copies};
    double worst = 0;
    const std::string wrong = one.verify(60, &worst);
    const int calls = static_cast<int>(std::clamp(4e12 / flops, 3.0, 40.0));
    const auto time = gpu.time([&](int i) { one.launch(i); }, calls, 5);
    const double predicted = g4::cuda::gemm_cost(sizes, tiling, gpu.info().multiprocessors);
    std::printf("%-16s %6lld %6lld %6lld  %3d x%d /%-2d%c %8.1f us %6.1f TFLOP/s %6.0f GB/s  "
                "predicted %7.1f  worst %.2f %s\n",
                p.name, static_cast<long long>(tokens), static_cast<long long>(p.rows),
                static_cast<long long>(p.columns), tiling.row_tile, tiling.cluster, tiling.splits,
                chosen ? '*' : ' ', time.median_us, flops / time.median_us / 1e6,
                weights / time.median_us / 1e3, predicted, worst, wrong.c_str());
    std::fflush(stdout);
}

}  // namespace

int main(int count, char** arguments) {
    auto* gpu = g4::testing::open_gpu();
    if (gpu == nullptr) return 0;
    if (gpu->info().arch != "sm_90a") {
        std::printf("SKIPPED: gemm is written for sm_90a, got %s\n", gpu->info().arch.c_str());
        return 0;
    }
    const bool sweep = count > 1 && std::string_view{arguments[1]} == "sweep";
    const int multiprocessors = gpu->info().multiprocessors;
    std::printf("%s, %d multiprocessors; product, tokens, rows, columns, row tile x cluster / "
                "splits\n",
                gpu->info().name.c_str(), multiprocessors);
    for (const product& p : products) {
        if (count > 2 && std::string_view{arguments[2]} != p.name) continue;
        for (const std::int64_t tokens : {128, 512, 2048, 8192}) {
            if (p.what == kind::logits && tokens > 128) continue;
            const int most = p.what == kind::sums ? 8 : 1;
            const gemm_tiling best = g4::cuda::choose_gemm(
                {tokens, p.rows, p.columns, p.columns}, most, multiprocessors);
            if (!sweep) {
                measure(*gpu, p, tokens, best, true);
                continue;
            }
            for (const int cluster : {1, 2})
                for (const int row_tile : g4::cuda::gemm_row_tiles)
                    for (const int splits : {1, 2, 3, 4, 6, 8}) {
                        const gemm_tiling t{row_tile, cluster, splits};
                        if (splits > (tokens > 600 ? 1 : most) || (tokens <= 128 && cluster == 2) ||
                            (tokens > 600 && row_tile < 128))
                            continue;
                        measure(*gpu, p, tokens, t, t == best);
                    }
        }
    }
    return 0;
}
