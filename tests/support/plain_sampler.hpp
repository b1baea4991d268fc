// What sampler.hpp promises, spelled out in f64 with full sorts: slow, and plain to read.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>
#include "g4/gate/sampler.hpp"
#include "g4/gate/step.hpp"

namespace g4::testing {

/// What one sequence has said so far.
struct spoken {
    std::vector<std::int32_t> prompt, output;
};

struct plain_choice {
    std::int32_t token = -1;
    double logprob = 0;
    std::vector<double> probabilities;  // of every token, after all filters
    bool undecided = false;  // so close to a border that f32 may well fall on its other side
};

inline std::vector<double> plain_softmax(std::span<const double> logits) {
    const double greatest = *std::ranges::max_element(logits);
    std::vector<double> out;
    for (const double one : logits) out.push_back(std::exp(one - greatest));
    const double total = std::accumulate(out.begin(), out.end(), 0.0);
    for (double& one : out) one /= total;
    return out;
}

inline double plain_logprob(std::span<const float> logits, std::int32_t token) {
    const std::vector<double> wide{logits.begin(), logits.end()};
    return std::log(plain_softmax(wide)[static_cast<std::size_t>(token)]);
}

/// Token ids, the likeliest first, the lower id first among equals.
inline std::vector<std::size_t> plain_order(std::span<const double> values) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
        return values[a] != values[b] ? values[a] > values[b] : a < b;
    });
    return order;
}

/// Bias and penalties in f32, as the logits are: equal logits must stay equal.
inline std::vector<double> plain_adjusted(std::span<const float> logits, const sampling& how,
                                          std::span<const logit_bias> biases, const spoken& by) {
    std::vector<float> out{logits.begin(), logits.end()};
    for (const logit_bias& one : biases) out[static_cast<std::size_t>(one.token)] += one.added;
    for (std::size_t token = 0; token < out.size(); ++token) {
        const auto id = static_cast<std::int32_t>(token);
        const auto said = static_cast<float>(std::ranges::count(by.output, id));
        const bool met = said > 0 || std::ranges::count(by.prompt, id) > 0;
        if (met && how.repetition_penalty != 1)
            out[token] = out[token] > 0 ? out[token] / how.repetition_penalty
                                        : out[token] * how.repetition_penalty;
        if (said > 0) out[token] = out[token] - how.frequency_penalty * said - how.presence_penalty;
    }
    return {out.begin(), out.end()};
}

/// Filters in the order of step.hpp; sets `undecided` where a border is close.
inline void plain_filter(std::vector<double>& scaled, const sampling& how, bool& undecided) {
    constexpr double close = 2e-6, never = -std::numeric_limits<double>::infinity();
    const double greatest = *std::ranges::max_element(scaled);
    if (how.min_p > 0) {
        for (double& one : scaled) {
            const double ratio = std::exp(one - greatest), least = static_cast<double>(how.min_p);
            if (std::abs(ratio - least) < close * least && one != greatest) undecided = true;
            if (ratio < least && one != greatest) one = never;
        }
    }
    if (how.top_k > 0 && static_cast<std::size_t>(how.top_k) < scaled.size()) {
        std::vector<double> falling = scaled;
        std::ranges::sort(falling, std::greater{});
        const double last = falling[static_cast<std::size_t>(how.top_k) - 1];
        for (double& one : scaled)
            if (one < last) one = never;
    }
    if (how.top_p < 1) {
        const std::vector<double> p = plain_softmax(scaled);
        double before = 0;
        for (const std::size_t token : plain_order(scaled)) {
            const double wanted = static_cast<double>(how.top_p);
            if (std::abs(before - wanted) < close && before > 0) undecided = true;
            if (before > 0 && before >= wanted) scaled[token] = never;
            before += p[token];
        }
    }
}

inline plain_choice plain_pick(std::span<const float> logits, const sampling& how,
                               std::span<const logit_bias> biases, const spoken& by,
                               std::int32_t position) {
    plain_choice out;
    std::vector<double> scaled = plain_adjusted(logits, how, biases, by);
    if (how.temperature == 0) {
        out.token = static_cast<std::int32_t>(plain_order(scaled).front());
    } else {
        for (double& one : scaled) one /= static_cast<double>(how.temperature);
        plain_filter(scaled, how, out.undecided);
        out.probabilities = plain_softmax(scaled);
        const double unit = random_unit(how.seed, position);
        double running = 0;
        for (std::size_t token = 0; token < scaled.size(); ++token) {
            running += out.probabilities[token];
            if (std::abs(running - unit) < 2e-6) out.undecided = true;
            if (out.token < 0 && running > unit) out.token = static_cast<std::int32_t>(token);
        }
        if (out.token < 0) out.undecided = true;
    }
    if (out.token >= 0) out.logprob = plain_logprob(logits, out.token);
    return out;
}

}  // namespace g4::testing
