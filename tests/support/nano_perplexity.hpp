// Scores a text with nano on a device, and beside it with the reference, exact and rounded.
#pragma once
#include "apps/bench/measure_perplexity.hpp"
#include "g4/backends/reference/backend.hpp"
#include "tests/support/temporary_folder.hpp"
#include <fstream>

namespace g4::testing {

inline const std::filesystem::path nano_folder = G4_SOURCE_DIR "/models/gemma4/nano/autoround";

inline std::string write_text(const temporary_folder& in, const std::string& text) {
    const std::filesystem::path file = in.path() / "text.txt";
    std::ofstream{file, std::ios::binary} << text;
    return file.string();
}

/// What the reference says of each scored token, window by window.
inline std::vector<float> reference_logprobs(const reference::backend& runs,
                                             const apps::scored_text& text,
                                             std::int32_t begin_token) {
    std::vector<float> out;
    for (const apps::text_window& w : text.windows) {
        apps::token_list ids{begin_token};
        ids.insert(ids.end(), text.tokens.begin() + w.begin, text.tokens.begin() + w.end);
        reference::sequence sequence;
        const reference::activation logits = runs.run(sequence, ids);
        for (std::int32_t i = w.scored - w.begin; i < w.end - w.begin; ++i) {
            const auto row = logits.row(i);
            double sum = 0;
            for (const float l : row) sum += std::exp(double{l});  // capped at 30
            const auto token = static_cast<std::size_t>(ids[static_cast<std::size_t>(i) + 1]);
            out.push_back(static_cast<float>(double{row[token]} - std::log(sum)));
        }
    }
    return out;
}

inline double mean_difference(const std::vector<float>& a, const std::vector<float>& b) {
    G4_ASSERT(a.size() == b.size(), "perplexity: ", a.size(), " and ", b.size(), " tokens");
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(double{a[i]} - double{b[i]});
    return sum / static_cast<double>(a.size());
}

/// Mean differences of log-probabilities from the reference in f32.
class nano_perplexity {
  public:
    explicit nano_perplexity(const std::string& device) {
        const temporary_folder folder;
        apps::bench_options options;
        options.model_folder = nano_folder.string();
        options.texts = {
            write_text(folder,
                       "What is 17 + 25? 42. Sort these numbers: 31, 4, 15, 92. 4, 15, 31, "
                       "92. Copy this: the quick brown fox jumps over the lazy dog.")};
        options.context = 40;
        options.stride = 16;
        const apps::perplexity_work work = apps::prepare_perplexity(options);
        apps::run_options how;
        how.device = device;
        how.kernel_cache = G4_BINARY_DIR "/kernels";
        const apps::running_model model =
            apps::start_model(nano_folder, apps::room_for(work, how, 0), {});
        const auto got =
            apps::score_texts(*model.runs, work, device == "cpu" ? 1 : 2, [](int, int) {});

        const bound_program& program = model.config.model.program;
        const std::int32_t bos = work.setting.begin_token;
        const auto exact = reference_logprobs({program, model.table()}, work.texts.front(), bos);
        const auto rounded = reference_logprobs(
            {program, model.table(), 1, reference::rounding::bf16}, work.texts.front(), bos);
        error_ = mean_difference(got.front().logprobs, exact);
        rounded_error_ = mean_difference(rounded, exact);
    }
    double error() const { return error_; }
    /// Of the reference rounded to bf16 behind every operator: what bf16 may lose.
    double rounded_error() const { return rounded_error_; }

  private:
    double error_ = 0, rounded_error_ = 0;
};

}  // namespace g4::testing
