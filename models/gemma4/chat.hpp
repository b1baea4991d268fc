// Gemma 4's chat templates: which published one a checkpoint carries, and its compiled-in form.
#pragma once
#include "g4/core/error.hpp"
#include "g4/core/sha256.hpp"
#include "g4/text/chat.hpp"
#include "models/gemma4/chat_april_2026.hpp"
#include "models/gemma4/chat_july_2026.hpp"
#include <memory>
#include <string>
#include <string_view>

namespace g4::gemma4 {

namespace detail {

/// Line ends as \n and no blanks around: what saving a template anew may change.
inline std::string comparable_template(std::string_view source) {
    std::string lines;
    for (std::size_t i = 0; i < source.size(); ++i)
        if (source.substr(i, 2) != "\r\n") lines += source[i];
    return std::string{without_outer_blanks(lines)};
}

/// SHA-256 of the comparable form of the published files.
inline constexpr std::string_view july_2026_digest =
    "523fc86ed4db0357763963f4b0fdbce319903f1f68b2d03f593bef7a56836533";
inline constexpr std::string_view april_2026_digest =
    "55572b8d3c8342044e25874c73fe5234b661fa0a57a57f6ef75b58e03d7d959a";

}  // namespace detail

/// The template of 2026-07-09, for checkpoints that bring none or one that is not known.
inline std::unique_ptr<chat_template> builtin_chat_template() {
    return std::make_unique<july_2026_chat_template>();
}

/// The compiled-in form of the template that a checkpoint carries (chat_template.jinja, or the
/// member chat_template of tokenizer_config.json).
/// Errors: input_error when it is none of the published ones.
inline std::unique_ptr<chat_template> make_chat_template(std::string_view jinja_source) {
    const std::string digest = sha256(detail::comparable_template(jinja_source));
    if (digest == detail::july_2026_digest) return builtin_chat_template();
    if (digest == detail::april_2026_digest) return std::make_unique<april_2026_chat_template>();
    throw input_error{
        "chat template: expected the published one of 2026-07-09 or of April 2026, "
        "got another of ",
        jinja_source.size(), " bytes (sha256 ", digest.substr(0, 12),
        "…); --chat-template builtin uses the one of 2026-07-09 instead"};
}

}  // namespace g4::gemma4
