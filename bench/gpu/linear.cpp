// Linear kernels at the shapes of Gemma 4 E4B, as they run: in a replay, one behind the other with
// overlapped starts, each with weights that no cache holds.
#include "g4/backends/cuda/linear.hpp"
#include "tests/support/gpu.hpp"
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using g4::testing::gpu;

enum class work { sums, gate_up, gate_input, softcap };
struct shape {
    const char* name;
    int rows, columns, group;  // group 0: bf16
    work what;
};

constexpr shape shapes[]{
    {"qkv", 3072, 2560, 128, work::sums},         {"qkv global", 6144, 2560, 128, work::sums},
    {"q", 2048, 2560, 128, work::sums},           {"q global", 4096, 2560, 128, work::sums},
    {"o", 2560, 2048, 128, work::sums},           {"o global", 2560, 4096, 128, work::sums},
    {"gate up", 20480, 2560, 128, work::gate_up}, {"down", 2560, 10240, 128, work::sums},
    {"ple gate", 256, 2560, 128, work::gate_input}, {"ple projection", 2560, 256, 128, work::sums},
    {"qkv g32", 3072, 2560, 32, work::sums},      {"gate up g32", 20480, 2560, 32, work::gate_up},
    {"layer inputs", 10752, 2560, 0, work::sums}, {"head", 262144, 2560, 0, work::softcap},
};

g4k::linear_config config_of(const shape& s) {
    g4k::linear_config c;
    c.form = s.group == 0 ? g4k::weight_form::plain_bf16 : g4k::weight_form::int4;
    c.group = s.group;
    c.out = s.what == work::sums || s.what == work::softcap ? g4k::number_type::f32
                                                            : g4k::number_type::bf16;
    c.paired = s.what == work::gate_up;
    c.input_count = s.what == work::gate_input ? 1 : 0;
    if (s.what == work::softcap) {
        c.steps[0] = {g4k::step_op::softcap, 0, 0, 30, -1};
    } else if (s.what != work::sums) {
        c.steps[0].op = g4k::step_op::gelu_tanh;
        c.steps[1] = {g4k::step_op::mul, 2, 1, 0, -1};
    }
    return c;
}

struct memory {
    g4::testing::device_vector<unsigned char> weights, scales, x, out;
};

/// One product ready to launch, and what its weights take.
struct prepared {
    g4::cuda::linear_tiling tiling;
    const g4::kernel* kernel;
    g4::launch_shape launch;
    g4k::linear_args args;
    std::size_t weight_bytes, scale_bytes;
};

prepared prepare(gpu& on, const memory& in, const shape& s, int tokens) {
    const g4::cuda::linear_sizes sizes{config_of(s).form, s.group, tokens, s.rows, s.columns,
                                       s.what != work::sums};
    prepared out;
    out.tiling = choose_linear(sizes, on.info().multiprocessors);
    const auto config = with_tiling(config_of(s), out.tiling);
    g4k::linear_args& args = out.args;
    args.x = reinterpret_cast<const g4k::bf16_bits*>(in.x.data());
    args.x_stride = s.columns;
    args.tokens = tokens;
    args.rows = s.rows;
    args.columns = s.columns;
    args.splits = out.tiling.splits;
    args.out = in.out.data();
    args.out_stride = config.paired ? s.rows / 2 : s.rows;
    args.split_stride = std::int64_t{tokens} * s.rows;
    args.inputs[0] = {args.x, s.rows, nullptr};
    const std::size_t units = static_cast<std::size_t>(g4k::stored_tiles(s.rows)) *
                              static_cast<std::size_t>(g4k::units_of(s.columns));
    out.weight_bytes = units * static_cast<std::size_t>(g4k::unit_bytes(config.form));
    out.scale_bytes = s.group == 0 ? 0 : units * 64 / static_cast<std::size_t>(s.group) * 32;
    out.kernel = &on.compile(g4::cuda::linear_request(config));
    out.launch = g4::cuda::linear_shape(config, args);
    return out;
}

void measure(gpu& on, const memory& in, const shape& s, int tokens) {
    prepared p = prepare(on, in, s, tokens);
    const std::size_t copies = std::min(in.weights.bytes() / p.weight_bytes,
                                        (std::size_t{300} << 20) / p.weight_bytes + 1);
    const int calls = static_cast<int>(std::max<std::size_t>(copies, copies > 1 ? 20 : 2));
    const auto time = on.time(
        [&](int i) {
            const std::size_t copy = static_cast<std::size_t>(i) % copies;
            p.args.weights = in.weights.data() + copy * p.weight_bytes;
            p.args.scales = in.scales.data() + copy * p.scale_bytes;
            on.stream().launch(*p.kernel, p.launch, p.args);
        },
        calls, 5);
    const double bytes = static_cast<double>(p.weight_bytes + p.scale_bytes);
    const auto& t = p.tiling;
    std::printf("%-15s %5d %9.2f us %6.0f GB/s %6.1f TFLOP/s  %s%d rows %dx%d columns %dx%d "
                "depth %d span %d tokens /%d, %u blocks\n",
                s.name, tokens, time.median_us, bytes / time.median_us / 1e3,
                2.0 * tokens * s.rows * s.columns / time.median_us / 1e6,
                t.staged ? "staged " : "streamed ", t.token_tile, t.row_warps, t.row_tiles,
                t.column_warps, t.splits, t.depth, t.span, t.token_warps,
                p.launch.grid_x * p.launch.grid_y * p.launch.grid_z);
}

