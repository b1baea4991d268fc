// Sampling kernels in the emulator against the host's sampler, over small vocabularies.
#include "tests/support/simt.hpp"

#include "codegen/sample/choose.cuh"
#include "codegen/sample/greedy.cuh"
#include "codegen/sample/scan.cuh"
#include "codegen/sample/slots.cuh"
#include "g4/backends/cuda/sample.hpp"
#include "tests/support/sample_trial.hpp"

namespace {

using namespace g4;
using namespace g4::testing;
using cuda::sample_kernels, cuda::sample_launch, cuda::sample_sizes;
namespace simt = g4k::simt;

/// As on the device but for fewer threads, and lists so short that the general way is taken often.
constexpr g4k::sample_config plenty{.tiles = 64, .candidates = 512, .bins = 64, .threads = 256};
constexpr g4k::sample_config scarce{.tiles = 64, .candidates = 64, .bins = 64, .threads = 64};

/// The device memory of one trial.
template <g4k::sample_config config> class emulated {
  public:
    emulated(std::int32_t vocabulary, const sample_trial& of, std::int64_t stride)
        : kernels_{vocabulary, config},
          sizes_{vocabulary, count(of.wanted.size()), count(of.wanted.size()),
                 count(of.biases.size())},
          stride_{stride},
          scratch_(kernels_.scratch_bytes(sizes_)),
          slots_(kernels_.slot_bytes(sizes_)) {
        std::ranges::fill(scratch_, char{0});
        for (std::size_t r = 0; r < of.said.size(); ++r) start(static_cast<int>(r), of.said[r]);
    }

    sample_outcome step(const sample_trial& trial, std::int32_t position, bool greedy) {
        const std::size_t rows = trial.wanted.size();
        std::vector<g4k::token_bias> biases;
        for (const logit_bias& one : trial.biases) biases.push_back({one.token, one.added});
        std::vector<g4k::sample_row> how = trial.rows(position);
        how.push_back({});  // padded
        const simt::buffer<float> logits{trial.logits};
        const simt::buffer<g4k::sample_row> how_there{how};
        const simt::buffer<g4k::token_bias> biases_there{biases};
        const simt::buffer<int> tokens(rows);
        const simt::buffer<g4k::sample_choice> sampled(rows), top(trial.top_count());
        const g4k::sample_args args{.logits = logits.data(),
                                    .logits_stride = stride_,
                                    .vocabulary = sizes_.vocabulary,
                                    .how = how_there.data(),
                                    .biases = biases_there.data(),
                                    .slots = kernels_.slots_at(sizes_, slots_.data()),
                                    .scratch = kernels_.scratch_at(sizes_, scratch_.data()),
                                    .tokens = tokens.data(),
                                    .sampled = sampled.data(),
                                    .top = top.data()};
        for (const sample_launch& one : kernels_.choose(count(rows) + 1, greedy))
            simt::launch(one.shape, [&] { run(one.request.name, args); });
        return {{tokens.begin(), tokens.end()},
                {sampled.begin(), sampled.end()},
                {top.begin(), top.end()}};
    }
    const sample_kernels& kernels() const { return kernels_; }

  private:
    static std::int32_t count(std::size_t n) { return static_cast<std::int32_t>(n); }

    void start(int slot, const spoken& by) {
        const std::vector<int> prompt{by.prompt.begin(), by.prompt.end()};
        const simt::buffer<int> piece{prompt};
        const g4k::slot_args args{kernels_.slots_at(sizes_, slots_.data()), slot, piece.data(),
                                  count(prompt.size())};
        simt::launch(kernels_.clear().shape, [&] { g4k::clear_slot(args); });
        simt::launch(kernels_.mark(args.token_count).shape, [&] { g4k::mark_prompt(args); });
    }
    static void run(const std::string& name, const g4k::sample_args& args) {
        if (name == "g4_sample_greedy") g4k::choose_greatest<config>(args);
        else if (name == "g4_sample_scan") g4k::scan_logits<config>(args);
        else if (name == "g4_sample_choose") g4k::choose_tokens<config>(args);
        else FAIL("unknown kernel ", name);
    }

    sample_kernels kernels_;
    sample_sizes sizes_;
    std::int64_t stride_;
    simt::buffer<char> scratch_, slots_;
};

template <g4k::sample_config config> void compare(unsigned seed, int rounds) {
    std::mt19937 random{seed};
    int checked = 0, undecided = 0;
    for (int round = 0; round < rounds; ++round) {
        CAPTURE(round);
        const auto vocabulary =
            static_cast<std::int32_t>(1 + random() % (round % 4 == 0 ? 5000 : 300));
        const std::int64_t stride = vocabulary + static_cast<std::int64_t>(random() % 3);
        sample_trial trial{random, vocabulary, 4};
        emulated<config> device{vocabulary, trial, stride};
        for (std::int32_t position = 0; position < 5 && !trial.lost; ++position) {
            CAPTURE(position);
            trial.fill_logits(stride, round % 3 == 0, round % 5 == 0);
            trial.check(device.step(trial, position, false), stride, position);
        }
        checked += trial.checked;
        undecided += trial.undecided;
    }
    CHECK(undecided * 50 < checked);
}

}  // namespace

