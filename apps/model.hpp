// A model folder as the programs load it: config, weights, plan, tokenizer, chat, defaults.
#pragma once
#include "apps/model_registry.hpp"
#include "g4/core/json.hpp"
#include "g4/core/log.hpp"
#include "g4/passes/pipeline.hpp"
#include "g4/text/tokenizer.hpp"
#include "g4/weights/bind.hpp"
#include <filesystem>

namespace g4::apps {

/// The declared weights of a program in the form that the loader takes.
inline std::vector<declared_weight> declared_weights(const bound_program& program) {
    std::vector<declared_weight> out;
    for (const declared_tensor& t : declared_tensors(program))
        out.push_back({t.name, t.size.rows, t.size.columns, t.linear});
    return out;
}

/// config.json of a folder, and the model that it asks for.
struct model_config_file {
    std::filesystem::path folder;
    boost::json::value json;
    described_model model;
};
inline model_config_file read_model_config(const std::filesystem::path& folder) {
    if (!std::filesystem::is_directory(folder))
        throw input_error{folder.string(), ": expected a model folder with config.json, got ",
                          std::filesystem::exists(folder) ? "a file" : "nothing of that name"};
    const std::filesystem::path file = folder / "config.json";
    model_config_file out{folder, read_json(file), {}};
    out.model = describe_model(out.json, file.string());
    return out;
}

/// The weights of a folder and whatever keeps them mapped.
struct loaded_weights {
    std::unique_ptr<checkpoint> files;
    weight_table table;
};
inline loaded_weights load_weights(const model_config_file& config, const logger& log) {
    loaded_weights out{std::make_unique<checkpoint>(checkpoint::open(config.folder, log)), {}};
    out.table = bind_weights(*out.files, declared_weights(config.model.program),
                             config.model.weight_names, quantization::read(config.folder, log),
                             log);
    return out;
}

/// Bytes as they are stored, for the passes' floor.
inline stored_bytes bytes_in(const weight_table& table) {
    return [&table](const std::string& name, const matrix_size&) {
        return static_cast<double>(table.at(name).bytes());
    };
}

/// The chat template of a folder: chat_template.jinja, else chat_template of tokenizer_config.json.
///   override  empty: the folder's own; "builtin": the model's newest; else the path of a file
///   result    null when the folder has none, and none was asked for, and for models whose
///             templates are not known here
/// Errors: input_error for a template that is none of the published ones, or that is asked for of
/// a model whose templates are not known.
inline std::unique_ptr<chat_template> load_chat_template(const model_config_file& config,
                                                         const std::string& chosen) {
    if (config.model.chat_template_of == nullptr) {
        if (!chosen.empty())
            throw input_error{"--chat-template: expected none, as no chat template of ",
                              config.model.type, " is known, got ", chosen,
                              "; /v1/completions serves it"};
        return nullptr;
    }
    if (chosen == "builtin") return config.model.builtin_chat_template();
    if (!chosen.empty()) return config.model.chat_template_of(read_file(chosen));
    const std::filesystem::path file = config.folder / "chat_template.jinja";
    if (std::filesystem::exists(file)) return config.model.chat_template_of(read_file(file));
    const std::filesystem::path settings = config.folder / "tokenizer_config.json";
    if (!std::filesystem::exists(settings)) return nullptr;
    const boost::json::value parsed = read_json(settings);
    if (!parsed.is_object()) return nullptr;
    const auto* inside = parsed.get_object().if_contains("chat_template");
    if (inside == nullptr || !inside->is_string()) return nullptr;
    return config.model.chat_template_of(inside->get_string());
}

}  // namespace g4::apps
