// /tokenize and /detokenize: what the tokenizer and the chat template make of a request.
// Source: vLLM's protocol for the fields and answers.
#pragma once
#include "g4/serve/plan.hpp"
#include "g4/serve/request_error.hpp"
#include "g4/serve/service.hpp"
#include "g4/serve/token_report.hpp"
#include <string>
#include <utility>
#include <vector>

namespace g4::serve {

/// The answer's body. Any thread. Errors: request_error.
inline std::string tokenize_answer(const service& of, json::object body) {
    const served_model& model = of.model;
    const fields view{body};
    check_model(view, model.names);
    const bool strings = view.boolean_or("return_token_strs", false);
    if (view.has("messages") == view.has("prompt"))
        refuse_field("prompt", "expected either prompt or messages, got ",
                     view.has("prompt") ? "both" : "none");
    std::vector<std::int32_t> ids;
    if (view.has("messages")) {
        const bool begin = view.boolean_or("add_special_tokens", false);
        const auto conversation = read_conversation(body, model.default_template_kwargs,
                                                    model.bounds.limits, conversation_use::render);
        ids = model.words->encode(render(of, conversation));
        // the template writes <bos> itself; a caller may still ask for one more, as of vLLM
        if (begin && model.begin_token) ids.insert(ids.begin(), *model.begin_token);
    } else {
        const auto text = view.text("prompt", std::string::npos);
        ids = encode_text(of, *text, view.boolean_or("add_special_tokens", true)).ids;
    }
    json_writer out;
    out.begin_object().key("count").number(ids.size());
    out.key("max_model_len").number(model.bounds.max_model_len);
    out.key("tokens");
    write_ids(out, ids);
    out.key("token_strs");
    if (strings) {
        out.begin_array();
        for (const std::int32_t id : ids)
            out.text(token_report::readable(model.words->token_bytes(id)));
        out.end_array();
    } else {
        out.null();
    }
    out.end_object();
    return out.take();
}

/// The answer's body. Any thread. Errors: request_error.
inline std::string detokenize_answer(const service& of, const json::object& body) {
    const served_model& model = of.model;
    const fields view{body};
    check_model(view, model.names);
    const json::array* tokens = view.array("tokens", model.bounds.limits.tokens_listed);
    if (!tokens) view.expected("tokens", "a list of token ids");
    std::vector<std::int32_t> ids;
    if (!tokens->empty()) ids = detail::read_ids(*tokens, "tokens", model.bounds);
    json_writer out;
    out.begin_object().key("prompt").text(model.words->decode(ids, false)).end_object();
    return out.take();
}

}  // namespace g4::serve
