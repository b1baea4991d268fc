// The responses of /v1/chat/completions.
// Source: OpenAI's chat completion and chunk objects; vLLM for reasoning, stop_reason, token ids.
#pragma once
#include "g4/serve/response_format.hpp"
#include <utility>

namespace g4::serve {

class chat_format final : public response_format {
  public:
    chat_format(response_head head, const tokenizer& words, const generation_plan& plan)
        : head_{std::move(head)},
          common_{plan.common},
          prompt_{plan.common.return_token_ids ? plan.prompts.front().ids
                                               : std::vector<std::int32_t>{}},
          report_{words, plan.common.tokens_as_ids, plan.common.skip_special} {
        json_writer opening;
        opening.begin_object();
        head_.write(opening, "chat.completion.chunk");
        opening_ = opening.take();
    }

    void write_first(json_writer& out, answer_state& of) override {
        begin_chunk(out);
        if (common_.return_token_ids) {
            out.key("prompt_token_ids");
            write_ids(out, prompt_);
        }
        out.key("choices").begin_array().begin_object().key("index").number(of.index);
        out.key("delta").begin_object().key("role").text("assistant").key("content").text("");
        out.end_object().key("logprobs").null().key("finish_reason").null();
        out.end_object().end_array();
        end_chunk(out, std::nullopt);
    }

    void write_chunk(json_writer& out, answer_state& of, const answer_piece& piece,
                     const std::optional<token_usage>& usage) override {
        begin_chunk(out);
        out.key("choices").begin_array().begin_object().key("index").number(of.index);
        out.key("delta").begin_object();
        if (!piece.reasoning.empty()) out.key("reasoning").text(piece.reasoning);
        if (!piece.content.empty()) out.key("content").text(piece.content);
        out.end_object();
        write_tokens(out, piece);
        if (of.ended) write_end(out, of.end);
        else out.key("finish_reason").null();
        out.end_object().end_array();
        end_chunk(out, usage);
    }

    void write_usage(json_writer& out, const token_usage& usage) override {
        begin_chunk(out);
        out.key("choices").begin_array().end_array();
        write_usage_member(out, usage);
        out.end_object();
    }

    void write_whole(json_writer& out, std::span<answer_state> answers,
                     const token_usage& usage) override {
        out.begin_object();
        head_.write(out, "chat.completion");
        out.key("choices").begin_array();
        for (answer_state& of : answers) {
            out.begin_object().key("index").number(of.index);
            out.key("message").begin_object().key("role").text("assistant");
            out.key("content").text(of.whole.content).key("refusal").null();
            out.key("reasoning");
            if (of.whole.reasoning.empty()) out.null();
            else out.text(of.whole.reasoning);
            out.end_object();
            write_tokens(out, of.whole);
            write_end(out, of.end);
            out.end_object();
        }
        out.end_array();
        write_usage_member(out, usage);
        if (common_.return_token_ids) {
            out.key("prompt_token_ids");
            write_ids(out, prompt_);
        }
        out.end_object();
    }

  private:
    void begin_chunk(json_writer& out) const { out.reopen_object(opening_); }
    void end_chunk(json_writer& out, const std::optional<token_usage>& usage) const {
        if (usage) write_usage_member(out, *usage);
        else if (common_.include_usage) out.key("usage").null();
        out.end_object();
    }
    void write_tokens(json_writer& out, const answer_piece& piece) const {
        out.key("logprobs");
        if (common_.how.top_logprobs >= 0) report_.chat_logprobs(out, piece.tokens);
        else out.null();
        if (common_.return_token_ids) write_token_ids(out, "token_ids", piece.tokens);
    }

    response_head head_;
    sampling_fields common_;
    std::vector<std::int32_t> prompt_;
    token_report report_;
    std::string opening_;  // of every chunk, the same
};

}  // namespace g4::serve
