// The files of the new folder that hold no weights: configs, index, and what is carried over.
#pragma once
#include "apps/quantize/plan.hpp"
#include "g4/core/file.hpp"
#include "g4/core/json_keys.hpp"
#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace g4::apps {

/// Errors: input_error when the folder says that it is quantised, whatever the method.
inline void refuse_quantized(const model_config_file& config) {
    const auto refuse = [](const std::string& where, const std::string& got) {
        throw input_error{where, ": expected a model that is not quantised, got ", got,
                          "; g4-quantize rounds the original: BF16, F16 or F32 weights"};
    };
    const std::string file = (config.folder / "config.json").string();
    const json_view root{config.json, file};
    const auto check = [&](const json_view& part) {
        if (const auto found = part.find("quantization_config"))
            refuse(found->where(), found->has("quant_method")
                                       ? printable((*found)["quant_method"].text())
                                       : "a quantization_config");
    };
    check(root);
    if (const auto text = root.find("text_config")) check(*text);
    for (const char* name : {"quantization_config.json", "quantize_config.json"})
        if (std::filesystem::exists(config.folder / name))
            refuse((config.folder / name).string(), "that file");
}

namespace detail {

inline void write_file(const std::filesystem::path& file, std::string_view text) {
    std::ofstream out{file, std::ios::binary};
    out.write(text.data(), static_cast<std::streamsize>(text.size()));
    out.close();
    if (!out) throw input_error{file.string(), ": cannot be written: ", std::strerror(errno)};
}

/// As Python's json.dumps(value, indent=2) lays it out.
inline std::string indented(const boost::json::value& value, std::size_t depth = 0) {
    const std::string inner(2 * depth + 2, ' ');
    std::string out;
    if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
        for (const auto& [key, member] : *object)
            out += concat(out.empty() ? "{\n" : ",\n", inner,
                          boost::json::serialize(boost::json::string{key}), ": ",
                          indented(member, depth + 1));
        return out + "\n" + std::string(2 * depth, ' ') + "}";
    }
    return boost::json::serialize(value);
}

/// A name as a pattern that finds it: Python's re.escape where it matters here.
inline std::string escaped(std::string_view name) {
    std::string out;
    for (const char c : name) {
        if (c == '.') out += '\\';
        out += c;
    }
    return out;
}

/// From "layers." on, without what exporters and loaders put in front.
inline std::string_view in_block(std::string_view module) {
    return module.substr(module.find("layers."));
}

/// "model.language_model.layers" of "model.language_model.layers.0.mlp.up_proj"
inline std::string block_of(std::string_view module) {
    constexpr std::string_view layers = "layers.";
    return std::string{module.substr(0, module.find(layers) + layers.size() - 1)};
}

inline std::set<std::string> blocks_of(const quantize_plan& plan) {
    std::set<std::string> out;
    for (const planned_file& file : plan.files)
        for (const planned_tensor& tensor : file.tensors)
            if (tensor.linear != nullptr) out.insert(block_of(tensor.module()));
    return out;
}

/// Parts of the model with matrices outside of the blocks: "vision_tower", "embed_tokens". One that
/// reads GPTQ takes each linear for packed that no rule excludes.
inline std::set<std::string> outside_of(const quantize_plan& plan,
                                        const std::set<std::string>& blocks) {
    std::set<std::string> out;
    for (const planned_file& file : plan.files)
        for (const planned_tensor& tensor : file.tensors) {
            std::string_view name = tensor.source->name;
            if (tensor.linear != nullptr || tensor.source->shape.size() < 2 ||
                blocks.contains(block_of(name)))
                continue;
            for (std::string_view block = *blocks.begin(); !block.empty();) {  // what both share
                const std::size_t end = std::min(block.find('.'), block.size());
                const std::string part = concat(block.substr(0, end), ".");
                if (!name.starts_with(part)) break;
                name.remove_prefix(part.size());
                block.remove_prefix(std::min(end + 1, block.size()));
            }
            out.insert(std::string{name.substr(0, name.find('.'))});
        }
    return out;
}

inline boost::json::object auto_round_config(const quantize_plan& plan,
                                             const quantize_options& options) {
    std::string blocks;
    for (const std::string& block : blocks_of(plan)) blocks += (blocks.empty() ? "" : ",") + block;
    boost::json::object out{{"quant_method", "auto-round"},
                            {"packing_format", "auto_round:auto_gptq"},
                            {"bits", 4},
                            {"group_size", options.group},
                            {"sym", true},
                            {"data_type", "int"},
                            {"iters", 0},
                            {"block_name_to_quantize", blocks}};
    boost::json::object plain;
    for (const std::string& module : plan.plain)
        plain[module] = {{"bits", 16}, {"data_type", "float"}};
    if (!plain.empty()) out["extra_config"] = plain;
    return out;
}

