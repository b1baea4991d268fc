// Collects a rendered conversation: what the template writes, and what messages and tools say.
#pragma once
#include "g4/text/chat.hpp"
#include "g4/text/unicode.hpp"
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace g4::gemma4 {

/// The editions of the published template, by the month they appeared.
enum class chat_edition { april_2026, july_2026 };

class chat_pieces {
  public:
    void markup(std::string_view text) { append(text, true); }
    void text(std::string_view text) { append(text, false); }

    void append(const chat_pieces& others) {
        for (const text_piece& piece : others.pieces) append(piece.text, piece.markup);
    }

    /// Whether anything but blanks was written.
    bool any_visible() const {
        for (const text_piece& piece : pieces)
            if (!without_outer_blanks(piece.text).empty()) return true;
        return false;
    }

    std::vector<text_piece> take() { return std::move(pieces); }

  private:
    void append(std::string_view text, bool is_markup) {
        if (text.empty()) return;
        if (pieces.empty() || pieces.back().markup != is_markup)
            pieces.push_back({std::string{text}, is_markup});
        else pieces.back().text += text;
    }

    std::vector<text_piece> pieces;
};

/// `,` before every item but the first.
class comma_before {
  public:
    explicit comma_before(chat_pieces& to) : out{to} {}
    void next() {
        if (std::exchange(any, true)) out.markup(",");
    }

  private:
    chat_pieces& out;
    bool any = false;
};

}  // namespace g4::gemma4
