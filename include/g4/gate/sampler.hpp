// Chooses tokens on the host, for back ends whose logits lie there: the meaning of `sampling`.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <unordered_map>
#include <vector>
#include "g4/core/error.hpp"
#include "g4/gate/logit_row.hpp"
#include "g4/gate/nucleus.hpp"
#include "g4/gate/step.hpp"

namespace g4 {

/// In [0, 1). A function of seed and position alone: what else a step holds cannot change it.
/// Source: the finaliser of splitmix64 (S. Vigna, 2015), applied to the seed, then to a counter.
inline double random_unit(std::uint64_t seed, std::int32_t position) {
    constexpr std::uint64_t golden = 0x9e3779b97f4a7c15u;
    const auto mix = [](std::uint64_t x) {
        x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
        x = (x ^ x >> 27) * 0x94d049bb133111ebu;
        return x ^ x >> 31;
    };
    const std::uint64_t counter = static_cast<std::uint64_t>(position) + 1;
    return static_cast<double>(mix(mix(seed + golden) + golden * counter) >> 11) * 0x1p-53;
}

/// One per executor. Chooses row by row, in the order of the steps: each slot's counts grow with
/// the tokens that were chosen for it.
///
/// What is kept of a distribution, where step.hpp leaves it open:
///   min_p  tokens at least min_p times as likely as the likeliest
///   top_k  tokens that fewer than top_k others are more likely than, so ties stay together
///   top_p  in falling order, the lower id first, while those before have less than top_p
///   choice the first token, in the order of ids, whose running sum passes random_unit
class host_sampler {
  public:
    host_sampler(std::int32_t vocabulary, std::int32_t slots)
        : vocabulary_{vocabulary}, slots_(static_cast<std::size_t>(slots)) {}

    /// A sequence takes the slot: its counts are none, its prompt's tokens are remembered.
    void start(const slot_start& taken) {
        slot_counts& counts = slots_[static_cast<std::size_t>(taken.slot)];
        counts.prompt.assign(taken.prompt.begin(), taken.prompt.end());
        counts.prompt_is_set = false;
        counts.output.clear();
    }

    /// The token of one wanted row, and its log-probability when top_logprobs asks for it, else 0.
    ///   logits    [vocabulary] as the model gives them; may be overwritten
    ///   biases    of the whole step: the row's are named in it
    ///   slot      of the row's sequence
    ///   position  of the row
    ///   top       gets max(0, top_logprobs) entries more
    /// A row without a usable distribution (NaN, no finite logit) gives token -1.
    token_logprob pick(std::span<float> logits, const wanted_row& want,
                       std::span<const logit_bias> biases, std::int32_t slot, std::int32_t position,
                       std::vector<token_logprob>& top) {
        G4_ASSERT(logits.size() == static_cast<std::size_t>(vocabulary_), "sampler: expected ",
                  vocabulary_, " logits, got ", logits.size());
        const sampling& how = want.how;
        G4_ASSERT(how.top_logprobs <= vocabulary_, "sampler: ", how.top_logprobs, " alternatives");
        row_.begin(logits);
        if (!row_.sound()) return nothing(how, top);
        double log_total = 0;
        if (how.top_logprobs >= 0) {
            log_total = log_of_total();
            if (how.top_logprobs > 0) report_top(how.top_logprobs, log_total, top);
        }
        const auto report = [&](std::int32_t token, float raw) {
            const double logprob = static_cast<double>(raw) - log_total;
            return token_logprob{token, how.top_logprobs < 0 ? 0 : static_cast<float>(logprob)};
        };
        if (want.given >= 0) return report(want.given, row_[want.given]);

        raw_.clear();
        add_biases(how, biases);
        slot_counts& counts = slots_[static_cast<std::size_t>(slot)];
        add_penalties(how, counts);
        row_.settle();
        if (!row_.sound()) return {.token = -1, .logprob = 0};
        const std::int32_t token = how.temperature > 0 ? draw(how, position) : row_.argmax();
        ++counts.output[token];
        const auto changed = std::ranges::find(raw_, token, &token_logprob::token);
        return report(token, changed == raw_.end() ? row_[token] : changed->logprob);
    }

  private:
    struct slot_counts {
        std::vector<std::int32_t> prompt;  // sorted and unique once a penalty asked for it
        bool prompt_is_set = false;
        std::unordered_map<std::int32_t, std::int32_t> output;
    };

