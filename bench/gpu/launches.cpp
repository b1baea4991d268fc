// What starting a kernel costs: one by one and as a replay, in order and overlapped.
#include "tests/support/gpu.hpp"
#include <chrono>
#include <cstdio>
#include <string>
#include <utility>

namespace {

using g4::testing::gpu;
using clock_type = std::chrono::steady_clock;

struct touch_args {
    float* values;
    int count;
};

// Reads and writes a row of 2560 values, as the small kernels of a layer do.
g4::kernel_request touch_request() {
    return {.name = "g4_bench_touch", .text = R"(
#include "codegen/core/depend.cuh"
struct touch_args { float* values; int count; };
extern "C" __global__ void g4_bench_touch(const __grid_constant__ touch_args args) {
    g4k::let_next_start();
    g4k::wait_for_inputs();
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < args.count) args.values[at] = args.values[at] * 0.5f + 1.0f;
}
)"};
}

double microseconds(clock_type::time_point from, clock_type::time_point to) {
    return std::chrono::duration<double, std::micro>(to - from).count();
}

struct cost {
    double host_us, device_us;  // of one kernel
};

constexpr int chain = 400;

template <class Start> cost measure(const gpu& on, int kernels, const Start& start) {
    const g4::event begin{on.device(), true}, end{on.device(), true};
    cost best{1e9, 1e9};
    for (int i = 0; i < 12; ++i) {
        on.stream().synchronize();
        on.stream().record(begin);
        const auto from = clock_type::now();
        start();
        const auto to = clock_type::now();
        on.stream().record(end);
        end.synchronize();
        best.host_us = std::min(best.host_us, microseconds(from, to) / kernels);
        best.device_us =
            std::min(best.device_us, double(end.milliseconds_since(begin)) * 1e3 / kernels);
    }
    return best;
}

void print(const char* what, cost of) {
    std::printf("  %-34s host %6.2f us   device %6.2f us a kernel\n", what, of.host_us,
                of.device_us);
}

}  // namespace

int main() {
    gpu* const on = g4::testing::open_gpu();
    if (on == nullptr) return 0;
    std::printf("%s, %s\n", on->info().name.c_str(), on->info().arch.c_str());
    auto from = clock_type::now();
    const g4::kernel& touch = on->compile(touch_request());
    std::printf("  compile and load %.1f ms\n", microseconds(from, clock_type::now()) / 1e3);
    const auto values = on->filled<float>(2560);
    for (const unsigned blocks : {10u, 132u}) {
        std::printf("%u blocks of 256, %d kernels one after the other\n", blocks, chain);
        for (const bool programmatic : {false, true}) {
            const auto body = [&] {
                for (int i = 0; i < chain; ++i)
                    on->stream().launch(touch, {.grid_x = blocks, .threads = 256},
                                        touch_args{values.data(), 2560}, programmatic);
            };
            print(programmatic ? "launched, overlapped" : "launched, in order",
                  measure(*on, chain, body));
            from = clock_type::now();
            const g4::replay all = on->stream().capture(body);
            const double captured = microseconds(from, clock_type::now());
            print(programmatic ? "replayed, overlapped" : "replayed, in order",
                  measure(*on, chain, [&] { on->stream().launch(all); }));
            std::printf("    capture and instantiate %.2f us a kernel\n", captured / chain);
        }
    }
    const g4::replay one = on->stream().capture([&] {
        on->stream().launch(touch, {.grid_x = 10, .threads = 256}, touch_args{values.data(), 2560});
    });
    print("replay of one kernel", measure(*on, 1, [&] { on->stream().launch(one); }));
}
