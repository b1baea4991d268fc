// Prefill attention of E4B's two kinds of layers on sm_90a: a prompt at once, and a late chunk.
#include "tests/support/prefill_hopper_case.hpp"
#include <cstdio>

namespace {

using g4::testing::attention_case;
using g4::testing::sequence_size;

void measure(g4::testing::gpu& gpu, const char* name, const g4k::attention_config& attention,
             const sequence_size& size) {
    const attention_case host{attention, {size}, 0, 3};
    const auto config = g4::cuda::choose_prefill_hopper(attention);
    const g4::testing::prefill_hopper_case one{gpu, host, config};
    const auto time = gpu.time([&](int) { one.launch(); }, 3, 5);
    std::printf("%-8s %6d %6d %6d  %9.1f us  %6.1f TFLOP/s\n", name, attention.head_dim, size.past,
                size.rows, time.median_us, one.flops() / time.median_us / 1e6);
    std::fflush(stdout);
}

}  // namespace

int main() {
    auto* gpu = g4::testing::open_gpu();
    if (gpu == nullptr) return 0;
    if (gpu->info().arch != "sm_90a") {
        std::printf("SKIPPED: this attention is written for sm_90a, got %s\n",
                    gpu->info().arch.c_str());
        return 0;
    }
    std::printf("%s; layer, head dimension, past, rows; work that no mask hides\n",
                gpu->info().name.c_str());
    for (const sequence_size& size : {sequence_size{0, 512}, {0, 2048}, {0, 8192}, {14336, 2048}}) {
        measure(*gpu, "local", {.head_dim = 256, .q_heads = 8, .kv_heads = 2, .window = 512}, size);
        measure(*gpu, "global", {.head_dim = 512, .q_heads = 8, .kv_heads = 2, .window = 0}, size);
    }
    return 0;
}