    static token_logprob nothing(const sampling& how, std::vector<token_logprob>& top) {
        const auto entries = static_cast<std::size_t>(std::max(0, how.top_logprobs));
        top.insert(top.end(), entries, token_logprob{.token = -1, .logprob = 0});
        return {.token = -1, .logprob = 0};
    }

    double log_of_total() {
        masses_.resize(row_.values().size());
        const double sum = fill_masses(row_.values(), row_.greatest(), 1.0f, masses_.data());
        return static_cast<double>(row_.greatest()) + std::log(sum);
    }

    void report_top(std::int32_t count, double log_total, std::vector<token_logprob>& top) {
        const auto entries = static_cast<std::size_t>(count);
        const std::size_t before = top.size();
        row_.visit_from(row_.value_of_rank(entries), [&](std::int32_t token, float value) {
            top.push_back({token, value});
        });
        const auto own = std::span{top}.subspan(before);
        std::ranges::sort(own, [](const token_logprob& a, const token_logprob& b) {
            return a.logprob != b.logprob ? a.logprob > b.logprob : a.token < b.token;
        });
        for (token_logprob& one : own)
            one.logprob = static_cast<float>(static_cast<double>(one.logprob) - log_total);
        top.resize(before + entries);  // ties may have brought more
    }

    /// Remembers the model's own logit before the first change.
    void change(std::int32_t token, float value) {
        raw_.push_back({token, row_[token]});
        row_.change(token, value);
    }

    void add_biases(const sampling& how, std::span<const logit_bias> biases) {
        const auto first = static_cast<std::size_t>(how.first_bias);
        const auto count = static_cast<std::size_t>(how.bias_count);
        G4_ASSERT(first + count <= biases.size(), "sampler: biases are missing");
        for (const logit_bias& bias : biases.subspan(first, count))
            change(bias.token, row_[bias.token] + bias.added);
    }

    void add_penalties(const sampling& how, slot_counts& counts) {
        const bool repeats = how.repetition_penalty != 1;
        if (!repeats && how.presence_penalty == 0 && how.frequency_penalty == 0) return;
        const auto repeated = [&](float logit) {
            if (!repeats) return logit;
            return logit > 0 ? logit / how.repetition_penalty : logit * how.repetition_penalty;
        };
        for (const auto& [token, count] : counts.output)
            change(token, repeated(row_[token]) -
                              how.frequency_penalty * static_cast<float>(count) -
                              how.presence_penalty);
        if (!repeats) return;
        if (!counts.prompt_is_set) {
            std::ranges::sort(counts.prompt);
            const auto rest = std::ranges::unique(counts.prompt);
            counts.prompt.erase(rest.begin(), rest.end());
            counts.prompt_is_set = true;
        }
        for (const std::int32_t token : counts.prompt)
            if (!counts.output.contains(token)) change(token, repeated(row_[token]));
    }

    std::int32_t draw(const sampling& how, std::int32_t position) {
        const float greatest = row_.greatest();
        float least = -std::numeric_limits<float>::infinity();
        if (how.min_p > 0) least = greatest + how.temperature * std::log(how.min_p);
        if (how.top_k > 0 && how.top_k < vocabulary_)
            least = std::max(least, row_.value_of_rank(static_cast<std::size_t>(how.top_k)));
        std::span<const float> values = row_.values();
        const bool all = least == -std::numeric_limits<float>::infinity();
        if (!all) {
            tokens_.clear();
            kept_.clear();
            row_.visit_from(least, [&](std::int32_t token, float value) {
                tokens_.push_back(token);
                kept_.push_back(value);
            });
            values = kept_;
        }
        masses_.resize(values.size());
        const std::span<float> masses{masses_};
        const double total = fill_masses(values, greatest, how.temperature, masses_.data());
        if (how.top_p < 1) nucleus_.keep(values, masses, how.top_p * total, how.temperature);
        const std::size_t at = choose_by_mass(masses, random_unit(how.seed, position));
        return all ? static_cast<std::int32_t>(at) : tokens_[at];
    }

    std::int32_t vocabulary_;
    std::vector<slot_counts> slots_;
    logit_row row_;
    nucleus nucleus_;
    std::vector<token_logprob> raw_;  // what biases and penalties changed, as it was
    std::vector<std::int32_t> tokens_;
    std::vector<float> kept_, masses_;
};

}  // namespace g4
