// One answer as it grows: tokens become text, reasoning is told from content, stop texts end it.
// Streamed and whole responses are both made of its pieces, so they cannot disagree.
#pragma once
#include "g4/engine/request.hpp"
#include "g4/serve/stop_texts.hpp"
#include "g4/text/text.hpp"
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace g4::serve {

/// What one request says about the text of its answers.
struct answer_rules {
    stop_texts stop;
    bool include_stop_text = false;
    bool skip_special = true;
    std::int32_t min_tokens = 0;  // stop texts count only behind so many tokens
    // ids of <|channel> and <channel|>; none: no split, all text is content
    std::optional<std::int32_t> channel_opens, channel_closes;
    bool begins_in_reasoning = false;  // the prompt ends in an open channel
};

/// What became final since the last piece.
struct answer_piece {
    std::string content, reasoning;
    std::vector<generated_token> tokens;  // the text of the last ones may still be held back
    bool empty() const { return content.empty() && reasoning.empty() && tokens.empty(); }
};

/// The text of one reasoning channel: without its name, trimmed at both ends.
/// Source: specification of the output format: "<|channel>thought\n" text "<channel|>".
class reasoning_text {
  public:
    void begin(bool named) {
        name_.clear();
        named_ = named;
        started_ = false;
        space_.clear();
    }
    void push(std::string_view text, std::string& out) {
        if (named_) return say(text, out);
        name_ += text;
        const std::size_t compared = std::min(name_.size(), channel_name.size());
        if (name_.compare(0, compared, channel_name.substr(0, compared)) == 0) {
            if (name_.size() < channel_name.size()) return;  // may still become the name
            name_.erase(0, channel_name.size());
        }
        named_ = true;
        say(std::exchange(name_, {}), out);
    }
    /// Nothing follows: a name cut short is text, unless only its newline is missing.
    void end(std::string& out) {
        if (!named_ && name_ != channel_name.substr(0, channel_name.size() - 1)) say(name_, out);
        begin(false);
    }

  private:
    static constexpr std::string_view channel_name = "thought\n";
    static constexpr std::string_view spaces = " \t\r\n";

    void say(std::string_view text, std::string& out) {
        if (!started_) {
            const std::size_t first = text.find_first_not_of(spaces);
            if (first == std::string_view::npos) return;
            text.remove_prefix(first);
            started_ = true;
        }
        const std::size_t last = text.find_last_not_of(spaces);
        if (last == std::string_view::npos) {
            space_ += text;
            return;
        }
        out += std::exchange(space_, std::string{text.substr(last + 1)});
        out += text.substr(0, last + 1);
    }

    std::string name_, space_;  // the beginning of the name; space that may turn out to be the end
    bool named_ = false, started_ = false;
};

class answer {
  public:
    /// Both must outlive the answer.
    answer(const tokenizer& words, const answer_rules& rules)
        : words_{&words}, rules_{&rules}, stop_{rules.stop} {
        detokenizer_.emplace(words, rules.skip_special);
        if (!rules.begins_in_reasoning) return;
        in_reasoning_ = true;
        reasoning_.begin(true);
    }

    /// Takes the next token. `shown` is false for the stop token at the end, which is counted and
    /// reported but not part of the text. Returns false when a stop text is complete: the answer
    /// is then finished, and the rest of what the engine makes is not its part.
    bool push(generated_token token, bool shown) {
        ++tokens_;
        const std::int32_t id = token.token.token;
        piece_.tokens.push_back(std::move(token));
        if (rules_->channel_opens == id) {
            if (!end_segment()) return false;
            in_reasoning_ = true;
            reasoning_.begin(false);
        } else if (rules_->channel_closes == id) {
            if (!end_segment()) return false;
            skip_newlines_ = skip_newlines_ || in_reasoning_;
            in_reasoning_ = false;
        } else if (shown) {
            return say(detokenizer_->push(id));
        }
        return true;
    }
    /// No token follows: what was held back becomes final.
    void finish() {
        if (!stopped_by_) end_segment();
        if (in_reasoning_) reasoning_.end(piece_.reasoning);
    }

    /// What became final since the last call.
    answer_piece take() { return std::exchange(piece_, {}); }
    const answer_piece& pending() const { return piece_; }
    std::int32_t tokens() const { return tokens_; }
    const std::optional<std::string>& stopped_by() const { return stopped_by_; }

  private:
    bool say(const std::string& text) {
        std::string final;
        if (tokens_ <= rules_->min_tokens) {
            final = stop_.release() + text;
        } else if (auto found = stop_.push(text, final)) {
            if (rules_->include_stop_text) final += *found;
            stopped_by_ = std::move(found);
        }
        route(final);
        return !stopped_by_;
    }
    void route(std::string_view text) {
        if (in_reasoning_) return reasoning_.push(text, piece_.reasoning);
        if (skip_newlines_) {
            const std::size_t first = text.find_first_not_of('\n');
            if (first == std::string_view::npos) return;
            text.remove_prefix(first);
            skip_newlines_ = false;
        }
        piece_.content += text;
    }
    /// A control token cuts the text: characters and stop texts do not reach over it.
    bool end_segment() {
        if (!say(detokenizer_->finish())) return false;
        route(stop_.release());
        if (in_reasoning_) reasoning_.end(piece_.reasoning);
        detokenizer_.emplace(*words_, rules_->skip_special);
        return true;
    }

    const tokenizer* words_;
    const answer_rules* rules_;
    std::optional<detokenizer> detokenizer_;
    stop_search stop_;
    reasoning_text reasoning_;
    answer_piece piece_;
    std::int32_t tokens_ = 0;
    bool in_reasoning_ = false, skip_newlines_ = false;
    std::optional<std::string> stopped_by_;
};

}  // namespace g4::serve
