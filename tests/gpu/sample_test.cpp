// Sampling on a device against the host's sampler, over the vocabularies that models have.
#include "tests/support/sample_gpu.hpp"
#include "tests/support/sample_trial.hpp"

namespace {

using namespace g4;
using namespace g4::testing;

struct shape {
    std::int32_t vocabulary;
    std::int64_t stride;
    std::int32_t rows, steps;
};

std::vector<g4k::token_bias> biases_of(const sample_trial& trial) {
    std::vector<g4k::token_bias> out;
    for (const logit_bias& one : trial.biases) out.push_back({one.token, one.added});
    return out;
}

void start_all(sampling_on_gpu& device, const sample_trial& trial) {
    for (std::size_t slot = 0; slot < trial.said.size(); ++slot) {
        const spoken& by = trial.said[slot];
        device.start(static_cast<int>(slot), {by.prompt.begin(), by.prompt.end()});
    }
}

cuda::sample_sizes sizes_of(const shape& s, const sample_trial& trial) {
    return {s.vocabulary, s.rows, s.rows, static_cast<std::int32_t>(trial.biases.size())};
}

/// Steps of mixed rows; each runs twice, which must not matter.
void compare(gpu& on, loaded_kernels& loaded, const shape& s, unsigned seed,
             const g4k::sample_config& config) {
    std::mt19937 random{seed};
    sample_trial trial{random, s.vocabulary, s.rows};
    sampling_on_gpu device{on, loaded, sizes_of(s, trial), s.stride, config};
    start_all(device, trial);
    for (std::int32_t position = 0; position < s.steps && !trial.lost; ++position) {
        CAPTURE(position);
        trial.fill_logits(s.stride, position % 3 == 1, position % 3 == 2);
        device.upload(trial.logits, trial.rows(position), biases_of(trial));
        device.choose(s.rows, false);
        trial.check({device.tokens(), device.sampled(), device.top()}, s.stride, position);
    }
    MESSAGE(trial.checked, " rows, of which ", trial.undecided, " hang on rounding");
    CHECK(trial.undecided * 30 <= trial.checked);
}

}  // namespace

TEST_CASE("sampling on a device: 64 mixed rows over 262,144 tokens are the host's") {
    auto* on = open_gpu();
    if (on == nullptr) return;
    loaded_kernels loaded;
    for (const unsigned seed : {1u, 2u}) compare(*on, loaded, {262144, 262144, 64, 3}, seed, {});
}

TEST_CASE("sampling on a device: odd vocabularies, strides and short lists") {
    auto* on = open_gpu();
    if (on == nullptr) return;
    loaded_kernels loaded;
    compare(*on, loaded, {1, 1, 3, 4}, 3, {});
    compare(*on, loaded, {1000, 1003, 33, 6}, 4, {});
    compare(*on, loaded, {50257, 50257, 16, 6}, 5, {});
    compare(*on, loaded, {300001, 300004, 9, 4}, 6, {});
    const g4k::sample_config scarce{.tiles = 512, .candidates = 64, .bins = 64, .threads = 256};
    compare(*on, loaded, {50257, 50260, 32, 6}, 7, scarce);
}

TEST_CASE("sampling on a device: greedy steps take the greatest") {
    auto* on = open_gpu();
    if (on == nullptr) return;
    loaded_kernels loaded;
    for (const shape& s :
         {shape{262144, 262144, 128, 3}, shape{50257, 50257, 5, 6}, shape{7, 7, 2, 6}}) {
        CAPTURE(s.vocabulary);
        std::mt19937 random{8};
        sample_trial trial{random, s.vocabulary, s.rows};
        for (wanted_row& want : trial.wanted) want.how = {};
        sampling_on_gpu device{*on, loaded, sizes_of(s, trial), s.stride};
        start_all(device, trial);
        for (std::int32_t position = 0; position < s.steps; ++position) {
            trial.fill_logits(s.stride, position % 2 == 0, position % 3 == 2);
            device.upload(trial.logits, trial.rows(position), biases_of(trial));
            device.choose(s.rows, true);
            trial.check({device.tokens(), device.sampled(), {}}, s.stride, position);
        }
        CHECK_FALSE(trial.lost);
    }
}

TEST_CASE("sampling on a device: equal steps give equal bits, padded rows are left alone") {
    auto* on = open_gpu();
    if (on == nullptr) return;
    loaded_kernels loaded;
    std::mt19937 random{9};
    const shape s{262144, 262144, 24, 1};
    sample_trial trial{random, s.vocabulary, s.rows};
    for (wanted_row& want : trial.wanted) {
        want.how.bias_count = 0;  // would be added again
        want.given = -1;
    }
    trial.fill_logits(s.stride, false, false);
    std::vector<g4k::sample_row> how = trial.rows(5);
    for (g4k::sample_row& row : how) row.slot = -1;  // nor is anything counted
    how.back() = {};
    sampling_on_gpu device{*on, loaded, sizes_of(s, trial), s.stride};
    device.upload(trial.logits, how, biases_of(trial));
    std::vector<int> first;
    std::vector<g4k::sample_choice> sampled, top;
    for (int run = 0; run < 5; ++run) {
        device.choose(s.rows, false);
        const auto same = [](const g4k::sample_choice& a, const g4k::sample_choice& b) {
            return a.token == b.token && (a.logprob == b.logprob || a.token == -1);
        };
        if (run > 0) {
            CHECK(device.tokens() == first);
            CHECK(std::ranges::equal(device.sampled(), sampled, same));
            CHECK(std::ranges::equal(device.top(), top, same));
        }
        first = device.tokens();
        sampled = device.sampled();
        top = device.top();
    }
    CHECK(first.back() == -1);  // as poisoned
    CHECK(sampled.back().token == -1);
}
