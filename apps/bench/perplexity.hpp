// How well a model predicts a text: the log-probability of each of its tokens.
#pragma once
#include "apps/bench/latency.hpp"
#include "apps/bench/text_windows.hpp"
#include "g4/core/file.hpp"
#include "g4/core/sha256.hpp"
#include "g4/text/tokenizer.hpp"
#include <cmath>
#include <span>
#include <string>

namespace g4::apps {

/// A text to score.
struct scored_text {
    std::string name, sha256;
    std::size_t bytes = 0;
    token_list tokens;  // without <bos>
    std::vector<text_window> windows;
};

/// A file as the tokens of a model; its windows are left to the caller.
/// Errors: input_error for what is no text, or less than two tokens, of which no mean has an error.
inline scored_text read_text(const std::string& file, const tokenizer& words) {
    const std::string text = read_file(file);
    if (text.empty()) throw input_error{file, ": expected a text, got an empty file"};
    for (std::size_t at = 0; at < text.size();) {
        const utf8_character next = read_utf8(text, at);
        if (!next.valid)
            throw input_error{
                file, ": expected UTF-8, got byte ", static_cast<int>(next.value), " at offset ",
                at,   " that begins no character"};
        at += next.bytes;
    }
    scored_text out{
        file, g4::sha256(text), text.size(), words.encode(text, special_tokens::as_text), {}};
    if (out.tokens.size() < 2)
        throw input_error{file, ": expected at least 2 tokens, got ", out.tokens.size()};
    return out;
}

/// Runs windows of texts through an executor, as many side by side as its caches hold.
class text_scorer {
  public:
    /// `begin_token` stands in front of every window, which together are `context` tokens or less.
    text_scorer(executor& runs_on, std::int32_t begin_token, std::int32_t context, int in_flight)
        : executor_{runs_on}, begin_token_{begin_token}, context_{context}, in_flight_{in_flight} {}

    /// ln p of each token of a text, given what its window holds before it.
    ///   scored  called with the number of tokens that are done
    /// Errors: input_error when the caches hold no window, or a row's logits are no numbers.
    std::vector<float> run(const scored_text& text, const std::function<void(int)>& scored) {
        std::vector<float> out;
        const auto keep = [&](const step_result& result) {
            for (const token_logprob& t : result.sampled) {
                if (t.token < 0)
                    throw input_error{"perplexity: ",
                                      text.name,
                                      ": token ",
                                      out.size(),
                                      ": expected a log-probability, got logits that are no ",
                                      "numbers: the weights are not those of a model, or this is ",
                                      "a bug"};
                out.push_back(t.logprob);
            }
            scored(static_cast<int>(out.size()));
        };
        for (std::span<const text_window> left = text.windows; !left.empty();) {
            lockstep_batch batch{executor_.reserved(), static_cast<std::int32_t>(left.size()),
                                 context_};
            if (batch.size() == 0)
                throw input_error{"perplexity: expected room for ", context_,
                                  " positions in the kv cache, got less"};
            const auto count = static_cast<std::size_t>(batch.size());
            const auto now = sequences_of(text, left.first(count));
            step_line line{executor_, in_flight_, keep};
            for (step next = batch.score(now); !next.token_ids.empty(); next = batch.score(now))
                line.submit(next);
            line.drain();
            left = left.subspan(count);
        }
        return out;
    }

  private:
    std::vector<scored_sequence> sequences_of(const scored_text& text,
                                              std::span<const text_window> windows) const {
        std::vector<scored_sequence> out;
        for (const text_window& w : windows) {
            scored_sequence& one = out.emplace_back();
            one.tokens.push_back(begin_token_);
            one.tokens.insert(one.tokens.end(), text.tokens.begin() + w.begin,
                              text.tokens.begin() + w.end);
            one.scored = 1 + w.scored - w.begin;
        }
        return out;
    }

    executor& executor_;
    std::int32_t begin_token_, context_;
    int in_flight_;
};

/// What log-probabilities of a text amount to.
struct text_figures {
    double mean_nll = 0;        // nats a token
    double standard_error = 0;  // of mean_nll, as if tokens were independent
    double perplexity = 0, bits_per_byte = 0;
};

/// Of at least two log-probabilities of a text of so many bytes.
inline text_figures figures_of(std::span<const float> logprobs, std::size_t bytes) {
    const auto count = static_cast<double>(logprobs.size());
    double sum = 0, squares = 0;
    for (const float l : logprobs) sum -= static_cast<double>(l);
    const double mean = sum / count;
    for (const float l : logprobs) squares += (-double{l} - mean) * (-double{l} - mean);
    return {mean, std::sqrt(squares / (count - 1) / count), std::exp(mean),
            sum / std::log(2.0) / static_cast<double>(bytes)};
}

}  // namespace g4::apps
