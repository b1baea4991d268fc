// What choosing tokens costs: greedy and full steps over a vocabulary of 262,144.
#include "tests/support/sample_gpu.hpp"
#include <cmath>
#include <cstdio>
#include <random>

namespace {

using namespace g4;
using namespace g4::testing;

constexpr std::int32_t vocabulary = 262144, most_rows = 128;

struct setting {
    const char* name;
    float temperature;
    int top_k;
    float top_p, min_p;
    int top_logprobs;
    bool penalties;
    float spread;  // of the logits
};

std::vector<float> logits_of(float spread) {
    std::mt19937 random{3};
    std::normal_distribution<float> normal{0, spread};
    std::vector<float> out(static_cast<std::size_t>(vocabulary) * most_rows);
    std::vector<float> one(vocabulary * 2);
    for (float& x : one) x = normal(random);
    for (std::size_t i = 0; i < out.size(); ++i)  // rows differ, and are made in little time
        out[i] = one[(i / vocabulary * 977 + i % vocabulary) % one.size()];
    return out;
}

std::vector<g4k::sample_row> rows_of(const setting& s) {
    std::vector<g4k::sample_row> out;
    for (int r = 0; r < most_rows; ++r) {
        g4k::sample_row row{};
        row.active = 1;
        row.temperature = s.temperature;
        row.top_k = s.top_k;
        row.top_p = s.top_p;
        row.min_p = s.min_p;
        row.repetition = s.penalties ? 1.1f : 1.0f;
        row.frequency = s.penalties ? 0.2f : 0.0f;
        row.seed = static_cast<unsigned long long>(r);
        row.slot = s.penalties ? r % 16 : -1;
        row.given = -1;
        row.top_logprobs = s.top_logprobs;
        row.first_top = r * std::max(0, s.top_logprobs);
        out.push_back(row);
    }
    return out;
}

void time_all(gpu& on, loaded_kernels& loaded, const g4k::sample_config& config) {
    sampling_on_gpu device{on, loaded, {vocabulary, 16, most_rows, 0}, vocabulary, config};
    for (int slot = 0; slot < 16; ++slot) device.start(slot, {1, 2, 3});
    const setting settings[]{
        {"greedy kernel", 0, 0, 1, 0, -1, false, 3},
        {"greedy row in a full step", 0, 0, 1, 0, -1, false, 3},
        {"temperature 1", 1, 0, 1, 0, -1, false, 3},
        {"top_k 64, top_p 0.95", 1, 64, 0.95f, 0, -1, false, 3},
        {"  with 20 logprobs", 1, 64, 0.95f, 0, 20, false, 3},
        {"  with penalties", 1, 64, 0.95f, 0, -1, true, 3},
        {"top_p 0.95, few keep it", 1, 0, 0.95f, 0, -1, false, 6},
        {"top_p 0.95, many keep it", 1, 0, 0.95f, 0, -1, false, 1},
        {"min_p 0.05", 1, 0, 1, 0.05f, -1, false, 3},
        {"top_k 5000, top_p 0.95", 1, 5000, 0.95f, 0, -1, false, 3},
        {"all logits equal, top_p 0.9", 1, 0, 0.9f, 0, -1, false, 0},
    };
    std::printf("%d threads, %d candidates: microseconds a step, median (best)\n", config.threads,
                config.candidates);
    std::printf("  %-28s %14s %14s %14s\n", "rows", "1", "64", "128");
    float spread = -1;
    for (const setting& s : settings) {
        if (s.spread != spread) device.upload(logits_of(s.spread), {g4k::sample_row{}}, {});
        spread = s.spread;
        device.upload({}, rows_of(s), {});
        std::printf("  %-28s", s.name);
        for (const std::int32_t rows : {1, 64, 128}) {
            const bool greedy = &s == &settings[0];
            device.choose(rows, greedy);  // loads what the replay will hold
            const kernel_time took = on.time([&](int) { device.choose(rows, greedy); });
            std::printf(" %7.2f (%6.2f)", took.median_us, took.best_us);
        }
        std::printf("\n");
    }
}

}  // namespace

int main() {
    auto* on = open_gpu();
    if (on == nullptr) return 0;
    std::printf("%s, vocabulary %d\n", on->info().name.c_str(), vocabulary);
    loaded_kernels loaded;
    time_all(*on, loaded, {});
    sampling_on_gpu device{*on, loaded, {vocabulary, 4, 1, 0}, vocabulary};
    const kernel& clear = on->compile(device.kernels().clear().request);
    const g4k::slot_args args{device.args().slots, 1, nullptr, 0};
    const kernel_time took =
        on->time([&](int) { on->stream().launch(clear, device.kernels().clear().shape, args); });
    std::printf("  clear a slot: %.2f (%.2f) us\n", took.median_us, took.best_us);
}
