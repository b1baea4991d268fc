// What a chat template gives to whoever encodes it: pieces of markup and pieces of plain text.
#pragma once
#include <boost/json.hpp>
#include <string>
#include <vector>

namespace g4 {

/// A stretch of a rendered conversation. Special tokens are recognised in markup only: text that
/// spells one inside a message stays text.
struct text_piece {
    std::string text;
    bool markup = false;
};

/// A conversation in the form of the OpenAI chat API.
///   messages  objects with role, content (text or list of parts), tool_calls, reasoning, …
///   tools     as in the request; empty: none
///   kwargs    chat_template_kwargs: enable_thinking, preserve_thinking, …
struct chat_request {
    boost::json::array messages;
    boost::json::array tools;
    boost::json::object kwargs;
    bool add_generation_prompt = true;
};

/// A compiled-in rendering of one published template.
class chat_template {
  public:
    virtual ~chat_template() = default;
    /// The pieces, whose texts joined are what the published template writes, byte for byte.
    /// Errors: input_error for what the template refuses, naming the message and the field.
    virtual std::vector<text_piece> render(const chat_request& request) const = 0;
};

}  // namespace g4
