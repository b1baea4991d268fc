// A model folder as it is served: what runs it, and the texts around it.
#pragma once
#include "apps/serve/generation_config.hpp"
#include "apps/serve/options.hpp"
#include "apps/kernel_folders.hpp"
#include "apps/start_model.hpp"
#include "g4/engine/engine.hpp"
#include "g4/serve/service.hpp"
#include "g4/weights/quantization.hpp"
#include <memory>
#include <utility>

namespace g4::apps {

/// Everything of a server that comes from a model folder, in the order of its destruction.
struct loaded_model {
    running_model model;
    serve::served_model served;
    std::unique_ptr<engine> runs;
};

inline run_options to_run(const serve_options& options) {
    run_options out;
    out.device = options.device;
    out.dummy_weights = options.dummy_weights;
    out.max_model_len = options.max_model_len;
    out.max_num_seqs = options.max_num_seqs;
    out.max_num_batched_tokens = options.max_num_batched_tokens;
    out.gpu_memory_utilization = options.gpu_memory_utilization;
    out.cuda_graphs = options.cuda_graphs;
    out.kernel_cache = options.kernel_cache.empty() ? default_kernel_cache()
                                                    : std::filesystem::path{options.kernel_cache};
    out.toolkits = toolkits_of_environment();
    out.codegen = options.codegen;
    out.bundle = options.bundle;
    if (options.threads) out.threads = *options.threads;
    out.activation_bits = options.int8_activations ? 8 : 16;
    return out;
}

/// The texts around a model: tokenizer, template, defaults, names. Quick, and read before the
/// weights, so that what is wrong with them shows before minutes of packing.
/// Errors: input_error for what is wrong with the folder.
inline serve::served_model read_texts(const serve_options& options, const logger& log) {
    const std::filesystem::path folder = options.model;
    const model_config_file config = read_model_config(folder);
    serve::served_model out;
    out.names = options.served_names;
    if (out.names.empty()) out.names.push_back(options.model);
    out.root = options.model;
    out.words = std::make_shared<const tokenizer>(tokenizer::load(folder / "tokenizer.json"));
    out.conversation = load_chat_template(config, options.chat_template);
    out.without_conversation = "send text to /v1/completions";
    if (config.model.builtin_chat_template != nullptr)
        out.without_conversation += ", or start the server with --chat-template builtin";
    if (!out.conversation)
        log.warning(options.model, ": no chat template: /v1/chat/completions is refused; ",
                    out.without_conversation);
    out.bounds.defaults = read_generation_defaults(options);
    out.bounds.limits.logprobs = options.max_logprobs;
    out.begin_token = out.words->id_of("<bos>");
    out.default_template_kwargs = options.default_template_kwargs;
    return out;
}

/// Special tokens may lie beyond what the model was given rows for, as Gemma 3's mark of a picture
/// does in models that see none: a prompt that spells one is refused then, like any wrong id.
/// Errors: input_error for any other entry there.
inline void check_vocabulary(const tokenizer& words, std::int32_t vocabulary,
                             const std::string& file, const logger& log) {
    for (std::int32_t id = vocabulary; id < words.size(); ++id) {
        if (!words.is_special(id))
            throw input_error{file, ": expected ids below ", vocabulary,
                              ", the model's vocabulary, got ", id};
        log.info("tokenizer: ", words.token_bytes(id), " has the id ", id,
                 ", which the model does not know: prompts with it are refused");
    }
}

/// Loads a folder. Errors: input_error for what is wrong with it.
inline loaded_model load_model(const serve_options& options, const logger& log) {
    const std::filesystem::path folder = options.model;
    serve::served_model served = read_texts(options, log);
    if (!options.dummy_weights) {
        const auto quantised = quantization::read(folder, log);
        check_quantization(options.quantization, quantised ? quantised->method() : std::string{});
    }
    const run_options run = to_run(options);
    loaded_model out{start_model(folder, run, log), std::move(served), {}};
    const std::int32_t vocabulary = out.model.runs->reserved().vocabulary;
    check_vocabulary(*out.served.words, vocabulary, (folder / "tokenizer.json").string(), log);
    out.served.bounds.vocabulary = vocabulary;
    out.served.bounds.max_model_len = out.model.max_model_len;
    out.served.end_tokens = read_end_tokens(folder, vocabulary);
    engine_options engine_asks{.max_model_len = out.model.max_model_len,
                               .max_num_batched_tokens = out.model.runs->reserved().rows,
                               .max_num_seqs = out.model.runs->reserved().sequences,
                               .max_waiting = options.max_queued_requests,
                               .chunked_prefill = options.chunked_prefill,
                               .log = log,
                               .steps_in_flight = out.model.device == "cpu" ? 1 : 2};
    out.runs = std::make_unique<engine>(*out.model.runs, std::move(engine_asks));
    return out;
}

}  // namespace g4::apps
