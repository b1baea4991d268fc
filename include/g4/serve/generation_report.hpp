// What a generation tells metrics and log about itself.
#pragma once
#include "g4/serve/generation.hpp"

namespace g4::serve {

inline double seconds_between(std::chrono::steady_clock::time_point from,
                              std::chrono::steady_clock::time_point to) {
    return std::max(0.0, std::chrono::duration<double>(to - from).count());
}

inline void generation::observe_request() {
    server_metrics& metrics = service_.metrics;
    metrics.asked_answers.observe(plan_.common.answers);
    for (const planned_prompt& prompt : plan_.prompts) {
        metrics.prompt_size.observe(static_cast<double>(prompt.ids.size()));
        metrics.prompt_tokens.add(static_cast<double>(prompt.ids.size()));
    }
    for (const generation_request& request : plan_.requests)
        metrics.asked_size.observe(request.max_tokens);
    if (!service_.options.log_requests) return;
    const sampling& how = plan_.common.how;
    service_.options.log.info("serve: ", context_.id, ": ", plan_.prompts.size(), " prompts, ",
                              plan_.prompt_tokens(), " tokens, n ", plan_.common.answers,
                              ", temperature ", how.temperature, ", top_k ", how.top_k, ", top_p ",
                              how.top_p, ", max_tokens ", plan_.requests.front().max_tokens,
                              plan_.common.stream ? ", streamed" : "");
}

inline void generation::observe_tokens(answer_clock& clock, const generation_event& event,
                                       clock_time when) {
    if (clock.scheduled == clock_time{} && event.scheduled != clock_time{}) {
        clock.scheduled = event.scheduled;
        service_.metrics.queued.observe(seconds_between(context_.arrived, event.scheduled));
    }
    if (event.tokens.empty()) return;
    service_.metrics.generated_tokens.add(static_cast<double>(event.tokens.size()));
    if (clock.first == clock_time{}) {
        clock.first = when;
        service_.metrics.first_token.observe(seconds_between(context_.arrived, when));
        if (clock.scheduled != clock_time{})
            service_.metrics.prefill.observe(seconds_between(clock.scheduled, when));
    } else {
        service_.metrics.between_tokens.observe(seconds_between(clock.last, when));
    }
    clock.last = when;
}

inline void generation::observe_end(const answer_state& of, const answer_clock& clock,
                                    clock_time when) {
    server_metrics& metrics = service_.metrics;
    metrics.finished(of.end.finish == finish_reason::stop ? "stop" : "length").add();
    metrics.answer_size.observe(of.text.tokens());
    metrics.whole_request.observe(seconds_between(context_.arrived, when));
    if (clock.first != clock_time{})
        metrics.decode.observe(seconds_between(clock.first, clock.last));
    if (clock.scheduled != clock_time{})
        metrics.inference.observe(seconds_between(clock.scheduled, when));
}

inline void generation::log(int status) const {
    service_.metrics.answered("POST", context_.path, status);
    if (!service_.options.log_answers) return;
    const auto now = std::chrono::steady_clock::now();
    const auto ms = static_cast<std::int64_t>(1000 * seconds_between(context_.arrived, now));
    service_.options.log.info("serve: ", context_.id, " POST ", context_.path, ' ', status, ", ",
                              plan_.prompt_tokens(), " prompt and ", usage().generated,
                              " answer tokens in ", ms, " ms");
}

}  // namespace g4::serve
