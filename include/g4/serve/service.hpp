// What the endpoints share: the model as it is served, the engine, the loop, and who is running.
#pragma once
#include "g4/core/log.hpp"
#include "g4/engine/engine.hpp"
#include "g4/serve/event_pump.hpp"
#include "g4/serve/http/server.hpp"
#include "g4/serve/sampling_fields.hpp"
#include "g4/serve/server_metrics.hpp"
#include "g4/serve/worker_pool.hpp"
#include "g4/text/text.hpp"
#include <atomic>
#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace g4::serve {

/// A loaded model with everything that is not arithmetic. Shared by threads, never changed.
struct served_model {
    std::vector<std::string> names;  // the first is echoed; at least one
    std::string root;                // the folder, as /v1/models shows it
    std::shared_ptr<const tokenizer> words;
    std::shared_ptr<const chat_template> conversation;  // none: /v1/chat/completions answers 400
    std::string without_conversation;                   // and says what to do instead
    model_bounds bounds;
    std::vector<std::int32_t> end_tokens;     // that end an answer by themselves
    std::optional<std::int32_t> begin_token;  // <bos>, before a plain text
    json::object default_template_kwargs;
};

struct service_options {
    std::vector<std::string> api_keys;         // none: everyone may
    std::vector<std::string> allowed_origins;  // for browsers; none: no CORS headers at all
    bool allow_credentials = false;
    bool log_requests = false;  // one line with the numbers of each request
    bool log_answers = true;    // one line for each answered request
    bool force_usage = false;   // usage in every stream, asked for or not
    std::uint64_t seed = 0;     // for requests without one
    int workers = 2;
    std::string version = "unknown";
    logger log{};
};

/// An answer under way that can be ended from outside.
class running_answer {
  public:
    virtual ~running_answer() = default;
    virtual void end(std::string_view why) = 0;
};

/// Lives as long as the server; on the loop's thread but for what is marked otherwise.
class service {
  public:
    /// The engine and the loop must outlive the service.
    service(engine& runs, event_loop& loop, served_model model, service_options options)
        : model{std::move(model)},
          options{std::move(options)},
          runs{runs},
          loop{loop},
          pump{std::make_shared<event_pump>(loop)},
          metrics{this->model.names.front(), this->model.bounds.max_model_len,
                  this->options.version},
          workers{this->options.workers, this->options.log} {
        channel_opens = this->model.words->id_of("<|channel>");
        channel_closes = this->model.words->id_of("<channel|>");
        if (!channel_opens || !channel_closes) channel_opens = channel_closes = std::nullopt;
        for (std::int32_t id = 0; id < this->model.words->size(); ++id)
            longest_token = std::max(longest_token, this->model.words->token_bytes(id).size());
    }

    const served_model model;
    const service_options options;
    const std::time_t started = std::time(nullptr);

    engine& runs;
    event_loop& loop;
    std::shared_ptr<event_pump> pump;
    server_metrics metrics;
    std::optional<std::int32_t> channel_opens, channel_closes;  // of the vocabulary, both or none
    std::size_t longest_token = 1;                              // in bytes
    bool draining = false;
    std::function<std::size_t()> open_connections = [] { return std::size_t{0}; };

    /// A seed for a request that brings none. Any thread.
    std::uint64_t next_seed() {
        // Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014
        std::uint64_t z = options.seed + 0x9E3779B97F4A7C15u * (1 + seeds_.fetch_add(1));
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
        z = (z ^ z >> 27) * 0x94D049BB133111EBu;
        return z ^ z >> 31;
    }
    /// A name nobody can guess or choose: "chatcmpl-" and 128 random bits. On the loop's thread.
    std::string next_id(std::string_view prefix) {
        constexpr std::string_view hex = "0123456789abcdef";
        std::string out{prefix};
        for (int word = 0; word < 4; ++word) {
            const std::uint32_t bits = entropy_();
            for (int digit = 0; digit < 8; ++digit) out += hex[bits >> 4 * digit & 15];
        }
        return out;
    }

    void add(std::weak_ptr<running_answer> one) {
        if (running_.size() > 64 && running_.size() > 2 * live_) {
            std::erase_if(running_, [](const auto& each) { return each.expired(); });
            live_ = running_.size();
        }
        running_.push_back(std::move(one));
    }
    /// Ends every running answer; the time to finish is over.
    void end_all(std::string_view why) {
        for (const auto& each : std::exchange(running_, {}))
            if (const auto one = each.lock()) one->end(why);
    }

  private:
    std::atomic<std::uint64_t> seeds_{0};
    std::random_device entropy_;
    std::vector<std::weak_ptr<running_answer>> running_;
    std::size_t live_ = 0;  // of running_, when it was last looked through

  public:
    worker_pool workers;  // last: its calls use all of the above
};

}  // namespace g4::serve
