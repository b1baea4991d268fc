// Times many requests through the engine: tokens a second in all, and how long the first ones took.
#pragma once
#include "apps/bench/latency.hpp"
#include "g4/engine/engine.hpp"
#include <condition_variable>
#include <mutex>

namespace g4::apps {

struct throughput_result {
    double seconds = 0;
    std::int64_t prompt_tokens = 0, generated_tokens = 0;
    double first_token_median = 0, first_token_slowest = 0;  // seconds since all were submitted
};

/// `requests` prompts of random tokens, all submitted at once, each answered with exactly
/// output_len tokens.
inline throughput_result measure_throughput(engine& runs_on, int requests,
                                            const latency_sizes& size, std::int32_t vocabulary,
                                            const progress& report) {
    using clock = std::chrono::steady_clock;
    std::mt19937 random{static_cast<std::mt19937::result_type>(size.seed)};
    std::uniform_int_distribution<std::int32_t> token{0, vocabulary - 1};
    std::mutex mutex;
    std::condition_variable changed;
    int ended = 0;
    std::string failure;
    std::vector<double> first_tokens;
    throughput_result out;
    const auto started = clock::now();
    for (int i = 0; i < requests; ++i) {
        generation_request r;
        for (int k = 0; k < size.input_len; ++k) r.prompt.push_back(token(random));
        r.max_tokens = size.output_len;
        runs_on.submit(std::move(r), [&, first = true](generation_event&& event) mutable {
            const std::lock_guard lock{mutex};
            out.generated_tokens += static_cast<std::int64_t>(event.tokens.size());
            if (first && !event.tokens.empty()) {
                first = false;
                first_tokens.push_back(
                    std::chrono::duration<double>(clock::now() - started).count());
            }
            if (event.finish == finish_reason::none) return;
            if (event.finish == finish_reason::failed) failure = event.error;
            ++ended;
            changed.notify_one();
        });
    }
    std::unique_lock lock{mutex};
    while (ended < requests) {
        changed.wait(lock);
        report(ended, requests);
    }
    out.seconds = std::chrono::duration<double>(clock::now() - started).count();
    if (!failure.empty()) throw device_error{"bench: a request failed: ", failure};
    out.prompt_tokens = static_cast<std::int64_t>(requests) * size.input_len;
    out.first_token_median = median(first_tokens);
    out.first_token_slowest = *std::max_element(first_tokens.begin(), first_tokens.end());
    return out;
}

}  // namespace g4::apps
