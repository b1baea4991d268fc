// A run of g4-bench perplexity: texts read, the model started, every window scored.
#pragma once
#include "apps/bench/report_perplexity.hpp"
#include "apps/start_model.hpp"

namespace g4::apps {

/// Windows that go side by side: enough that the end of one shares a step with the next.
inline constexpr std::int32_t windows_side_by_side = 16;

/// Texts and protocol of a run, before anything large is loaded.
struct perplexity_work {
    perplexity_setting setting;
    std::vector<scored_text> texts;

    std::int32_t most_windows() const {
        std::size_t most = 0;
        for (const scored_text& t : texts) most = std::max(most, t.windows.size());
        return static_cast<std::int32_t>(std::min<std::size_t>(most, windows_side_by_side));
    }
    int tokens() const {
        std::size_t sum = 0;
        for (const scored_text& t : texts) sum += t.tokens.size();
        return static_cast<int>(sum);
    }
};

/// Errors: input_error for flags that do not fit the model, and for files that are no texts.
inline perplexity_work prepare_perplexity(const bench_options& options) {
    const model_config_file config = read_model_config(options.model_folder);
    const auto longest = static_cast<std::int32_t>(
        std::min<std::int64_t>(config.model.max_position_embeddings, 1 << 30));
    perplexity_work out;
    perplexity_setting& s = out.setting;
    s.model = config.folder.string();
    s.context = options.context > 0 ? options.context : std::min(2048, longest);
    if (s.context > longest)
        throw input_error{"--context: expected at most ", longest,
                          ", the model's max_position_embeddings, got ", s.context};
    s.stride = options.stride > 0 ? options.stride : s.context - 1;
    const std::filesystem::path file = config.folder / "tokenizer.json";
    const tokenizer words = tokenizer::load(file);
    const auto begin = words.id_of("<bos>");
    if (!begin) throw input_error{file.string(), ": expected an entry \"<bos>\", got none"};
    s.begin_token = *begin;
    for (const std::string& text : options.texts) {
        out.texts.push_back(read_text(text, words));
        scored_text& read = out.texts.back();
        read.windows =
            windows_of(static_cast<std::int32_t>(read.tokens.size()), s.context, s.stride);
    }
    return out;
}

/// `how` with what this work needs reserved.
///   step_rows  0: the device's default
inline run_options room_for(const perplexity_work& work, run_options how, int step_rows) {
    how.max_model_len = work.setting.context;
    how.max_num_seqs = work.most_windows();
    how.max_num_batched_tokens.reset();
    if (step_rows > 0) how.max_num_batched_tokens = step_rows;
    return how;
}

/// Scores all texts on a model that was started with room for the windows.
inline std::vector<text_result> score_texts(executor& runs_on, const perplexity_work& work,
                                            int in_flight, const progress& report) {
    text_scorer scorer{runs_on, work.setting.begin_token, work.setting.context, in_flight};
    std::vector<text_result> out;
    const int all = work.tokens();
    int done = 0;
    for (const scored_text& text : work.texts) {
        const auto started = bench_clock::now();
        auto logprobs = scorer.run(text, [&](int scored) { report(done + scored, all); });
        done += static_cast<int>(logprobs.size());
        out.push_back({text, std::move(logprobs), seconds_between(started, bench_clock::now())});
    }
    return out;
}

}  // namespace g4::apps
