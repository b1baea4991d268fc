// The fields that both generating endpoints share: sampling, stopping, counting, streaming.
// Source: vLLM's protocol of 2026 for names and meaning; OpenAI's API where it has the field.
#pragma once
#include "g4/engine/request.hpp"
#include "g4/serve/fields.hpp"
#include "g4/serve/limits.hpp"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace g4::serve {

/// What holds where a request says nothing: the model's generation_config, overridden by flags.
struct generation_defaults {
    float temperature = 1, top_p = 1, min_p = 0, repetition_penalty = 1;
    std::int32_t top_k = 0;
    std::optional<std::int32_t> max_new_tokens;  // also the most a request may ask for
};

/// What the checks of a request must know of the model.
struct model_bounds {
    std::int32_t vocabulary = 0;
    std::int32_t max_model_len = 0;
    generation_defaults defaults;
    request_limits limits;
};

struct sampling_fields {
    sampling how{};  // seed left open, see `seed`
    std::vector<logit_bias> biases;
    std::vector<std::string> stop;
    std::vector<std::int32_t> stop_token_ids;
    bool include_stop_text = false, ignore_eos = false, skip_special = true;
    std::optional<std::int32_t> max_tokens;
    std::int32_t min_tokens = 0;
    std::int32_t answers = 1;  // n
    std::optional<std::int64_t> seed;
    std::optional<std::int32_t> truncate_prompt_tokens;  // keep the last so many; -1: what fits
    bool stream = false, include_usage = false, continuous_usage = false;
    bool return_token_ids = false, tokens_as_ids = false;
};

namespace detail {

inline void read_stop(sampling_fields& out, const fields& from, const request_limits& limits) {
    const auto add = [&](const json::value& value, const std::string& where) {
        if (!value.is_string()) refuse_field(where, "expected a text, got ", shown(value));
        const auto& text = value.get_string();
        if (text.empty()) refuse_field(where, "expected a text of at least one character");
        if (text.size() > limits.stop_text_bytes)
            refuse_field(where, "expected at most ", limits.stop_text_bytes, " bytes, got ",
                         text.size());
        out.stop.emplace_back(text.data(), text.size());
    };
    const json::value* stop = from.find("stop");
    if (!stop) return;
    if (stop->is_string()) return add(*stop, "stop");
    if (!stop->is_array()) from.expected("stop", "a text or a list of texts");
    const json::array& list = *from.array("stop", limits.stop_texts);
    for (std::size_t i = 0; i < list.size(); ++i) add(list[i], concat("stop[", i, "]"));
}

inline void read_biases(sampling_fields& out, const fields& from, const model_bounds& model) {
    const json::object* biases = from.object("logit_bias");
    if (!biases) return;
    if (biases->size() > model.limits.biases)
        refuse_field("logit_bias", "expected at most ", model.limits.biases, " tokens, got ",
                     biases->size());
    for (const auto& entry : *biases) {
        const std::string_view key{entry.key().data(), entry.key().size()};
        std::int32_t token = -1;
        const auto end = std::from_chars(key.data(), key.data() + key.size(), token);
        if (end.ec != std::errc{} || end.ptr != key.data() + key.size() || token < 0 ||
            token >= model.vocabulary)
            refuse_field("logit_bias", "expected token ids from 0 to ", model.vocabulary - 1,
                         " as keys, got \"", printable(key), '"');
        const json::value& value = entry.value();
        const double added = value.is_number() ? value.to_number<double>() : 1e9;
        if (!(added >= -100 && added <= 100))
            refuse_field(concat("logit_bias.", token), "expected a number from -100 to 100, got ",
                         shown(value));
        out.biases.push_back({token, static_cast<float>(added)});
    }
}

inline void read_counts(sampling_fields& out, const fields& from, const model_bounds& model,
                        std::int64_t least_tokens) {
    constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
    const auto small = [](std::int64_t value) { return static_cast<std::int32_t>(value); };
    if (const auto given = from.integer("max_tokens", least_tokens, most))
        out.max_tokens = small(*given);
    if (const auto given = from.integer("max_completion_tokens", 1, most))
        out.max_tokens = small(*given);  // the newer name wins, as in vLLM
    out.min_tokens = small(from.integer("min_tokens", 0, most).value_or(0));
    if (out.max_tokens && out.min_tokens > *out.max_tokens)
        refuse_field("min_tokens", "expected at most max_tokens, ", *out.max_tokens, ", got ",
                     out.min_tokens);
    out.answers = small(from.integer("n", 1, model.limits.answers).value_or(1));
    const std::int64_t best =
        from.integer("best_of", 1, model.limits.answers).value_or(out.answers);
    if (best != out.answers)
        refuse_field("best_of", "expected n, ", out.answers, ", or nothing: choosing among more ",
                     "answers than are returned is not supported, got ", best);
    if (const auto kept = from.integer("truncate_prompt_tokens", -1, most)) {
        if (*kept == 0) from.expected("truncate_prompt_tokens", "-1 or a positive integer");
        out.truncate_prompt_tokens = small(*kept);
    }
}

/// Fields that change what is generated and that this server does not have. Ignoring them would
/// answer another question than was asked.
inline void refuse_what_is_missing(const fields& from) {
    constexpr std::string_view structured[] = {
        "structured_outputs", "guided_json",        "guided_regex",   "guided_choice",
        "guided_grammar",     "guided_json_object", "structural_tag", "grammar"};
    for (const std::string_view field : structured)
        if (from.has(field))
            refuse_field(std::string{field},
                         "structured output is not supported yet: leave it "
                         "out and ask for the form in the prompt");
    if (const json::object* format = from.object("response_format")) {
        const auto type = fields{*format, "response_format"}.text("type", 64);
        if (!type) refuse_field("response_format.type", "expected \"text\", got nothing");
        if (*type != "text")
            refuse_field("response_format",
                         "structured output is not supported yet: expected type "
                         "\"text\", got \"",
                         printable(*type), '"');
    }
    constexpr std::string_view others[] = {"allowed_token_ids", "bad_words",
                                           "logits_processors", "prompt_logprobs",
                                           "prompt_embeds",     "prefix"};
    for (const std::string_view field : others)
        if (from.has(field) && !from.find(field)->is_bool())
            refuse_field(std::string{field}, "not supported by this server: leave it out");
    if (from.boolean_or("use_beam_search", false))
        refuse_field("use_beam_search", "beam search is not supported: leave it out");
}

inline void read_streaming(sampling_fields& out, const fields& from) {
    out.stream = from.boolean_or("stream", false);
    const json::object* options = from.object("stream_options");
    if (!options) return;
    if (!out.stream) refuse_field("stream_options", "expected stream to be true beside it");
    const fields inside{*options, "stream_options"};
    out.include_usage = inside.boolean_or("include_usage", false);
    out.continuous_usage = inside.boolean_or("continuous_usage_stats", false) && out.include_usage;
}

}  // namespace detail

