// The flags themselves, by group.
#pragma once
#include "apps/serve/flag_table.hpp"
#include <limits>

namespace g4::apps {

namespace detail {

inline constexpr std::int64_t most_tokens = std::numeric_limits<std::int32_t>::max();

inline flag_group model_flags(const flag_maker& make) {
    serve_options& to = make.into();
    return {
        "model",
        {make.text("model", "DIR", "The same as the first word: a folder with config.json.",
                   &serve_options::model),
         make.list("served-model-name", "NAME...",
                   "What clients may call the model; the first is what answers say. "
                   "By default the folder as it was given.",
                   [&to](const std::string& name) { to.served_names.push_back(name); }),
         make.value("device", "auto|cpu|cuda",
                    "Where the model runs; auto (default) takes the GPU when there is one.",
                    [&to](const std::string& text) {
                        to.device = one_of("device", text, {"auto", "cpu", "cuda"});
                    }),
         make.value("quantization", "NAME",
                    "autoround (or auto-round, auto_round, inc) or gptq. Read from config.json "
                    "anyway; a name that contradicts it is refused.",
                    [&to](const std::string& text) {
                        if (quantiser_family(text).empty())
                            throw input_error{
                                "--quantization: expected autoround, auto-round, "
                                "auto_round, inc or gptq, got \"",
                                printable(text), '"'};
                        to.quantization = text;
                    }),
         make.value("dtype", "auto|bfloat16",
                    "Type of activations and plain weights. float16 is refused: Gemma's "
                    "activations overflow in it.",
                    [](const std::string& text) { one_of("dtype", text, {"auto", "bfloat16"}); }),
         make.value(
             "kv-cache-dtype", "auto|bfloat16", "Type of the key-value cache.",
             [](const std::string& text) { one_of("kv-cache-dtype", text, {"auto", "bfloat16"}); }),
         make.value("load-format", "auto|dummy",
                    "auto (or safetensors) reads the checkpoint; dummy makes random weights "
                    "from config.json alone, for timing.",
                    [&to](const std::string& text) {
                        to.dummy_weights = one_of("load-format", text,
                                                  {"auto", "safetensors", "dummy"}) == "dummy";
                    }),
         make.text("chat-template", "builtin|FILE",
                   "builtin is the published one of July 2026; a file must hold one of the "
                   "published ones. By default the folder's own.",
                   &serve_options::chat_template),
         make.object("default-chat-template-kwargs",
                     "Under each request's chat_template_kwargs, which win; for instance "
                     "'{\"enable_thinking\": true}'.",
                     [&to](const boost::json::object& kwargs) {
                         serve::check_template_kwargs(kwargs, "--default-chat-template-kwargs");
                         to.default_template_kwargs = kwargs;
                     }),
         make.text("generation-config", "auto|vllm|DIR",
                   "Where sampling defaults come from: the model's generation_config.json, "
                   "none (vllm), or another folder's.",
                   &serve_options::generation_config),
         make.object(
             "override-generation-config",
             "Over the generation_config; for instance '{\"temperature\": 0.5}'.",
             [&to](const boost::json::object& over) { to.override_generation_config = over; }),
         make.noted("tokenizer-mode", "MODE", "there is one tokenizer, the folder's"),
         make.noted_toggle("trust-remote-code", "no code is ever loaded from a checkpoint"),
         make.noted_toggle("language-model-only", "this is all that is served now"),
         make.refused("tokenizer", "the tokenizer is the model folder's own"),
         make.refused("lora-modules", "adapters are not in this build"),
         make.refused("speculative-config", "there is no drafter in this build yet"),
         make.refused("hf-overrides", "config.json is read as it is")}};
}

inline flag_group engine_flags(const flag_maker& make) {
    serve_options& to = make.into();
    return {"engine",
            {make.count("max-model-len",
                        "Most tokens of prompt and answer together; 18k means "
                        "18,000, 18K 18,432.",
                        &serve_options::max_model_len, 1, most_tokens),
             make.count("max-num-batched-tokens",
                        "Most tokens of one step, prompts and answers "
                        "together.",
                        &serve_options::max_num_batched_tokens, 1, most_tokens),
             make.count("max-num-seqs", "Most answers that are computed at once.",
                        &serve_options::max_num_seqs, 1, 1 << 16),
             make.count("max-queued-requests",
                        "Most answers that may wait behind them; more get "
                        "429. Default 1024; 0: no limit.",
                        &serve_options::max_queued_requests, 0, 1 << 20),
             make.toggle("enable-chunked-prefill",
                         "Split long prompts over steps and mix them "
                         "with answers. On by default.",
                         [&to](bool on) { to.chunked_prefill = on; }),
             make.value("seed", "N", "For requests that bring no seed. Default 0.",
                        [&to](const std::string& text) {
                            to.seed = static_cast<std::uint64_t>(
                                human_size("seed", text, 0, std::int64_t{1} << 53));
                        }),
             make.count("threads", "CPU threads; by default one for each core.",
                        &serve_options::threads, 1, 1024),
             make.value("activations", "exact|int8",
                        "exact (default) keeps at least bf16's precision in the int4 kernels; int8 "
                        "is faster and less precise.",
                        [&to](const std::string& text) {
                            to.int8_activations =
                                one_of("activations", text, {"exact", "int8"}) == "int8";
                        }),
             make.noted_toggle("enable-prefix-caching",
                               "prefix caching has not landed, every prompt is computed"),
             make.noted_toggle("async-scheduling", "scheduling is the engine's own"),
             make.value("gpu-memory-utilization", "FRACTION",
                        "Share of the GPU's memory that weights, caches and scratch may take "
                        "together. Default 0.9.",
                        [&to](const std::string& text) {
                            to.gpu_memory_utilization =
                                fraction("gpu-memory-utilization", text);
                        }),
             make.toggle("enforce-eager",
                         "Launch every kernel of a decode step alone instead of replaying a CUDA "
                         "graph; slower, for debugging.",
                         [&to](bool on) { to.cuda_graphs = !on; }),
             make.text("kernel-cache", "DIR",
                       "Where compiled GPU kernels are kept. By default g4/kernels in "
                       "$XDG_CACHE_HOME or ~/.cache.",
                       &serve_options::kernel_cache),
             make.text("codegen", "DIR",
                       "Read the device code from DIR/codegen instead of the program's own copy.",
                       &serve_options::codegen),
             make.text("bundle", "FILE",
                       "Kernels that g4-compile --arch ARCH -o FILE made for this model: no "
                       "compiler is needed then.",
                       &serve_options::bundle),
             make.noted_toggle("kv-sharing-fast-prefill",
                               "prefill always skips what no wanted row needs, exactly"),
             make.noted("block-size", "N", "the back end chooses the pages of its cache"),
             make.noted("swap-space", "GIB", "the cache is reserved at start and never swapped"),
             make.noted("stream-interval", "N", "every step's tokens are sent at once"),
             make.fixed("tensor-parallel-size", "1", "one device serves the model"),
             make.fixed("pipeline-parallel-size", "1", "one device serves the model"),
             make.fixed("data-parallel-size", "1", "start one server for each device"),
             make.refused("cpu-offload-gb", "weights are not moved between devices")}};
}

inline flag_group server_flags(const flag_maker& make) {
    serve_options& to = make.into();
    return {
        "server",
        {make.text("host", "NAME", "Name or address to listen on. Default 0.0.0.0, all.",
                   &serve_options::host),
         make.count("port", "Default 8000; 0 takes any that is free.", &serve_options::port, 0,
                    65535),
         make.text("uds", "PATH", "A UNIX socket instead of host and port.", &serve_options::uds),
         make.list("api-key", "KEY...",
                   "Keys that clients must send one of, for everything but "
                   "/health.",
                   [&to](const std::string& key) {
                       if (key.empty()) throw input_error{"--api-key: expected a key, got none"};
                       to.api_keys.push_back(key);
                   }),
         make.value("shutdown-timeout", "SECONDS",
                    "How long running requests may finish after "
                    "SIGTERM. Default 30; 0 ends them at once.",
                    [&to](const std::string& text) {
                        to.shutdown_timeout = std::chrono::milliseconds{
                            1000 * human_size("shutdown-timeout", text, 0, 86400)};
                    }),
         make.value("allowed-origins", "JSON",
                    "Origins of web pages that may ask, a JSON list; "
                    "by default none.",
                    [&to](const std::string& text) {
                        const auto parsed = parse_json(text, "--allowed-origins");
                        for (const json_view& each :
                             json_view{parsed, "--allowed-origins"}.elements())
                            to.allowed_origins.emplace_back(each.text());
                    }),
         make.toggle("allow-credentials", "Let those pages send credentials.",
                     [&to](bool on) { to.allow_credentials = on; }),
         make.count("max-logprobs", "Most alternatives that a request may ask for. Default 20.",
                    &serve_options::max_logprobs, 0, 1024),
         make.count("max-body-bytes", "Largest request. Default 16M.",
                    &serve_options::max_body_bytes, 1024, std::int64_t{1} << 30),
         make.toggle("enable-force-include-usage", "Usage at the end of every stream.",
                     [&to](bool on) { to.force_usage = on; }),
         make.toggle("enable-log-requests", "A line with the numbers of each request.",
                     [&to](bool on) { to.log_requests = on; }),
         make.toggle("disable-log-requests", "No such line; the default.",
                     [&to](bool on) { to.log_requests = !on; }),
         make.toggle("disable-uvicorn-access-log", "No line for each answer.",
                     [&to](bool on) { to.log_answers = !on; }),
         make.value("uvicorn-log-level", "LEVEL", "debug, info, warning or error.",
                    [&to](const std::string& text) {
                        to.log_level =
                            one_of("uvicorn-log-level", text,
                                   {"debug", "info", "warning", "error", "critical", "trace"});
                    }),
         make.fixed("response-role", "assistant", "answers come from the model"),
         make.noted("max-log-len", "N", "texts are never logged"),
         make.noted_toggle("enable-request-id-headers", "every answer has x-request-id"),
         make.noted_toggle("disable-log-stats", "the numbers are at /metrics only"),
         make.noted_toggle("disable-fastapi-docs", "there are none"),
         make.noted_toggle("enable-prompt-tokens-details",
                           "prefix caching has not landed, no token comes from a cache"),
         make.noted("root-path", "PATH", "let the proxy cut it off, paths here begin at /"),
         make.refused("ssl-certfile", "put a reverse proxy with TLS in front"),
         make.refused("ssl-keyfile", "put a reverse proxy with TLS in front"),
         make.refused("config", "write the flags on the command line")}};
}

inline flag_group later_flags(const flag_maker& make) {
    return {
        "tools, reasoning, media",
        {make.value("reasoning-parser", "gemma4", "Reasoning is always told from content.",
                    [](const std::string& text) { one_of("reasoning-parser", text, {"gemma4"}); }),
         make.value("tool-call-parser", "gemma4",
                    "Accepted: tool calls have not landed; a "
                    "request with tools is refused, /tokenize renders them.",
                    [&make](const std::string& text) {
                        one_of("tool-call-parser", text, {"gemma4"});
                        make.note(
                            "--tool-call-parser: accepted; tool calls have not landed, a "
                            "request with tools is refused");
                    }),
         make.noted_toggle("enable-auto-tool-choice",
                           "tool calls have not landed, a request with tools is refused"),
         make.object("mm-processor-kwargs",
                     "Accepted: images have not landed. max_soft_tokens "
                     "is one of 70, 140, 280, 560, 1120.",
                     [&make](const boost::json::object& kwargs) {
                         check_media_kwargs(kwargs, "--mm-processor-kwargs");
                         make.note(
                             "--mm-processor-kwargs: accepted; images, audio and video "
                             "have not landed, a request with them is refused");
                     }),
         make.noted_object("limit-mm-per-prompt", "no media is taken yet"),
         make.noted_list("allowed-media-domains", "NAME...", "nothing is ever fetched"),
         make.noted("allowed-local-media-path", "DIR", "no file is ever read for a request"),
         make.noted("chat-template-content-format", "FORMAT",
                    "the compiled template takes texts and lists of parts alike"),
         make.noted("guided-decoding-backend", "NAME",
                    "structured output has not landed, a request with it is refused")}};
}

}  // namespace detail

inline constexpr std::string_view serve_help_head =
    R"(g4-serve: serves a Gemma 4 or Gemma 3 model over the OpenAI API.

usage: g4-serve MODEL_DIR [flags]

MODEL_DIR is a folder with config.json, *.safetensors, tokenizer.json and, for chat, a
chat_template.jinja. Flags are vLLM's: dashes or underscores, --flag=value or --flag value.

