// Tokens as the API reports them: their text, bytes, log-probabilities, ids.
// Source: OpenAI's chat and completions formats; vLLM for ids and for -9999 instead of -inf.
#pragma once
#include "g4/engine/request.hpp"
#include "g4/serve/json_writer.hpp"
#include "g4/text/text.hpp"
#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace g4::serve {

/// JSON has no infinity: what the model excludes gets vLLM's number.
inline float reported(float logprob) { return std::max(logprob, -9999.0f); }

/// Writes what the API says about tokens, with the names that one request asked for.
class token_report {
  public:
    token_report(const tokenizer& words, bool as_ids, bool skip_special)
        : words_{&words}, as_ids_{as_ids}, skip_special_{skip_special} {}

    /// A token's name: its text, with U+FFFD for bytes that are no whole character, or
    /// "token_id:123" (two tokens may share a text, never an id).
    std::string name(std::int32_t id) const {
        if (as_ids_) return concat("token_id:", id);
        return readable(bytes(id));
    }
    std::string bytes(std::int32_t id) const {
        return id >= 0 && id < words_->size() ? words_->token_bytes(id) : std::string{};
    }
    /// Characters that the token adds to a text: of a cut one its first byte counts.
    std::int64_t characters(std::int32_t id) const {
        if (skip_special_ && words_->is_special(id)) return 0;
        const std::string text = bytes(id);
        return std::count_if(text.begin(), text.end(),
                             [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
    }

    /// {"content": [{token, logprob, bytes, top_logprobs: [...]}, …]}
    void chat_logprobs(json_writer& out, std::span<const generated_token> tokens) const {
        out.begin_object().key("content").begin_array();
        for (const generated_token& token : tokens) {
            out.begin_object();
            entry(out, token.token);
            out.key("top_logprobs").begin_array();
            for (const token_logprob& other : token.top) {
                out.begin_object();
                entry(out, other);
                out.end_object();
            }
            out.end_array().end_object();
        }
        out.end_array().end_object();
    }

    static std::string readable(std::string_view text) {
        if (is_utf8(text)) return std::string{text};
        std::string out;
        for (std::size_t at = 0; at < text.size();) {
            const utf8_character next = read_utf8(text, at);
            append_utf8(out, next.valid ? next.value : U'\uFFFD');
            at += next.bytes;
        }
        return out;
    }

  private:
    void entry(json_writer& out, const token_logprob& token) const {
        const std::string text = bytes(token.token);
        out.key("token").text(as_ids_ ? name(token.token) : readable(text));
        out.key("logprob").number(reported(token.logprob));
        out.key("bytes").begin_array();
        for (const char c : text) out.number(static_cast<int>(static_cast<unsigned char>(c)));
        out.end_array();
    }

    const tokenizer* words_;
    bool as_ids_, skip_special_;
};

/// The four lists of the completions format. They grow with the answer; `offset` goes on.
class completion_logprobs {
  public:
    explicit completion_logprobs(const token_report& report) : report_{&report} {}

    void add(const generated_token& token) {
        add_token(token.token.token);
        logprobs_.number(reported(token.token.logprob));
        // of alternatives with one text the likeliest counts; the chosen token is always there
        std::vector<std::pair<std::string, float>> named;
        const auto put = [&](const token_logprob& other) {
            std::string name = report_->name(other.token);
            for (auto& [known, logprob] : named)
                if (known == name) {
                    logprob = std::max(logprob, other.logprob);
                    return;
                }
            named.emplace_back(std::move(name), other.logprob);
        };
        for (const token_logprob& other : token.top) put(other);
        put(token.token);
        top_.begin_object();
        for (const auto& [name, logprob] : named) top_.key(name).number(reported(logprob));
        top_.end_object();
    }
    /// A prompt's first token, which nothing predicts; `in_text` is false for a <bos> that was
    /// put before the text.
    void add_first(std::int32_t id, bool in_text) {
        add_token(id);
        if (!in_text) offset_ = 0;
        logprobs_.null();
        top_.null();
    }
    /// Writes the object and begins the lists anew.
    void write(json_writer& out) {
        out.begin_object();
        list(out, "text_offset", offsets_);
        list(out, "token_logprobs", logprobs_);
        list(out, "tokens", tokens_);
        list(out, "top_logprobs", top_);
        out.end_object();
    }

  private:
    void add_token(std::int32_t id) {
        tokens_.text(report_->name(id));
        offsets_.number(offset_);
        offset_ += report_->characters(id);
    }
    static void list(json_writer& out, std::string_view name, json_writer& elements) {
        out.key(name).raw(concat('[', elements.take(), ']'));
    }

    const token_report* report_;
    json_writer offsets_, logprobs_, tokens_, top_;
    std::int64_t offset_ = 0;
};

inline void write_ids(json_writer& out, std::span<const std::int32_t> ids) {
    out.begin_array();
    for (const std::int32_t id : ids) out.number(id);
    out.end_array();
}

}  // namespace g4::serve
