// Times one batch in step: the prefill of its prompts, then each decoded token.
#pragma once
#include "apps/bench/step_line.hpp"
#include <functional>

namespace g4::apps {

struct latency_sizes {
    int input_len = 0, output_len = 0, batch_size = 1, repeats = 1;
    int in_flight = 1;  // steps
    int seed = 0;
};

struct latency_result {
    double prefill_seconds = 0;            // median of the repeats, of all prompts together
    double decode_seconds = 0;             // median over all decode steps
    double decode_fastest = 0, decode_slowest = 0;
    int decode_steps = 0;
    int failed_rows = 0;
};

/// Called before each part with what is done of all parts.
using progress = std::function<void(int done, int all)>;

inline void keep_spread(latency_result& out, const std::vector<double>& decodes) {
    out.decode_seconds = median(decodes);
    out.decode_steps = static_cast<int>(decodes.size());
    if (decodes.empty()) return;
    out.decode_fastest = *std::min_element(decodes.begin(), decodes.end());
    out.decode_slowest = *std::max_element(decodes.begin(), decodes.end());
}

/// The last token of each of `prompts`: what a first decode step may go on from.
inline token_list last_tokens(const std::vector<token_list>& prompts) {
    token_list out;
    for (const token_list& prompt : prompts) out.push_back(prompt.back());
    return out;
}

/// Random prompts, greedy answers; the first decode step of each repeat is not counted.
/// Errors: input_error when the caches have no room for the batch.
inline latency_result measure_latency(executor& runs_on, const latency_sizes& size,
                                      const progress& report) {
    std::vector<double> prefills, decodes;
    latency_result out;
    const int steps = size.output_len - 1, uncounted = steps > 1 ? 1 : 0;
    for (int repeat = 0; repeat < size.repeats; ++repeat) {
        report(repeat, size.repeats);
        lockstep_batch batch{runs_on.reserved(), size.batch_size,
                             size.input_len + size.output_len};
        if (batch.size() < size.batch_size)
            throw input_error{"bench: expected room for ", size.batch_size, " sequences of ",
                              size.input_len + size.output_len,
                              " positions in the kv cache, got room for ", batch.size()};
        const auto prompts = random_prompts(size.batch_size, size.input_len,
                                            runs_on.reserved().vocabulary, size.seed + repeat);
        step_line line{runs_on, size.in_flight};
        prefills.push_back(time_prefill(batch, line, prompts));
        if (steps > 0)
            for (const double seconds : time_decode(batch, line, size.batch_size,
                                                    last_tokens(prompts), uncounted,
                                                    steps - uncounted).seconds)
                decodes.push_back(seconds);
        out.failed_rows += line.failed_rows();
    }
    report(size.repeats, size.repeats);
    out.prefill_seconds = median(prefills);
    keep_spread(out, decodes);
    return out;
}

}  // namespace g4::apps
