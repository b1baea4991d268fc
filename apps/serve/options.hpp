// What a command line of g4-serve asks for, and the checks between its flags.
#pragma once
#include "g4/core/error.hpp"
#include "g4/serve/requests.hpp"
#include <boost/json.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace g4::apps {

struct serve_options {
    std::string model;  // folder
    bool help = false, version = false;

    // the model
    std::vector<std::string> served_names;   // none: the folder as it was given
    std::string chat_template;               // empty: the folder's; "builtin"; a file
    std::string quantization;                // empty: as the checkpoint says
    std::string device = "auto";             // auto, cpu, cuda
    bool dummy_weights = false;              // --load-format dummy
    std::string generation_config = "auto";  // auto: the folder's; vllm: none; a folder
    boost::json::object override_generation_config;
    boost::json::object default_template_kwargs;

    // the engine
    std::optional<std::int32_t> max_model_len;           // none: the config's, as far as it fits
    std::optional<std::int32_t> max_num_batched_tokens;  // none: chosen for the device
    std::optional<std::int32_t> max_num_seqs;
    std::int32_t max_queued_requests = 1024;
    bool chunked_prefill = true;
    std::optional<std::int32_t> threads;  // none: every core
    bool int8_activations = false;
    double gpu_memory_utilization = 0.9;
    bool cuda_graphs = true;
    std::string kernel_cache, codegen, bundle;  // empty: the default, the program's own, none
    std::uint64_t seed = 0;

    // the server
    std::string host = "0.0.0.0";
    std::uint16_t port = 8000;
    std::string uds;
    std::vector<std::string> api_keys, allowed_origins;
    bool allow_credentials = false;
    std::chrono::milliseconds shutdown_timeout{30'000};
    std::int64_t max_logprobs = 20;
    std::int64_t max_body_bytes = 16 << 20;
    bool log_requests = false, log_answers = true, force_usage = false;
    std::string log_level = "info";

    std::vector<std::string> notes;  // what was accepted and has not landed yet
};

/// The name of W4A16 as the checkpoint's quantiser is called, whatever spelling was typed; empty
/// for one that this build does not know.
inline std::string quantiser_family(std::string text) {
    std::replace(text.begin(), text.end(), '_', '-');
    if (text == "autoround" || text == "auto-round" || text == "inc") return "auto-round";
    return text == "gptq" || text == "gptq-marlin" ? "gptq" : "";
}

/// What --quantization says must be what the checkpoint is.
///   method  quant_method of config.json; empty: plain weights
/// Errors: input_error with both names.
inline void check_quantization(const std::string& asked, const std::string& method) {
    if (asked.empty()) return;
    // auto-round writes checkpoints in GPTQ's layout under either name
    if (!method.empty() && (quantiser_family(asked) == quantiser_family(method) ||
                            quantiser_family(asked) == "auto-round"))
        return;
    throw input_error{"--quantization ",
                      asked,
                      ": expected what the checkpoint's config.json ",
                      "says, ",
                      method.empty() ? std::string{"no quantization"} : method,
                      "; leave the flag out"};
}

/// The checks between flags that need no model. Errors: input_error.
inline void check_options(const serve_options& of) {
    if (of.max_num_batched_tokens && of.max_model_len && !of.chunked_prefill &&
        *of.max_num_batched_tokens < *of.max_model_len)
        throw input_error{"--max-num-batched-tokens: expected at least --max-model-len, ",
                          *of.max_model_len, ", when --no-enable-chunked-prefill is given, got ",
                          *of.max_num_batched_tokens};
    if (of.allow_credentials && std::find(of.allowed_origins.begin(), of.allowed_origins.end(),
                                          "*") != of.allowed_origins.end())
        throw input_error{"--allow-credentials: expected --allowed-origins to name each origin: ",
                          "with \"*\" every page that a user visits could use the server"};
}

}  // namespace g4::apps
