// Finds the texts of added tokens (special or not) inside a text: leftmost, then longest.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace g4 {

/// The added tokens of a tokenizer, searched before BPE.
class added_token_finder {
  public:
    struct match {
        std::size_t begin = 0, end = 0;
        std::int32_t id = 0;
    };

    void insert(std::string_view content, std::int32_t id) {
        const auto place = std::upper_bound(
            tokens.begin(), tokens.end(), content,
            [](std::string_view text, const token& other) { return text < other.content; });
        tokens.insert(place, {std::string{content}, id});
        begins_one[static_cast<unsigned char>(content[0])] = true;
    }

    /// The next token at or behind `from`; begin = end = size of the text when there is none.
    /// Cost: linear in the text; at a byte that begins a token, also in the longest token.
    match next(std::string_view text, std::size_t from) const {
        for (std::size_t at = from; at < text.size(); ++at) {
            if (!begins_one[static_cast<unsigned char>(text[at])]) continue;
            if (const token* found = longest_at(text.substr(at)))
                return {at, at + found->content.size(), found->id};
        }
        return {text.size(), text.size(), -1};
    }

  private:
    struct token {
        std::string content;
        std::int32_t id;
    };

    /// Narrows the sorted tokens byte by byte to those that share the text's beginning.
    const token* longest_at(std::string_view text) const {
        const token* found = nullptr;
        auto low = tokens.begin(), high = tokens.end();
        for (std::size_t depth = 0; depth < text.size() && low != high; ++depth) {
            const auto byte_at = [depth](const token& of) {
                return depth < of.content.size() ? static_cast<unsigned char>(of.content[depth])
                                                 : -1;
            };
            const int byte = static_cast<unsigned char>(text[depth]);
            low = std::partition_point(low, high,
                                       [&](const token& of) { return byte_at(of) < byte; });
            high = std::partition_point(low, high,
                                        [&](const token& of) { return byte_at(of) == byte; });
            if (low != high && low->content.size() == depth + 1) found = &*low;
        }
        return found;
    }

    std::vector<token> tokens;  // sorted by their bytes
    std::array<bool, 256> begins_one{};
};

}  // namespace g4
