// Times one batch in step: the prefill of its prompts, then each decoded token.
#pragma once
#include "apps/bench/lockstep.hpp"
#include "g4/passes/bytes.hpp"
#include <chrono>
#include <functional>
#include <random>

namespace g4::apps {

struct latency_sizes {
    int input_len = 0, output_len = 0, batch_size = 1, repeats = 1;
    std::int32_t step_rows = 0;  // of all sequences together
    int seed = 0;
};

struct latency_result {
    double prefill_seconds = 0;            // median of the repeats, of all prompts together
    double decode_seconds = 0;             // median over all decode steps
    double decode_fastest = 0, decode_slowest = 0;
    int decode_steps = 0;
};

/// Called before each part with what is done of all parts.
using progress = std::function<void(int done, int all)>;

inline double median(std::vector<double> values) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

/// Random prompts, greedy answers; the first decode step of each repeat is not counted.
inline latency_result measure_latency(executor& runs_on, const latency_sizes& size,
                                      const progress& report) {
    using clock = std::chrono::steady_clock;
    const auto seconds = [](clock::time_point since) {
        return std::chrono::duration<double>(clock::now() - since).count(); };
    std::mt19937 random{static_cast<std::mt19937::result_type>(size.seed)};
    std::uniform_int_distribution<std::int32_t> token{0, runs_on.reserved().vocabulary - 1};
    std::vector<double> prefills, decodes;
    const int rows = std::max(1, size.step_rows / size.batch_size);
    for (int repeat = 0; repeat < size.repeats; ++repeat) {
        report(repeat, size.repeats);
        lockstep_batch batch{runs_on, size.batch_size, size.input_len + size.output_len};
        std::vector<std::vector<std::int32_t>> next(static_cast<std::size_t>(size.batch_size));
        step_result last{};
        const auto started = clock::now();
        for (int done = 0; done < size.input_len; done += rows) {
            const int count = std::min(rows, size.input_len - done);
            for (auto& tokens : next) {
                tokens.resize(static_cast<std::size_t>(count));
                for (std::int32_t& t : tokens) t = token(random);
            }
            last = batch.run(next, done + count == size.input_len ? 1 : 0);
        }
        prefills.push_back(seconds(started));
        for (int i = 0; i + 1 < size.output_len; ++i) {
            for (std::size_t s = 0; s < next.size(); ++s) next[s] = {last.sampled[s].token};
            const auto step_started = clock::now();
            last = batch.run(next, 1);
            if (i > 0 || size.output_len == 2) decodes.push_back(seconds(step_started));
        }
    }
    report(size.repeats, size.repeats);
    latency_result out{.prefill_seconds = median(prefills), .decode_seconds = median(decodes),
                       .decode_steps = static_cast<int>(decodes.size())};
    if (!decodes.empty()) {
        out.decode_fastest = *std::min_element(decodes.begin(), decodes.end());
        out.decode_slowest = *std::max_element(decodes.begin(), decodes.end());
    }
    return out;
}

}  // namespace g4::apps
