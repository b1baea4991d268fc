// A whole server without a model: tiny tokenizer, null executor, real engine and endpoints.
// What it says can be foretold, so tests compare texts and not only forms.
#pragma once
#include "g4/serve/endpoints.hpp"
#include "models/gemma4/chat.hpp"
#include "tests/support/null_executor.hpp"
#include "tests/support/tiny_tokenizer.hpp"
#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace g4::testing {

struct null_server_options {
    std::chrono::microseconds step_time{0};
    std::int32_t sequences = 64;
    std::int32_t max_model_len = 2048;
    std::int32_t max_waiting = 256;
    bool for_load = false;  // answers without looking at what was asked, at next to no cost
    std::int64_t fails_at_step = -1;
    serve::service_options service{};
};

/// A chat answer repeats the user's last message, "{" and "}" becoming <|channel> and <channel|>,
/// and ends its turn. Any other text goes on with tokens that its own tokens decide.
class parrot {
  public:
    explicit parrot(const tokenizer& words)
        : words_{words},
          turn_{*words.id_of("<|turn>")},
          turn_end_{*words.id_of("<turn|>")},
          user_{words.encode("user\n")},
          model_{words.encode("model\n")} {}

    std::int32_t operator()(std::span<const std::int32_t> seen) const {
        const auto model = last_turn(seen, model_), user = last_turn(seen, user_);
        if (!model || !user) return null_answer(seen, words_.size());
        const std::size_t said = seen.size() - *model;
        const auto asked = seen.subspan(*user);
        const auto end = std::find(asked.begin(), asked.end(), turn_end_);
        if (said >= static_cast<std::size_t>(end - asked.begin())) return turn_end_;
        const std::int32_t next = asked[said];
        if (next == words_.id_of("{")) return *words_.id_of("<|channel>");
        if (next == words_.id_of("}")) return *words_.id_of("<channel|>");
        return next;
    }

  private:
    /// Where what follows the last "<|turn>role\n" begins.
    std::optional<std::size_t> last_turn(std::span<const std::int32_t> seen,
                                         const std::vector<std::int32_t>& role) const {
        std::vector<std::int32_t> opening{turn_};
        opening.insert(opening.end(), role.begin(), role.end());
        const auto found = std::find_end(seen.begin(), seen.end(), opening.begin(), opening.end());
        if (found == seen.end()) return std::nullopt;
        return static_cast<std::size_t>(found - seen.begin()) + opening.size();
    }

    const tokenizer& words_;
    std::int32_t turn_, turn_end_;
    std::vector<std::int32_t> user_, model_;
};

/// The parts of a server in the order in which they depend on one another. The loop comes from
/// whoever makes the HTTP server (or a test's own), and must outlive this.
class null_server {
  public:
    null_server(serve::event_loop& loop, null_server_options options)
        : words_{std::make_shared<const tokenizer>(tiny_tokenizer())},
          executor_{executor_options(*words_, options)},
          engine_{executor_,
                  {.max_model_len = options.max_model_len,
                   .max_num_batched_tokens = 4096,
                   .max_num_seqs = options.sequences,
                   .max_waiting = options.max_waiting,
                   .log = options.service.log,
                   // a device that keeps its pace while the host works, when the pace is measured
                   .steps_in_flight = options.for_load ? 2 : 1}},
          service_{engine_, loop, model_of(words_, options), options.service},
          endpoints_{service_} {}

    serve::service& service() { return service_; }
    serve::endpoints& endpoints() { return endpoints_; }
    const tokenizer& words() const { return *words_; }

  private:
    static null_options executor_options(const tokenizer& words,
                                         const null_server_options& options) {
        constexpr std::int32_t page_tokens = 16;
        const std::int32_t pages =
            options.sequences * ((options.max_model_len + page_tokens - 1) / page_tokens);
        null_options out{
            .reserved = null_capacity(4096, options.sequences, page_tokens, words.size(), pages),
            .step_time = options.step_time};
        out.fails_at_step = options.fails_at_step;
        if (options.for_load) {
            out.samples = out.reads_history = false;
            const std::int32_t first = *words.id_of("a");
            out.answer = [first](std::span<const std::int32_t> seen) {
                return first + (seen.back() + 1 - first + 26) % 26;
            };
        } else {
            out.answer = parrot{words};
        }
        return out;
    }
    static serve::served_model model_of(const std::shared_ptr<const tokenizer>& words,
                                        const null_server_options& options) {
        serve::served_model out;
        out.names = {"null", "another-name"};
        out.root = "null";
        out.words = words;
        out.conversation = gemma4::builtin_chat_template();
        out.bounds.vocabulary = words->size();
        out.bounds.max_model_len = options.max_model_len;
        out.bounds.defaults.temperature = 0;
        out.end_tokens = {*words->id_of("<eos>"), *words->id_of("<turn|>")};
        out.begin_token = words->id_of("<bos>");
        return out;
    }

    std::shared_ptr<const tokenizer> words_;
    null_executor executor_;
    engine engine_;
    serve::service service_;
    serve::endpoints endpoints_;
};

}  // namespace g4::testing
