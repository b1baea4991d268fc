// The host's sampler over a vocabulary of 262,144: what one row costs, by what is asked of it.
#include <benchmark/benchmark.h>
#include <random>
#include "g4/gate/sampler.hpp"

namespace {

using namespace g4;

constexpr std::int32_t vocabulary = 262144;

sampling how(float temperature, std::int32_t top_k, float top_p, float min_p,
             std::int32_t logprobs) {
    sampling out;
    out.temperature = temperature;
    out.top_k = top_k;
    out.top_p = top_p;
    out.min_p = min_p;
    out.top_logprobs = logprobs;
    return out;
}

void pick(benchmark::State& state, const sampling& asked) {
    std::mt19937 random{1};
    std::normal_distribution<float> normal{0, 4};
    std::vector<float> logits(vocabulary);
    for (float& one : logits) one = normal(random);
    std::vector<std::int32_t> prompt(1000);
    for (std::int32_t& one : prompt) one = static_cast<std::int32_t>(random() % vocabulary);
    host_sampler sampler{vocabulary, 1};
    sampler.start({.slot = 0, .prompt = prompt});
    std::vector<token_logprob> top;
    const wanted_row want{.row = 0, .how = asked, .given = -1};
    std::int32_t position = 0;
    // a changed logit stays changed from row to row: the work is the same
    for (auto _ : state) {
        top.clear();
        benchmark::DoNotOptimize(sampler.pick(logits, want, {}, 0, position++, top));
    }
}

BENCHMARK_CAPTURE(pick, greedy, how(0, 0, 1, 0, -1))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(pick, top_k_64_top_p_95, how(1, 64, 0.95f, 0, -1))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(pick, top_k_64_top_p_95_logprobs_20, how(1, 64, 0.95f, 0, 20))
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(pick, repetition_penalty_of_1000_tokens,
                  [] {
                      sampling out = how(1, 64, 0.95f, 0, -1);
                      out.repetition_penalty = 1.1f;
                      return out;
                  }())
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(pick, min_p_05, how(1, 0, 1, 0.05f, -1))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(pick, temperature_alone, how(1, 0, 1, 0, -1))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(pick, top_p_95_alone, how(1, 0, 0.95f, 0, -1))->Unit(benchmark::kMillisecond);

}  // namespace