TEST_CASE("sample kernels: agree with the host where lists hold what rows keep") {
    compare<plenty>(1, 60);
}
TEST_CASE("sample kernels: agree with the host where lists are too short") {
    compare<scarce>(2, 100);
}

TEST_CASE("sample kernels: greedy steps take the greatest, the lowest id of equal ones") {
    std::mt19937 random{3};
    for (int round = 0; round < 40; ++round) {
        CAPTURE(round);
        const auto vocabulary = static_cast<std::int32_t>(1 + random() % 8000);
        const std::int64_t stride = vocabulary + static_cast<std::int64_t>(random() % 2);
        sample_trial trial{random, vocabulary, 3};
        for (wanted_row& want : trial.wanted) want.how = {};
        emulated<plenty> device{vocabulary, trial, stride};
        for (const wanted_row& want : trial.wanted) CHECK(g4::cuda::takes_greatest(want));
        for (std::int32_t position = 0; position < 3; ++position) {
            trial.fill_logits(stride, round % 2 == 0, round % 3 == 0);
            trial.check(device.step(trial, position, true), stride, position);
        }
        CHECK_FALSE(trial.lost);
        // what a greedy step has counted, penalties see
        for (wanted_row& want : trial.wanted) want.how.frequency_penalty = 0.7f;
        trial.fill_logits(stride, true, false);
        trial.check(device.step(trial, 4, false), stride, 4);
    }
}

TEST_CASE("sample kernels: a number for a seed and a position is the host's, bit by bit") {
    std::mt19937_64 random{4};
    for (int i = 0; i < 1000; ++i) {
        const std::uint64_t seed = random();
        const auto position = static_cast<std::int32_t>(random() % 300000);
        CHECK(g4k::random_unit(seed, position) == g4::random_unit(seed, position));
    }
}

TEST_CASE("sample kernels: keys are in the order of the numbers") {
    const std::vector<float> rising{-INFINITY, -3e38f, -1.0f, -1e-44f,
                                    0.0f,      1e-44f, 2.0f,  INFINITY};
    for (std::size_t i = 0; i + 1 < rising.size(); ++i) {
        CHECK(g4k::key_of(rising[i]) < g4k::key_of(rising[i + 1]));
        CHECK(g4k::value_of(g4k::key_of(rising[i])) == rising[i]);
    }
    CHECK(g4k::key_of(-0.0f) == g4k::key_of(0.0f));
    CHECK(g4k::key_of(NAN) > g4k::key_of(INFINITY));
    CHECK(g4k::key_of(-NAN) > g4k::key_of(INFINITY));
}

TEST_CASE("sample kernels: a vocabulary that needs too much shared memory is refused in words") {
    CHECK_THROWS_WITH(cuda::sample_kernels{600000},
                      "sampling: expected a vocabulary of 1 to 524288, got 600000");
}