/// Errors: request_error 400 that names the field.
///   least_tokens  0 where an answer without tokens makes sense (completions with echo), else 1
inline sampling_fields read_sampling(const fields& from, const model_bounds& model,
                                     std::int64_t least_tokens) {
    const generation_defaults& defaults = model.defaults;
    sampling_fields out;
    sampling& how = out.how;
    how.temperature = from.number("temperature", 0, 100).value_or(defaults.temperature);
    how.top_p = from.number("top_p", 0, 1).value_or(defaults.top_p);
    if (how.top_p <= 0) from.expected("top_p", "a number above 0, at most 1");
    how.min_p = from.number("min_p", 0, 1).value_or(defaults.min_p);
    how.top_k = static_cast<std::int32_t>(std::max<std::int64_t>(
        0, from.integer("top_k", -1, std::numeric_limits<std::int32_t>::max())
               .value_or(defaults.top_k)));
    how.presence_penalty = from.number("presence_penalty", -2, 2).value_or(0.0f);
    how.frequency_penalty = from.number("frequency_penalty", -2, 2).value_or(0.0f);
    how.repetition_penalty =
        from.number("repetition_penalty", 0, 10).value_or(defaults.repetition_penalty);
    if (how.repetition_penalty <= 0)
        from.expected("repetition_penalty", "a number above 0, at most 10");
    out.seed = from.integer("seed", std::numeric_limits<std::int64_t>::min(),
                            std::numeric_limits<std::int64_t>::max());
    detail::read_stop(out, from, model.limits);
    if (const json::array* ids = from.array("stop_token_ids", model.limits.stop_tokens))
        for (std::size_t i = 0; i < ids->size(); ++i) {
            const auto id = whole_number((*ids)[i], 0, model.vocabulary - 1);
            if (!id)
                refuse_field(concat("stop_token_ids[", i, "]"), "expected a token id from 0 to ",
                             model.vocabulary - 1, ", got ", shown((*ids)[i]));
            out.stop_token_ids.push_back(static_cast<std::int32_t>(*id));
        }
    detail::read_biases(out, from, model);
    detail::read_counts(out, from, model, least_tokens);
    detail::read_streaming(out, from);
    detail::refuse_what_is_missing(from);
    out.include_stop_text = from.boolean_or("include_stop_str_in_output", false);
    out.ignore_eos = from.boolean_or("ignore_eos", false);
    out.skip_special = from.boolean_or("skip_special_tokens", true);
    out.return_token_ids = from.boolean_or("return_token_ids", false);
    out.tokens_as_ids = from.boolean_or("return_tokens_as_token_ids", false);
    if (const auto salt = from.text("cache_salt", 1024); salt && salt->empty())
        from.expected("cache_salt", "a text of at least one character");
    return out;
}

}  // namespace g4::serve