  g4-serve models/gemma4/nano/autoround
  g4-serve ~/gemma-4-E4B-it-W4A16 --served-model-name gemma --max-model-len 18k --port 8000

  curl -s localhost:8000/v1/chat/completions -H 'content-type: application/json' \
    -d '{"messages": [{"role": "user", "content": "What can you do?"}]}'
)";

/// The options of a command line without the program's name.
/// Errors: input_error that names the flag.
inline serve_options parse_serve_options(std::span<const std::string> words,
                                         std::string* help = nullptr) {
    serve_options out;
    const detail::flag_maker make{out};
    std::vector<flag_group> groups{detail::model_flags(make), detail::engine_flags(make),
                                   detail::server_flags(make), detail::later_flags(make)};
    groups.push_back(
        {"other",
         {make.toggle("help", "This text.", [&out](bool on) { out.help = on; }),
          make.toggle("version", "The version.", [&out](bool on) { out.version = on; })}});
    if (help) *help = concat(serve_help_head, help_text(groups));
    std::vector<std::string> spelt{words.begin(), words.end()};
    for (std::string& word : spelt) {
        if (word == "-h") word = "--help";
        if (word == "-q") word = "--quantization";
        if (word == "-tp") word = "--tensor-parallel-size";
        if (word == "-pp") word = "--pipeline-parallel-size";
    }
    flag_parser{groups,
                [&out](const std::string& word) {
                    if (word.starts_with("-"))
                        throw input_error{word, ": unknown flag (--help lists all)"};
                    if (!out.model.empty())
                        throw input_error{"expected one model folder, got \"", out.model,
                                          "\" and \"", printable(word), '"'};
                    out.model = word;
                }}
        .parse(spelt);
    if (out.model.empty() && !out.help && !out.version)
        throw input_error{"expected a model folder as the first word (--help shows examples)"};
    check_options(out);
    return out;
}

}  // namespace g4::apps
