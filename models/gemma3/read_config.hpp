// config.json of Gemma 3 in all spellings that are about, brought into text_config.
// Source: Gemma3TextConfig in transformers 5.17, its defaults and convert_rope_params_to_dict().
#pragma once
#include "models/gemma/text_part.hpp"
#include "models/gemma3/config.hpp"

namespace g4::gemma3 {

/// What this declaration does not compute is refused in words, never left out.
inline void refuse_unknown_forms(const boost::json::object& text, const std::string& where) {
    const auto require = [&](std::string_view key, const boost::json::value& only,
                             std::string_view why) {
        const boost::json::value* found = text.if_contains(key);
        if (found != nullptr && !found->is_null() && *found != only)
            throw input_error{where, ": ", key, ": expected ", brief(only), why, ", got ",
                              brief(*found)};
    };
    require("attention_bias", false, "");
    require("use_bidirectional_attention", false, ": only causal attention is supported");
    require("tie_word_embeddings", true, ": an output head of its own is not supported yet");
    require("hidden_activation", "gelu_pytorch_tanh", "");
    require("attn_logit_softcapping", nullptr, "");
    require("final_logit_softcapping", nullptr, "");
}

/// rope_parameters as newer versions write it, as rope_theta, rope_local_base_freq, rope_scaling.
inline void respell_rope(boost::json::object& text, const std::string& where) {
    const auto take = [&](const boost::json::value& from, const char* theta, bool may_scale) {
        const auto* parts = from.if_object();
        if (parts == nullptr)
            throw input_error{where, ": rope_parameters: expected an object for each kind of ",
                              "layer, got ", brief(from)};
        if (const auto* value = parts->if_contains("rope_theta")) text[theta] = *value;
        const auto* type = parts->if_contains("rope_type");
        if (type == nullptr || *type == "default") return;
        if (!may_scale)
            throw input_error{where, ": rope_parameters: sliding_attention: rope_type: expected ",
                              "default, got ", brief(*type)};
        text["rope_scaling"] = *parts;
    };
    if (const auto* given = text.if_contains("rope_parameters"); given && given->is_object()) {
        const boost::json::object both = given->get_object();
        if (const auto* part = both.if_contains("full_attention")) take(*part, "rope_theta", true);
        if (const auto* part = both.if_contains("sliding_attention"))
            take(*part, "rope_local_base_freq", false);
    }
    const auto* scaling = text.if_contains("rope_scaling");
    if (scaling == nullptr || !scaling->is_object()) return;
    const auto* type = scaling->get_object().if_contains("rope_type");
    if (type == nullptr) type = scaling->get_object().if_contains("type");
    if (type != nullptr && *type == "default") text["rope_scaling"] = nullptr;
    else if (type == nullptr || *type != "linear")
        throw input_error{where, ": rope_scaling: rope_type: expected linear or default, got ",
                          type == nullptr ? std::string{"none"} : brief(*type)};
}

/// layer_types of files that give only a pattern: every sixth layer is full by default.
inline boost::json::array layer_types_of(const boost::json::object& text,
                                         const std::string& where) {
    int period = 6;
    if (const auto* given = text.if_contains("sliding_window_pattern"))
        read_config(*given, period, where + ": sliding_window_pattern");
    if (period < 1)
        throw input_error{where, ": sliding_window_pattern: expected at least 1, got ", period};
    return gemma::default_layer_types(text, period, where);
}

/// The text config of a parsed config.json, of text models and whole ones alike.
///   where  the file, for messages
/// Errors: input_error "where: text_config: key: expected …, got …".
inline text_config read_text_config(const boost::json::value& file, std::string where) {
    boost::json::object text = gemma::text_part(file, where);
    refuse_unknown_forms(text, where);
    respell_rope(text, where);
    const boost::json::object defaults{
        {"vocab_size", 262208},         {"hidden_size", 2304},
        {"intermediate_size", 9216},    {"num_hidden_layers", 26},
        {"num_attention_heads", 8},     {"num_key_value_heads", 4},
        {"head_dim", 256},              {"query_pre_attn_scalar", 256},
        {"sliding_window", 4096},       {"rope_theta", 1e6},
        {"rope_local_base_freq", 1e4},  {"rms_norm_eps", 1e-6}};
    for (const auto& [key, value] : defaults)
        if (!text.contains(key)) text[key] = value;
    if (const auto* types = text.if_contains("layer_types"); types == nullptr || types->is_null())
        text["layer_types"] = layer_types_of(text, where);
    text_config out{};
    read_config(text, out, where);
    return out;
}

}  // namespace g4::gemma3
