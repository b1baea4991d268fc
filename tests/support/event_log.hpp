// Gathers the events of one request, and notes every breach of what request.hpp promises of them.
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>
#include "g4/engine/request.hpp"

namespace g4::testing {

/// Copies share what they gathered, so a sink may outlive its test.
class event_log {
  public:
    event_sink sink() const {
        return [state = state_](generation_event&& event) { state->add(std::move(event)); };
    }

    /// Whether the last event came before the time was over.
    bool wait(std::chrono::milliseconds timeout = std::chrono::seconds{30}) const {
        std::unique_lock lock{state_->mutex};
        return state_->changed.wait_for(lock, timeout, [&] { return state_->ended(); });
    }
    /// Whether so many tokens, or the last event, came before the time was over.
    bool wait_tokens(std::size_t count) const {
        std::unique_lock lock{state_->mutex};
        return state_->changed.wait_for(lock, std::chrono::seconds{30}, [&] {
            return state_->ended() || state_->tokens.size() >= count;
        });
    }

    std::vector<std::int32_t> ids() const {
        std::vector<std::int32_t> out;
        for (const generated_token& one : tokens()) out.push_back(one.token.token);
        return out;
    }
    std::vector<generated_token> tokens() const { return copy(&state::tokens); }
    std::vector<generated_token> prompt() const { return copy(&state::prompt); }
    finish_reason finish() const { return copy(&state::finish); }
    std::string error() const { return copy(&state::error); }
    std::chrono::steady_clock::time_point scheduled() const { return copy(&state::scheduled); }
    /// Empty when all is as promised.
    std::string breach() const { return copy(&state::breach); }

  private:
    struct state {
        bool ended() const { return finish != finish_reason::none; }
        void add(generation_event&& event) {
            const std::lock_guard lock{mutex};
            if (ended()) breach += "an event after the last; ";
            if (!event.prompt.empty() && !prompt.empty()) breach += "the prompt twice; ";
            if (!event.prompt.empty() && !tokens.empty()) breach += "the prompt after a token; ";
            if (event.tokens.empty() && event.prompt.empty() && event.finish == finish_reason::none)
                breach += "an event about nothing; ";
            if ((event.finish == finish_reason::failed) == event.error.empty())
                breach += "an error without a failure, or a failure without an error; ";
            std::move(event.tokens.begin(), event.tokens.end(), std::back_inserter(tokens));
            std::move(event.prompt.begin(), event.prompt.end(), std::back_inserter(prompt));
            finish = event.finish;
            error = std::move(event.error);
            scheduled = event.scheduled;
            changed.notify_all();
        }

        std::mutex mutex;
        std::condition_variable changed;
        std::vector<generated_token> tokens, prompt;
        finish_reason finish = finish_reason::none;
        std::string error, breach;
        std::chrono::steady_clock::time_point scheduled{};
    };
    template <class T> T copy(T state::*member) const {
        const std::lock_guard lock{state_->mutex};
        return (*state_).*member;
    }

    std::shared_ptr<state> state_ = std::make_shared<state>();
};

}  // namespace g4::testing