/// The products of a sliding layer one after the other, again and again, each with its own weights.
void measure_layers(gpu& on, const memory& in, int tokens, double limit) {
    std::vector<prepared> layer;
    for (const char* name : {"qkv", "o", "gate up", "down", "ple gate", "ple projection"})
        for (const shape& s : shapes)
            if (std::string{name} == s.name) layer.push_back(prepare(on, in, s, tokens));
    std::size_t bytes = 0, scale_bytes = 0;
    for (const prepared& p : layer) {
        bytes += p.weight_bytes;
        scale_bytes += p.scale_bytes;
    }
    const std::size_t layers =
        std::min(in.weights.bytes() / bytes, in.scales.bytes() / scale_bytes);
    std::size_t weights_at = 0, scales_at = 0;
    const auto time = on.time(
        [&](int i) {
            if (i == 0) weights_at = scales_at = 0;
            for (prepared& p : layer) {
                p.args.weights = in.weights.data() + weights_at;
                p.args.scales = in.scales.data() + scales_at;
                weights_at += p.weight_bytes;
                scales_at += p.scale_bytes;
                on.stream().launch(*p.kernel, p.launch, p.args);
            }
        },
        static_cast<int>(layers), 5);
    const double total = static_cast<double>(bytes + scale_bytes);
    std::printf("layer of 6      %5d %9.2f us %6.0f GB/s, %.0f %% of reading\n", tokens,
                time.median_us, total / time.median_us / 1e3,
                total / time.median_us / 10 / limit);
}

/// Reading everything once, by the widest matrix-free kernel: what the figures are held against.
double read_limit(gpu& on, const memory& in) {
    struct read_args {
        const void* from;
        long long vectors;
        unsigned* to;
    };
    const g4::kernel_request request{"g4_bench_read", R"(
#include "codegen/core/async_copy.cuh"
struct read_args { const uint4* from; long long vectors; unsigned* to; };
extern "C" __global__ void g4_bench_read(const __grid_constant__ read_args args) {
    unsigned sum = 0;
    const long long stride = static_cast<long long>(gridDim.x) * blockDim.x;
    long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    for (; i + 3 * stride < args.vectors; i += 4 * stride)
        for (int k = 0; k < 4; ++k) sum += g4k::load_streaming(args.from + i + k * stride).x;
    if (sum == 1) *args.to = sum;
}
)"};
    const read_args args{in.weights.data(), static_cast<long long>(in.weights.bytes() / 16),
                         reinterpret_cast<unsigned*>(in.out.data())};
    const auto& kernel = on.compile(request);
    const g4::launch_shape launch{
        .grid_x = static_cast<unsigned>(on.info().multiprocessors * 8), .threads = 256};
    const auto time = on.time([&](int) { on.stream().launch(kernel, launch, args); }, 2, 5);
    return static_cast<double>(in.weights.bytes()) / time.best_us / 1e3;
}

}  // namespace

/// g4-gpu-bench-linear [tokens...]
int main(int count, char** words) {
    auto* on = g4::testing::open_gpu();
    if (on == nullptr) return 0;
    std::vector<int> tokens;
    for (int i = 1; i < count; ++i) tokens.push_back(std::atoi(words[i]));
    if (tokens.empty()) tokens = {1, 4, 8, 16, 32, 64};
    const int most = *std::ranges::max_element(tokens);
    const auto rows = static_cast<std::size_t>(most);
    const memory in{on->filled<unsigned char>(std::size_t{2100} << 20, 0x31),
                    on->filled<unsigned char>(std::size_t{70} << 20, 0x21),
                    on->filled<unsigned char>(rows * 10240 * 2, 0x3c),
                    on->filled<unsigned char>(rows * 262144 * 4)};
    const double limit = read_limit(*on, in);
    std::printf("%s: read %.0f GB/s\n", on->info().name.c_str(), limit);
    for (const int t : tokens) measure_layers(*on, in, t, limit);
    for (const shape& s : shapes)
        for (const int t : tokens)
            if (t <= 64 || s.rows < 100000) measure(*on, in, s, t);
    return 0;
}
