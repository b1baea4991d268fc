// Steps in order with some of them in flight, as an engine keeps them, and when each came back.
#pragma once
#include "apps/bench/lockstep.hpp"
#include <chrono>
#include <functional>

namespace g4::apps {

using bench_clock = std::chrono::steady_clock;

inline double seconds_between(bench_clock::time_point from, bench_clock::time_point to) {
    return std::chrono::duration<double>(to - from).count();
}

inline double median(std::vector<double> values) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

class step_line {
  public:
    using take = std::function<void(const step_result&)>;
    /// `each` is called with every step's result, in order.
    step_line(executor& on, int in_flight, take each = {})
        : executor_{on}, in_flight_{in_flight}, each_{std::move(each)} {}
    ~step_line() {
        try {
            drain();
        } catch (const std::exception&) {  // it has been told, or is no part of the timing
        }
    }

    void submit(const step& next) {
        if (waiting_ == in_flight_) wait();
        executor_.submit(next);
        ++waiting_;
    }
    void drain() {
        while (waiting_ > 0) wait();
    }
    /// One for each step that came back.
    const std::vector<bench_clock::time_point>& ends() const { return ends_; }
    /// Wanted rows whose logits were no numbers.
    int failed_rows() const { return failed_rows_; }

  private:
    void wait() {
        --waiting_;
        const step_result result = executor_.wait();
        ends_.push_back(bench_clock::now());
        for (const token_logprob& t : result.sampled) failed_rows_ += t.token < 0 ? 1 : 0;
        if (each_) each_(result);
    }

    executor& executor_;
    int in_flight_, waiting_ = 0, failed_rows_ = 0;
    take each_;
    std::vector<bench_clock::time_point> ends_;
};

/// Seconds from the first rows of the prompts to the last one's token: building steps, all copies,
/// everything.
inline double time_prefill(lockstep_batch& batch, step_line& line,
                           const std::vector<token_list>& prompts) {
    const auto started = bench_clock::now();
    for (step next = batch.prefill(prompts); !next.token_ids.empty(); next = batch.prefill(prompts))
        line.submit(next);
    line.drain();
    return seconds_between(started, line.ends().back());
}

struct decode_times {
    std::vector<double> seconds;  // of each step that counts
    double context = 0;           // tokens that a row sees, mean of the steps that count
};

/// Decodes with the first `count` sequences. Each step takes the tokens of the one before, on the
/// device while steps overlap; the first takes `tokens`. A step's time is from one result to the
/// next.
///   uncounted  steps in front of those that count
inline decode_times time_decode(lockstep_batch& batch, step_line& line, int count,
                                const token_list& tokens, int uncounted, int counted) {
    decode_times out{{}, batch.past() + uncounted + (counted + 1) / 2.0};
    const std::size_t first = line.ends().size();
    const auto started = bench_clock::now();
    for (int i = 0; i < uncounted + counted; ++i)
        line.submit(batch.decode(count, i == 0 ? tokens : token_list{}));
    line.drain();
    for (std::size_t i = first + static_cast<std::size_t>(uncounted); i < line.ends().size(); ++i)
        out.seconds.push_back(seconds_between(i == first ? started : line.ends()[i - 1],
                                              line.ends()[i]));
    return out;
}

}  // namespace g4::apps
