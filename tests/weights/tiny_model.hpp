// A model of a few tensors for the tests of the weights: what it declares, and right files of it.
#pragma once
#include "g4/weights/bind.hpp"
#include "tests/support/safetensors_writer.hpp"
#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace g4::testing {

inline const std::string tiny_prefix = "model.language_model.";

/// An embedding, a norm, a scalar, and one layer with two linears.
inline std::vector<declared_weight> tiny_declared() {
    const std::string layer = tiny_prefix + "layers.0.";
    return {
        {.name = tiny_prefix + "embed.weight", .rows = 24, .columns = 64},
        {.name = layer + "norm.weight", .rows = 64},
        {.name = layer + "up.weight", .rows = 16, .columns = 64, .linear = true},
        {.name = layer + "down.weight", .rows = 64, .columns = 16, .linear = true},
        {.name = layer + "scalar", .rows = 1},
    };
}

inline weight_name_rules tiny_rules() {
    weight_name_rules rules;
    rules.prefixes = {"model.", "language_model.", "model."};
    rules.ignored.emplace_back("eyes\\..*");
    rules.ignored.emplace_back("layers\\.[1-9]\\.dead\\..*");
    rules.copies.push_back({"lm_head.weight", tiny_prefix + "embed.weight"});
    return rules;
}

inline safetensors_writer tiny_plain(dtype type = dtype::bf16) {
    safetensors_writer out;
    for (const declared_weight& want : tiny_declared())
        out.set_plain(
            want.name, type,
            want.columns == 1 ? std::vector{want.rows} : std::vector{want.rows, want.columns},
            static_cast<std::uint32_t>(want.name.size()));
    return out;
}

/// `up` quantised in groups, `down` plain.
inline safetensors_writer tiny_packed(std::int64_t group = 32, std::uint32_t stored_zero = 7) {
    safetensors_writer out = tiny_plain();
    out.erase(tiny_prefix + "layers.0.up.weight");
    out.set_int4(tiny_prefix + "layers.0.up", 16, 64, group, stored_zero);
    return out;
}

inline boost::json::object auto_round_config(int group = 32) {
    return {{"quant_method", "auto-round"},
            {"packing_format", "auto_round:auto_gptq"},
            {"bits", 4},
            {"group_size", group},
            {"sym", true},
            {"data_type", "int"}};
}

inline boost::json::object gptq_config(std::string_view format = "gptq") {
    return {{"quant_method", "gptq"},
            {"checkpoint_format", format},
            {"bits", 4},
            {"group_size", 32},
            {"sym", true},
            {"desc_act", false}};
}

/// A folder with these tensors and, if any, this quantization_config, opened and bound.
struct loaded_model {
    checkpoint files;
    weight_table table;
};

inline loaded_model load_tiny(const std::filesystem::path& folder,
                              const std::vector<declared_weight>& declared = tiny_declared(),
                              const logger& log = {}) {
    checkpoint files = checkpoint::open(folder, log);
    weight_table table =
        bind_weights(files, declared, tiny_rules(), quantization::read(folder, log), log, 2);
    return {std::move(files), std::move(table)};
}

inline void write_model(const std::filesystem::path& folder, const safetensors_writer& tensors,
                        const std::optional<boost::json::object>& config = std::nullopt) {
    tensors.write(folder / "model.safetensors");
    boost::json::object root{{"model_type", "tiny"}};
    if (config) root["quantization_config"] = *config;
    write_text(folder / "config.json", boost::json::serialize(root));
}

/// What loading such a folder says.
inline std::string load_error(const safetensors_writer& tensors,
                              const std::optional<boost::json::object>& config = std::nullopt) {
    const scratch_folder folder;
    write_model(folder.path(), tensors, config);
    return input_error_of([&] { load_tiny(folder.path()); });
}

}  // namespace g4::testing
