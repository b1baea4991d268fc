// One generating request from submission to its last byte: the engine's events become a response.
#pragma once
#include "g4/serve/plan.hpp"
#include "g4/serve/request_error.hpp"
#include "g4/serve/response_format.hpp"
#include "g4/serve/service.hpp"
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace g4::serve {

/// Who asked, for the log and the clock.
struct request_context {
    std::string id;  // of the response
    std::string path;
    std::chrono::steady_clock::time_point arrived;
    std::vector<http_header> headers;  // that every answer to it carries
};

class generation final : public event_receiver,
                         public running_answer,
                         public std::enable_shared_from_this<generation> {
    using clock_time = std::chrono::steady_clock::time_point;

  public:
    generation(service& of, std::shared_ptr<exchange> to, request_context context,
               generation_plan plan, std::unique_ptr<response_format> format)
        : service_{of},
          to_{std::move(to)},
          context_{std::move(context)},
          plan_{std::move(plan)},
          format_{std::move(format)},
          clocks_(plan_.requests.size()) {
        answers_.reserve(plan_.requests.size());
        for (std::size_t i = 0; i < plan_.requests.size(); ++i)
            answers_.push_back({answer{*of.model.words, plan_.rules}, i, {}, {}, {}});
    }

    /// Hands the requests to the engine. Answers by itself when it does not take them.
    void start() {
        to_->on_gone([self = weak_from_this()] {
            if (const auto held = self.lock()) held->leave();
        });
        service_.add(weak_from_this());
        try {
            for (std::size_t i = 0; i < plan_.requests.size(); ++i)
                ids_.push_back(service_.runs.submit(std::move(plan_.requests[i]),
                                                    service_.pump->sink(shared_from_this(), i)));
            observe_request();
        } catch (const input_error& wrong) {
            refuse(400, wrong.what());
        } catch (const overloaded_error& full) {
            refuse(429, full.what());
        } catch (const std::exception& failed) {
            service_.options.log.error("serve: a request was not taken: ", failed.what());
            refuse(500, failed.what());
        }
    }

    void receive(std::size_t index, generation_event&& event, clock_time when) override {
        answer_state& of = answers_[index];
        if (over_ || of.ended) return;
        try {
            take(of, std::move(event), when);
        } catch (const std::exception& failed) {  // ours; nobody else's answer may end with it
            service_.options.log.error("serve: ", context_.id, ": ", failed.what());
            if (!over_) fail(500, "request: the server failed to answer it");
        }
    }

    /// The server wants to go.
    void end(std::string_view why) override {
        if (!over_) fail(503, std::string{why});
    }

  private:
    struct answer_clock {
        clock_time scheduled{}, first{}, last{};
    };

    void take(answer_state& of, generation_event&& event, clock_time when) {
        if (event.finish == finish_reason::failed) return fail(500, event.error);
        if (event.finish == finish_reason::cancelled)
            return fail(503, "request: the server ended it before it was finished");
        if (!event.prompt.empty()) of.prompt = std::move(event.prompt);
        observe_tokens(clocks_[of.index], event, when);
        take_tokens(of, event);
        if (of.ended) {
            ++ended_;
            observe_end(of, clocks_[of.index], when);
        }
        if (plan_.common.stream) stream(of);
        else keep(of);
        if (ended_ == answers_.size()) complete();
    }
    void take_tokens(answer_state& of, generation_event& event) {
        const std::size_t count = event.tokens.size();
        for (std::size_t i = 0; i < count; ++i) {
            const std::int32_t id = event.tokens[i].token.token;
            const bool stops = event.finish == finish_reason::stop && i + 1 == count;
            const bool shown = !stops || plan_.rules.include_stop_text;
            if (of.text.push(std::move(event.tokens[i]), shown)) {
                if (stops) name_stop(of, id);
                continue;
            }
            service_.runs.cancel(ids_[of.index]);
            of.end = {finish_reason::stop, *of.text.stopped_by()};
            of.ended = true;
            return;
        }
        if (event.finish == finish_reason::none) return;
        of.text.finish();
        of.ended = true;
        of.end.finish = event.finish;
        // what is held back at the end may complete a stop text
        if (of.text.stopped_by()) of.end = {finish_reason::stop, *of.text.stopped_by()};
    }
    /// A stop token that the request named is told; the model's own end is not.
    void name_stop(answer_state& of, std::int32_t id) const {
        for (const std::int32_t named : plan_.common.stop_token_ids)
            if (named == id) of.end.stop_reason = id;
    }

    void keep(answer_state& of) {
        answer_piece piece = of.text.take();
        of.whole.content += piece.content;
        of.whole.reasoning += piece.reasoning;
        if (plan_.common.how.top_logprobs < 0 && !plan_.common.return_token_ids) return;
        of.whole.tokens.insert(of.whole.tokens.end(), std::make_move_iterator(piece.tokens.begin()),
                               std::make_move_iterator(piece.tokens.end()));
    }

    void stream(answer_state& of) {
        if (!started_) {
            started_ = true;
            http_response head;
            head.content_type = "text/event-stream; charset=utf-8";
            head.headers = context_.headers;
            head.headers.push_back({"cache-control", "no-cache"});
            to_->start_stream(std::move(head));
        }
        events_.clear();
        if (!std::exchange(of.greeted, true)) {
            json_writer out;
            format_->write_first(out, of);
            append_event(out.view());
        }
        const answer_piece& ready = of.text.pending();
        const bool echoes = plan_.echo && !of.begun;
        if (of.ended || echoes || !ready.content.empty() || !ready.reasoning.empty()) {
            json_writer out;
            const answer_piece piece = of.text.take();
            format_->write_chunk(out, of, piece, running_usage());
            append_event(out.view());
        }
        if (!events_.empty()) to_->send(events_);
    }
    void append_event(std::string_view json) {
        if (json.empty()) return;
        events_ += "data: ";
        events_ += json;
        events_ += "\n\n";
    }
    std::optional<token_usage> running_usage() const {
        return plan_.common.continuous_usage ? std::optional{usage()} : std::nullopt;
    }
    token_usage usage() const {
        token_usage out{plan_.prompt_tokens(), 0};
        for (const answer_state& of : answers_) out.generated += of.text.tokens();
        return out;
    }

    void complete() {
        over_ = true;
        json_writer out;
        if (plan_.common.stream) {
            events_.clear();
            if (plan_.common.include_usage || service_.options.force_usage) {
                format_->write_usage(out, usage());
                append_event(out.view());
            }
            events_ += "data: [DONE]\n\n";
            to_->send(events_);
            to_->end_stream();
        } else {
            format_->write_whole(out, answers_, usage());
            http_response response;
            response.headers = context_.headers;
            response.body = out.take();
            to_->respond(std::move(response));
        }
        log(200);
    }
    /// Before anything was said: an error response instead.
    void refuse(int status, std::string_view message) { fail(status, std::string{message}); }
    void fail(int status, const std::string& message) {
        over_ = true;
        cancel_rest();
        count_rest("error");
        if (started_) {
            json_writer out;
            write_error(out, status, message);
            events_.clear();
            append_event(out.view());
            events_ += "data: [DONE]\n\n";
            to_->send(events_);
            to_->end_stream();
        } else {
            http_response response = error_response(status, message);
            response.headers.insert(response.headers.end(), context_.headers.begin(),
                                    context_.headers.end());
            to_->respond(std::move(response));
        }
        log(status);
    }
    /// The client went away: nobody is told, the engine stops within a step.
    void leave() {
        if (std::exchange(over_, true)) return;
        cancel_rest();
        count_rest("abort");
        log(499);  // nginx's number for a request that the client closed
    }
    void cancel_rest() {
        for (std::size_t i = 0; i < ids_.size(); ++i)
            if (!answers_[i].ended) service_.runs.cancel(ids_[i]);
    }

    void count_rest(std::string_view reason) {
        for (std::size_t i = 0; i < ids_.size(); ++i)
            if (!answers_[i].ended) service_.metrics.finished(reason).add();
    }
    void observe_request();
    void observe_tokens(answer_clock& clock, const generation_event& event, clock_time when);
    void observe_end(const answer_state& of, const answer_clock& clock, clock_time when);
    void log(int status) const;

    service& service_;
    std::shared_ptr<exchange> to_;
    request_context context_;
    generation_plan plan_;
    std::unique_ptr<response_format> format_;
    std::vector<answer_state> answers_;
    std::vector<answer_clock> clocks_;
    std::vector<request_id> ids_;
    std::string events_;
    std::size_t ended_ = 0;
    bool started_ = false, over_ = false;
};

}  // namespace g4::serve

#include "g4/serve/generation_report.hpp"