/// Without modules_in_block_to_quantize: vLLM then asks the file itself which linears are packed.
/// The rules name no prefix, for it differs between loaders.
inline boost::json::object gptq_config(const quantize_plan& plan, const quantize_options& options) {
    boost::json::object out{{"quant_method", "gptq"},
                            {"checkpoint_format", "gptq"},
                            {"bits", 4},
                            {"group_size", options.group},
                            {"sym", true},
                            {"desc_act", false},
                            {"true_sequential", false},
                            {"damp_percent", 0.01},
                            {"lm_head", false},
                            {"pack_dtype", "int32"}};
    boost::json::object plain;
    for (const std::string& part : outside_of(plan, blocks_of(plan)))
        plain["-:.*" + escaped(part) + ".*"] = boost::json::object{};
    for (const std::string& module : plan.plain)
        plain["-:.*" + escaped(in_block(module)) + ".*"] = boost::json::object{};
    if (!plain.empty()) out["dynamic"] = plain;
    return out;
}

}  // namespace detail

/// What tells a reader how the linears are stored.
/// Source: auto-round 0.16.1, _build_quantization_config of utils/model_free_utils.py and
/// export/export_to_autogptq/export.py; GPTQModel 7.7 for checkpoint_format and pack_dtype.
inline boost::json::object quantization_config_of(const quantize_plan& plan,
                                                  const quantize_options& options) {
    boost::json::object out = options.layout == int4_layout::auto_round
                                  ? detail::auto_round_config(plan, options)
                                  : detail::gptq_config(plan, options);
    out["quantizer"] = options.search ? "g4-quantize --search" : "g4-quantize";
    return out;
}

/// The config.json of the input, every character of it, with one more key.
inline std::string config_with(const model_config_file& config,
                               const boost::json::object& quantization) {
    const std::filesystem::path file = config.folder / "config.json";
    std::string text = read_file(file);
    if (config.json.get_object().contains("quantization_config"))
        throw input_error{file.string(), ": quantization_config: expected no such key, got null; ",
                          "take it out"};
    std::size_t end = text.rfind('}');  // of the object that the whole text is
    while (end > 0 && std::string_view{" \t\r\n"}.find(text[end - 1]) != std::string_view::npos)
        --end;
    return text.substr(0, end) +
           ",\n  \"quantization_config\": " + detail::indented(quantization, 1) + "\n}\n";
}

/// model.safetensors.index.json
inline std::string index_of(const quantize_plan& plan) {
    boost::json::object names;
    for (const planned_file& file : plan.files)
        for (const planned_tensor& tensor : file.tensors)
            for (const tensor_form& part : tensor.parts) names[part.name] = file.name;
    return detail::indented(boost::json::object{{"metadata", {{"total_size", plan.written_bytes}}},
                                                {"weight_map", names}}) +
           "\n";
}

/// What is written anew: config.json, the index, and the files that hold the weights.
inline std::set<std::filesystem::path> replaced_files(const model_config_file& config,
                                                      const checkpoint& files) {
    std::set<std::filesystem::path> out{config.folder / "config.json",
                                        config.folder / "model.safetensors.index.json"};
    for (const stored_tensor& tensor : files.tensors()) out.insert(tensor.file);
    return out;
}

/// Copies a folder without the files that are replaced. Hidden entries and weights that are not the
/// checkpoint's, other formats above all, are left out, and logged.
inline void carry_over_files(const std::filesystem::path& from, const std::filesystem::path& to,
                             const std::set<std::filesystem::path>& replaced, const logger& log) {
    static constexpr std::string_view weights[]{".safetensors", ".bin",  ".pt", ".pth",
                                                ".gguf",        ".onnx", ".h5", ".msgpack"};
    for (const auto& entry : std::filesystem::directory_iterator{from}) {
        if (replaced.contains(entry.path())) continue;
        const std::string name = entry.path().filename().string();
        const std::string extension = entry.path().extension().string();
        std::error_code failed;
        if (name.starts_with(".") || name.ends_with(".index.json") ||
            std::find(std::begin(weights), std::end(weights), extension) != std::end(weights)) {
            log.info(entry.path().string(), ": left out");
        } else if (entry.is_directory() && !entry.is_symlink()) {
            std::filesystem::create_directory(to / name, failed);
            if (!failed) carry_over_files(entry.path(), to / name, replaced, log);
        } else if (entry.is_regular_file()) {  // also through the links of a download cache
            std::filesystem::copy_file(entry.path(), to / name, failed);
        } else {
            log.warning(entry.path().string(), ": left out, it is no file");
        }
        if (failed)
            throw input_error{(to / name).string(), ": cannot be written: ", failed.message()};
    }
}

}  // namespace g4::apps
