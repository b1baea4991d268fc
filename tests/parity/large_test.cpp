// A checkpoint of the real size against the oracle. Needs one: G4_LARGE_CHECKPOINT names a folder,
// for instance of `python3 -m tools.checkpoint DIR --preset e4b --form auto-round` (10 GB).
#include "tests/support/large_case.hpp"
#include "g4/backends/reference/backend.hpp"
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <doctest/doctest.h>
#include <random>
#include <thread>

using namespace g4;

namespace {

/// Mean difference of log-probabilities from `exact`, over all rows and the whole vocabulary.
double mean_difference(const std::vector<std::vector<float>>& got,
                       const std::vector<std::vector<float>>& exact) {
    double sum = 0;
    std::size_t count = 0;
    for (std::size_t r = 0; r < got.size(); ++r)
        for (std::size_t i = 0; i < got[r].size(); ++i, ++count)
            sum += std::abs(static_cast<double>(got[r][i]) - exact[r][i]);
    return sum / static_cast<double>(count);
}

std::vector<std::vector<float>> logprobs(const reference::activation& logits) {
    std::vector<std::vector<float>> out;
    for (std::int64_t r = 0; r < logits.rows; ++r) {
        const auto row = logits.row(r);
        const double most = *std::max_element(row.begin(), row.end());
        double sum = 0;
        for (const float l : row) sum += std::exp(l - most);
        std::vector<float>& to = out.emplace_back(row.begin(), row.end());
        for (float& l : to) l = static_cast<float>(l - most - std::log(sum));
    }
    return out;
}

}  // namespace

TEST_CASE("cpu: 64 tokens of a checkpoint of the real size lose no more than bf16 does") {
    const char* folder = std::getenv("G4_LARGE_CHECKPOINT");
    if (folder == nullptr) {
        MESSAGE("SKIPPED: G4_LARGE_CHECKPOINT names no checkpoint");
        return;
    }
    apps::run_options options;
    options.device = "cpu";
    options.max_model_len = 128;
    options.max_num_seqs = 1;
    const apps::running_model model = apps::start_model(folder, options, {});
    const std::int32_t vocabulary = model.runs->reserved().vocabulary;
    std::mt19937 random{7};
    std::uniform_int_distribution<std::int32_t> token{300, vocabulary - 5000};
    std::vector<std::int32_t> prompt{2};
    while (prompt.size() < 64) prompt.push_back(token(random));

    testing::lockstep_batch batch{*model.runs, 1, 65};
    const step_result result = batch.run({prompt}, 64, {.top_logprobs = vocabulary});
    std::vector<std::vector<float>> got;
    for (std::size_t r = 0; r < prompt.size(); ++r) {
        std::vector<float>& row = got.emplace_back(static_cast<std::size_t>(vocabulary));
        for (const token_logprob& t : result.top.subspan(r * row.size(), row.size()))
            row[static_cast<std::size_t>(t.token)] = t.logprob;
    }
    const unsigned threads = std::thread::hardware_concurrency();
    const bound_program& program = model.config.model.program;
    reference::sequence exact_sequence, bf16_sequence;
    const auto exact = logprobs(
        reference::backend{program, model.table(), threads}.run(exact_sequence, prompt));
    const auto bf16 = logprobs(
        reference::backend{program, model.table(), threads, reference::rounding::bf16}.run(
            bf16_sequence, prompt));
    const double lost = mean_difference(got, exact), allowed = mean_difference(bf16, exact);
    MESSAGE("mean difference ", lost, "; rounding behind every operator ", allowed);
    CHECK(lost <= 1.5 * allowed);
}

TEST_CASE("cpu: 700 tokens and 32 more of a checkpoint of the real size, in chunks and batches") {
    testing::check_large("cpu", {});
}
