// Row kernels and the start of a step at E4B's sizes: g4-gpu-bench-row. Activations come from L2
// while they fit there, as between the kernels of a step.
#include "g4/backends/cuda/row.hpp"
#include "g4/backends/cuda/step.hpp"
#include "g4/graph/bound_rope.hpp"
#include "tests/support/gpu.hpp"
#include "tests/support/row_configs.hpp"
#include <cstdio>
#include <list>
#include <string>
#include <vector>

namespace {

using namespace g4::testing;

/// One launch's arguments, with memory of its own. Numbers are all alike: time does not depend on
/// them.
class row_bench {
  public:
    row_bench(gpu& on, const row_config& config, int rows, int splits) : on_{on}, rows_{rows} {
        args_.rows = rows;
        std::vector<int> positions, sequence_of(static_cast<std::size_t>(rows), 0), pages;
        for (int r = 0; r < rows; ++r) positions.push_back(r);
        for (int p = 0; p <= rows / 64; ++p) pages.push_back(p);
        args_.tables = {upload(sequence_of), upload(positions), upload(sequence_of),
                        upload(std::vector<g4k::sequence_entry>(1)), upload(pages)};
        for (int c = 0; c < config.chain_count; ++c)
            add(config.chains[c], args_.chains[c], splits, config.page_tokens);
    }
    const g4k::row_args& args() const { return args_; }
    /// That must move at least once.
    double bytes() const { return bytes_; }

  private:
    template <class T> const T* upload(const std::vector<T>& from) {
        auto& to = memory_.emplace_back(on_.filled<unsigned char>(from.size() * sizeof(T)));
        on_.stream().copy_to_device(to.data(), from.data(), to.bytes());
        on_.stream().synchronize();
        return reinterpret_cast<const T*>(to.data());
    }
    void* filled(double bytes) {
        return memory_.emplace_back(on_.filled<unsigned char>(static_cast<std::size_t>(bytes), 60))
            .data();
    }
    void add(const g4k::row_chain& chain, g4k::row_chain_args& to, int splits, int page_tokens) {
        const int width = chain.width * chain.parts;
        const double elements = double(width) * rows_;
        for (int i = 0; i < chain.source_count; ++i) {
            const bool sums = chain.sources[i] == source_kind::sums;
            const bool wide = sums || chain.sources[i] == source_kind::f32;
            const double bytes = elements * (wide ? 4 : 2) * (sums ? splits : 1);
            to.sources[i] = {filled(bytes), width, static_cast<long long>(elements), splits,
                             nullptr};
            bytes_ += bytes;
        }
        for (auto& vector : to.vectors) vector = static_cast<const float*>(filled(chain.width * 4));
        if (g4k::row_turns(chain)) {
            to.rope = static_cast<const float*>(filled(double(rows_) * chain.width * 4));
            bytes_ += double(rows_) * chain.width * 4;
        }
        for (int i = 0; i < chain.target_count; ++i) {
            const bool wide = chain.targets[i].kind == target_kind::f32;
            bytes_ += elements * (wide ? 4 : 2);
            to.targets[i].stride = width;
            if (page_tokens > 0 && chain.targets[i].kind >= target_kind::key) {
                const long long page = 4LL * page_tokens * width;
                to.targets[i].cache = {
                    static_cast<char*>(filled(double(page) * (rows_ / page_tokens + 1))), page, 0,
                    0};
            } else {
                to.targets[i].data = filled(elements * (wide ? 4 : 2));
            }
        }
    }

    gpu& on_;
    int rows_;
    double bytes_ = 0;
    g4k::row_args args_{};
    std::list<device_vector<unsigned char>> memory_;
};

void report(const char* name, int rows, int splits, const kernel_time& time, double bytes,
            const g4::launch_shape& shape, int registers) {
    std::printf("%-16s rows %5d splits %2d  %8.2f us  %6.0f GB/s  [%u x %u, %d reg]\n", name, rows,
                splits, time.median_us, bytes / time.median_us / 1e3, shape.grid_x, shape.threads,
                registers);
}

void run(gpu& on, const std::string& name, row_config config, int splits,
         const std::vector<int>& all_rows, int team = 0) {
    config.team = team;
    for (const bool many : {false, true}) {
        config.many_rows = many;
        const g4::kernel& kernel = on.compile(g4::cuda::row_request(config));
        for (const int rows : all_rows) {
            if (many ? rows < 64 || team != 0 : rows > 4096) continue;
            row_bench bench{on, config, rows, splits};
            const auto shape = g4::cuda::row_shape(config, rows);
            const auto time =
                on.time([&](int) { on.stream().launch(kernel, shape, bench.args()); });
            report((many ? "* " + name : name).c_str(), rows, splits, time, bench.bytes(), shape,
                   kernel.resources().registers);
        }
    }
}

void run_begin(gpu& on, int rows) {
    const auto ints = on.filled<int>(static_cast<std::size_t>(rows));
    const auto tokens = on.filled<int>(static_cast<std::size_t>(rows));
    const auto local = on.upload(g4::bound_rope{1e4, 1, 1, 256}.frequencies());
    const auto global = on.upload(g4::bound_rope{1e6, 0.25, 1, 512}.frequencies());
    const auto values = on.filled<float>(static_cast<std::size_t>(rows) * 768);
    const g4k::begin_step_args args{
        rows,
        ints.data(),
        ints.data(),
        tokens.data(),
        ints.data(),
        2,
        {{local.data(), values.data(), 128}, {global.data(), values.data() + rows * 256, 256}}};
    const g4::kernel& kernel = on.compile(g4::cuda::begin_step_request());
    const auto shape = g4::cuda::begin_step_shape(args);
    const auto time = on.time([&](int) { on.stream().launch(kernel, shape, args); });
    report("begin_step", rows, 0, time, rows * 768 * 4.0, shape, kernel.resources().registers);
}

}  // namespace

int main() {
    gpu* on = open_gpu();
    if (on == nullptr) return 0;
    std::printf("%s\n", on->info().name.c_str());
    std::printf("* cut for many rows\n");
    const std::vector<int> few{1, 64}, all{1, 64, 256, 512, 4096, 16384};
    run(*on, "residual_norm", residual_and_norm(2560), 1, all);
    for (const int splits : {4, 8}) {
        run(*on, "residual_norm", residual_and_norm(2560), splits, few);
        run(*on, "residual_norm", residual_and_norm(2560), splits, few, 640);
    }
    run(*on, "layer_end", layer_end(2560), 8, {1});
    run(*on, "embedding", embedding(2560), 1, {1});
    run(*on, "layer_inputs", layer_inputs(256, 42), 1, {1, 64, 512, 4096});
    run(*on, "heads_256", heads(256, 8, 2, 64), 4, few);
    run(*on, "heads_256", heads(256, 8, 2, 64), 1, all);
    run(*on, "heads_512", heads(512, 8, 2, 64), 1, {1, 4096});
    for (const int rows : {1, 16384}) run_begin(*on, rows);
    return 0;
}
