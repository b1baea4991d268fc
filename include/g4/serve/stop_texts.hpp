// Finds stop texts in an answer that arrives in pieces, and holds back what may become one.
// Source: Knuth, Morris, Pratt, "Fast pattern matching in strings", 1977: the failure links.
#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace g4::serve {

/// The stop texts of a request, prepared once for all of its answers.
class stop_texts {
  public:
    struct pattern {
        std::string text;
        std::vector<std::uint32_t> links;  // longest proper border of each prefix
    };

    stop_texts() = default;
    explicit stop_texts(const std::vector<std::string>& texts) {
        for (const std::string& text : texts) {
            pattern made{text, std::vector<std::uint32_t>(text.size(), 0)};
            for (std::uint32_t i = 1, border = 0; i < text.size(); ++i) {
                while (border > 0 && text[i] != text[border]) border = made.links[border - 1];
                if (text[i] == text[border]) ++border;
                made.links[i] = border;
            }
            patterns_.push_back(std::move(made));
        }
    }
    const std::vector<pattern>& patterns() const { return patterns_; }

  private:
    std::vector<pattern> patterns_;
};

/// Looks at one answer. What comes out, and whether it stops, does not depend on how the answer
/// was cut into pieces: the stop text that ends first wins, of several the longest.
class stop_search {
  public:
    explicit stop_search(const stop_texts& texts)
        : texts_{&texts}, matched_(texts.patterns().size(), 0) {}

    /// Appends to `out` what no stop text can claim any more.
    /// Returns the stop text once it is complete; it is then neither in `out` nor held.
    std::optional<std::string> push(std::string_view piece, std::string& out) {
        if (matched_.empty()) {
            out += piece;
            return std::nullopt;
        }
        for (const char c : piece) {
            held_ += c;
            std::size_t longest = 0;  // prefix of a stop text that the held text ends with
            const std::string* found = nullptr;
            for (std::size_t i = 0; i < matched_.size(); ++i) {
                const auto& pattern = texts_->patterns()[i];
                matched_[i] = advance(pattern, matched_[i], c);
                longest = std::max<std::size_t>(longest, matched_[i]);
                if (matched_[i] == pattern.text.size() &&
                    (!found || pattern.text.size() > found->size()))
                    found = &pattern.text;
            }
            if (found) {
                out.append(held_, 0, held_.size() - found->size());
                held_.clear();
                return *found;
            }
            out.append(held_, 0, held_.size() - longest);
            held_.erase(0, held_.size() - longest);
        }
        return std::nullopt;
    }
    /// The held text, when nothing can follow it.
    std::string release() {
        std::fill(matched_.begin(), matched_.end(), 0u);
        return std::exchange(held_, {});
    }

  private:
    static std::uint32_t advance(const stop_texts::pattern& pattern, std::uint32_t matched,
                                 char next) {
        if (matched == pattern.text.size()) matched = pattern.links[matched - 1];
        while (matched > 0 && pattern.text[matched] != next) matched = pattern.links[matched - 1];
        return pattern.text[matched] == next ? matched + 1 : 0;
    }

    const stop_texts* texts_;
    std::vector<std::uint32_t> matched_;
    std::string held_;  // the longest end of the text that begins a stop text
};

}  // namespace g4::serve
