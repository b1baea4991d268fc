// The sampling defaults and end tokens that a model folder brings.
// Source: transformers' GenerationConfig for the keys; vLLM for which of them a server heeds.
#pragma once
#include "apps/serve/options.hpp"
#include "g4/core/json.hpp"
#include "g4/serve/sampling_fields.hpp"
#include <filesystem>
#include <limits>
#include <set>
#include <vector>

namespace g4::apps {

namespace detail {

/// Errors: input_error with file and key.
inline void read_defaults(serve::generation_defaults& into, const json_view& from) {
    const auto number = [&](std::string_view key, double least, double most, float& to) {
        const auto found = from.find(key);
        if (!found) return;
        const double value = found->number();
        if (!(value >= least && value <= most))
            found->expected("a number from ", least, " to ", most);
        to = static_cast<float>(value);
    };
    constexpr double above_zero = 1e-6;
    number("temperature", 0, 100, into.temperature);
    number("top_p", above_zero, 1, into.top_p);
    number("min_p", 0, 1, into.min_p);
    number("repetition_penalty", above_zero, 10, into.repetition_penalty);
    constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
    if (const auto found = from.find("top_k"))
        into.top_k = std::max(0, static_cast<std::int32_t>(found->integer(-1, most)));
    if (const auto found = from.find("max_new_tokens"))
        into.max_new_tokens = static_cast<std::int32_t>(found->integer(1, most));
}

inline void read_end_tokens(std::set<std::int32_t>& into, const json_view& from,
                            std::int32_t vocabulary) {
    const auto found = from.find("eos_token_id");
    if (!found) return;
    const auto add = [&](const json_view& one) {
        into.insert(static_cast<std::int32_t>(one.integer(0, vocabulary - 1)));
    };
    if (!found->value().is_array()) return add(*found);
    for (const json_view& one : found->elements()) add(one);
}

}  // namespace detail

/// temperature, top_k, … from the folder that the options choose, then what they override.
/// Errors: input_error with file and key.
inline serve::generation_defaults read_generation_defaults(const serve_options& options) {
    serve::generation_defaults out;
    if (options.generation_config != "vllm") {
        const std::filesystem::path folder =
            options.generation_config == "auto" ? options.model : options.generation_config;
        const std::filesystem::path file = folder / "generation_config.json";
        if (std::filesystem::exists(file)) {
            const boost::json::value parsed = read_json(file);
            detail::read_defaults(out, json_view{parsed, file.string()});
        } else if (options.generation_config != "auto") {
            throw input_error{"--generation-config: expected generation_config.json in ",
                              folder.string(), ", got none"};
        }
    }
    const boost::json::value over = options.override_generation_config;
    detail::read_defaults(out, json_view{over, "--override-generation-config"});
    return out;
}

/// What ends an answer by itself: the eos_token_id of generation_config.json and of config.json
/// together, for the latter may list fewer.
inline std::vector<std::int32_t> read_end_tokens(const std::filesystem::path& folder,
                                                 std::int32_t vocabulary) {
    std::set<std::int32_t> out;
    for (const char* name : {"generation_config.json", "config.json"}) {
        const std::filesystem::path file = folder / name;
        if (!std::filesystem::exists(file)) continue;
        const boost::json::value parsed = read_json(file);
        const json_view view{parsed, file.string()};
        detail::read_end_tokens(out, view, vocabulary);
        if (const auto text = view.find("text_config"); text && text->value().is_object())
            detail::read_end_tokens(out, *text, vocabulary);
    }
    return {out.begin(), out.end()};
}

}  // namespace g4::apps
