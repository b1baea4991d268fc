// What a generation needs of a response format, and what both formats share.
#pragma once
#include "g4/engine/request.hpp"
#include "g4/serve/answer.hpp"
#include "g4/serve/json_writer.hpp"
#include "g4/serve/plan.hpp"
#include "g4/serve/token_report.hpp"
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace g4::serve {

struct token_usage {
    std::int64_t prompt = 0, generated = 0;
};

/// Why an answer ended, as the API says it.
struct answer_end {
    finish_reason finish = finish_reason::none;  // stop or length once it ended
    std::variant<std::monostate, std::string, std::int32_t> stop_reason;  // text or token
};

/// One answer of a response in the making.
struct answer_state {
    answer text;
    std::size_t index = 0;
    std::vector<generated_token> prompt;  // what echo reports about the prompt's tokens
    answer_piece whole;                   // all pieces so far, of a response that is not streamed
    answer_end end;
    bool greeted = false;  // write_first was called
    bool begun = false;    // a chunk of it was written
    bool ended = false;
};

/// Writes the JSON of one endpoint. Made for one request, used on the loop.
class response_format {
  public:
    virtual ~response_format() = default;
    /// What a stream says before an answer's first piece; null when nothing.
    virtual void write_first(json_writer& out, answer_state& of) = 0;
    /// A chunk of a stream: what became final, and the end when the answer has ended.
    virtual void write_chunk(json_writer& out, answer_state& of, const answer_piece& piece,
                             const std::optional<token_usage>& usage) = 0;
    /// The chunk with the usage behind all answers of a stream.
    virtual void write_usage(json_writer& out, const token_usage& usage) = 0;
    /// The response that is not streamed.
    virtual void write_whole(json_writer& out, std::span<answer_state> answers,
                             const token_usage& usage) = 0;
};

/// The members that every object of a response begins with.
struct response_head {
    std::string id, model;
    std::int64_t created = 0;

    void write(json_writer& out, std::string_view object) const {
        out.key("id").text(id).key("object").text(object);
        out.key("created").number(created).key("model").text(model);
    }
};

inline void write_usage_member(json_writer& out, const token_usage& usage) {
    out.key("usage").begin_object();
    out.key("prompt_tokens").number(usage.prompt);
    out.key("total_tokens").number(usage.prompt + usage.generated);
    out.key("completion_tokens").number(usage.generated);
    out.end_object();
}

inline void write_end(json_writer& out, const answer_end& end) {
    out.key("finish_reason");
    if (end.finish == finish_reason::none) out.null();
    else out.text(end.finish == finish_reason::stop ? "stop" : "length");
    out.key("stop_reason");
    if (const auto* text = std::get_if<std::string>(&end.stop_reason)) out.text(*text);
    else if (const auto* token = std::get_if<std::int32_t>(&end.stop_reason)) out.number(*token);
    else out.null();
}

inline void write_token_ids(json_writer& out, std::string_view name,
                            std::span<const generated_token> tokens) {
    out.key(name).begin_array();
    for (const generated_token& token : tokens) out.number(token.token.token);
    out.end_array();
}

}  // namespace g4::serve
