// The responses of /v1/completions.
// Source: OpenAI's completion object; vLLM for stop_reason and token ids.
#pragma once
#include "g4/serve/response_format.hpp"
#include <utility>
#include <vector>

namespace g4::serve {

class completion_format final : public response_format {
  public:
    completion_format(response_head head, const tokenizer& words, const generation_plan& plan)
        : head_{std::move(head)},
          common_{plan.common},
          echo_{plan.echo},
          prompts_{plan.echo || plan.common.return_token_ids ? plan.prompts
                                                             : std::vector<planned_prompt>{}},
          report_{words, plan.common.tokens_as_ids, plan.common.skip_special},
          lists_(plan.requests.size(), completion_logprobs{report_}) {}
    completion_format(const completion_format&) = delete;  // lists_ point into it

    void write_first(json_writer&, answer_state&) override {}

    void write_chunk(json_writer& out, answer_state& of, const answer_piece& piece,
                     const std::optional<token_usage>& usage) override {
        const bool first = !std::exchange(of.begun, true);
        out.begin_object();
        head_.write(out, "text_completion");
        out.key("choices").begin_array();
        write_answer(out, of, piece, first);
        out.end_array();
        if (usage) write_usage_member(out, *usage);
        else if (common_.include_usage) out.key("usage").null();
        out.end_object();
    }

    void write_usage(json_writer& out, const token_usage& usage) override {
        out.begin_object();
        head_.write(out, "text_completion");
        out.key("choices").begin_array().end_array();
        write_usage_member(out, usage);
        out.end_object();
    }

    void write_whole(json_writer& out, std::span<answer_state> answers,
                     const token_usage& usage) override {
        out.begin_object();
        head_.write(out, "text_completion");
        out.key("choices").begin_array();
        for (answer_state& of : answers) write_answer(out, of, of.whole, true);
        out.end_array();
        write_usage_member(out, usage);
        out.end_object();
    }

  private:
    const planned_prompt& prompt_of(const answer_state& of) const {
        return prompts_[of.index / static_cast<std::size_t>(common_.answers)];
    }

    void write_answer(json_writer& out, answer_state& of, const answer_piece& piece, bool first) {
        out.begin_object().key("index").number(of.index);
        out.key("text").text(first && echo_ ? prompt_of(of).text + piece.content : piece.content);
        out.key("logprobs");
        if (common_.how.top_logprobs < 0) {
            out.null();
        } else {
            completion_logprobs& lists = lists_[of.index];
            if (first && echo_) add_prompt(lists, of);
            for (const generated_token& token : piece.tokens) lists.add(token);
            lists.write(out);
        }
        write_end(out, of.end);
        if (common_.return_token_ids) {
            write_token_ids(out, "token_ids", piece.tokens);
            if (first) {
                out.key("prompt_token_ids");
                write_ids(out, prompt_of(of).ids);
            }
        }
        out.end_object();
    }
    void add_prompt(completion_logprobs& lists, const answer_state& of) const {
        const planned_prompt& prompt = prompt_of(of);
        lists.add_first(prompt.ids.front(), !prompt.added_begin && !prompt.text.empty());
        for (const generated_token& token : of.prompt) lists.add(token);
    }

    response_head head_;
    sampling_fields common_;
    bool echo_;
    std::vector<planned_prompt> prompts_;
    token_report report_;
    std::vector<completion_logprobs> lists_;  // by answer
};

}  // namespace g4::serve
