// config.json of a Gemma 4 checkpoint, in any of its published forms, as one text_config.
// Source: Gemma4TextConfig in transformers 5.17, models/gemma4/configuration_gemma4.py.
#pragma once
#include "models/gemma/text_part.hpp"
#include "models/gemma4/config.hpp"

namespace g4::gemma4 {

/// Refuses what this declaration does not know, by the key that asks for it.
inline void refuse_unknown_forms(const boost::json::object& text, const std::string& where) {
    const auto refuse = [&](std::string_view key, std::string_view expected) {
        const boost::json::value* found = text.if_contains(key);
        throw input_error{where, ": ", key, ": expected ", expected, ", got ",
                          found == nullptr ? std::string{"none"} : brief(*found)};
    };
    const auto is_true = [&](std::string_view key) {
        const auto* found = text.if_contains(key);
        return found != nullptr && found->is_bool() && found->get_bool();
    };
    if (is_true("enable_moe_block"))
        refuse("enable_moe_block", "false: mixtures of experts are not supported yet");
    if (is_true("attention_k_eq_v"))
        refuse("attention_k_eq_v", "false: layers without v_proj are not supported yet");
    if (is_true("attention_bias")) refuse("attention_bias", "false");
    if (const auto* v = text.if_contains("use_bidirectional_attention"); v && !v->is_null())
        refuse("use_bidirectional_attention", "null: bidirectional spans are not supported yet");
    if (text.contains("tie_word_embeddings") && !is_true("tie_word_embeddings"))
        refuse("tie_word_embeddings", "true: an output head of its own is not supported yet");
    if (const auto* v = text.if_contains("hidden_activation");
        v && (!v->is_string() || v->get_string() != "gelu_pytorch_tanh"))
        refuse("hidden_activation", "gelu_pytorch_tanh");
    if (const auto* v = text.if_contains("hidden_size_per_layer_input");
        v && v->is_int64() && v->get_int64() == 0)
        refuse("hidden_size_per_layer_input",
               "at least 1: models without per-layer inputs are not supported yet");
}

/// Both kinds of rope_parameters have the one form that this declaration knows for them.
inline void check_rope(const boost::json::value& by_kind, const std::string& where) {
    for (const auto& [kind, form] : {std::pair{"sliding_attention", "default"},
                                    std::pair{"full_attention", "proportional"}}) {
        const auto* part = by_kind.is_object() ? by_kind.get_object().if_contains(kind) : nullptr;
        if (part == nullptr || !part->is_object())
            throw input_error{where, ": rope_parameters: ", kind, ": expected an object, got ",
                              part == nullptr ? std::string{"none"} : brief(*part)};
        if (const auto* type = part->get_object().if_contains("rope_type");
            type != nullptr && (!type->is_string() || type->get_string() != form))
            throw input_error{where, ": rope_parameters: ", kind, ": rope_type: expected ", form,
                              ", got ", brief(*type)};
    }
}

inline boost::json::value default_rope() {
    return {{"sliding_attention", {{"rope_type", "default"}, {"rope_theta", 1e4}}},
            {"full_attention", {{"rope_type", "proportional"}, {"rope_theta", 1e6},
                                {"partial_rotary_factor", 0.25}}}};
}

/// Layer types as the source completes them: five sliding and one full by default, the last full.
inline boost::json::array layer_types_of(const boost::json::object& text,
                                         const std::string& where) {
    boost::json::array out;
    if (const auto* given = text.if_contains("layer_types"); given && !given->is_null()) {
        if (!given->is_array())
            throw input_error{where, ": layer_types: expected a list, got ", brief(*given)};
        out = given->get_array();
    } else {
        out = gemma::default_layer_types(text, 6, where);
    }
    if (!out.empty()) out.back() = "full_attention";
    return out;
}

/// What per_layer_config says of one key, for both kinds of layer. Every layer of a kind must
/// agree, because a kind is one block of the declaration.
struct by_kind { std::optional<int> sliding, full; };
inline by_kind overrides_of(const boost::json::object& layers, std::string_view key, int fallback,
                            const layer_kinds& kinds, const std::string& where) {
    std::optional<int> seen[2];
    std::vector<std::optional<int>> of_layer(kinds.count);
    for (const auto& [name, settings] : layers) {
        std::size_t layer = 0;
        const auto end = name.data() + name.size();
        if (std::from_chars(name.data(), end, layer).ptr != end || layer >= kinds.count)
            throw input_error{where, ": per_layer_config: expected a layer below ", kinds.count,
                              ", got \"", std::string_view{name}, "\""};
        if (!settings.is_object())
            throw input_error{where, ": per_layer_config: ", std::string_view{name},
                              ": expected an object, got ", brief(settings)};
        if (const auto* found = settings.get_object().if_contains(key); found && !found->is_null())
            read_config(*found, of_layer[layer].emplace(),
                        concat(where, ": per_layer_config: ", std::string_view{name}, ": ", key));
    }
    for (std::size_t layer = 0; layer < kinds.count; ++layer) {
        const int value = of_layer[layer].value_or(fallback);
        std::optional<int>& known = seen[static_cast<std::size_t>(kinds[layer])];
        if (known && *known != value)
            throw input_error{where, ": per_layer_config: ", layer, ": ", key, ": expected ",
                              *known, " as in every layer of its kind, got ", value};
        known = value;
    }
    return {seen[0], seen[1]};
}

/// Head sizes and kv heads of both kinds, from whichever form the file has.
inline void read_sizes_by_kind(const boost::json::object& text, text_config& c,
                               const std::string& where) {
    const auto* layers = text.if_contains("per_layer_config");
    if (layers == nullptr || layers->is_null()) {
        if (!text.contains("global_head_dim")) c.global_head_dim = 512;  // the class's default
        c.num_global_key_value_heads.reset();  // counts only with attention_k_eq_v
        return;
    }
    if (!layers->is_object())
        throw input_error{where, ": per_layer_config: expected an object, got ", brief(*layers)};
    const auto sizes = [&](std::string_view key, int fallback) {
        return overrides_of(layers->get_object(), key, fallback, c.layer_types, where); };
    const by_kind heads = sizes("head_dim", c.head_dim);
    const by_kind kv = sizes("num_key_value_heads", c.num_key_value_heads);
    const by_kind ffn = sizes("intermediate_size", c.intermediate_size);
    if (ffn.sliding.value_or(c.intermediate_size) != c.intermediate_size ||
        ffn.full.value_or(c.intermediate_size) != c.intermediate_size)
        throw input_error{where, ": per_layer_config: intermediate_size: expected ",
                          c.intermediate_size, " in every layer"};
    c.global_head_dim = heads.full.value_or(c.head_dim);
    c.num_global_key_value_heads = kv.full.value_or(c.num_key_value_heads);
    c.head_dim = heads.sliding.value_or(c.head_dim);
    c.num_key_value_heads = kv.sliding.value_or(c.num_key_value_heads);
}

/// The text config of a parsed config.json, whole models and text-only exports alike.
///   where  the file, for messages
/// Errors: input_error "where: text_config: key: expected …, got …".
inline text_config read_text_config(const boost::json::value& file, std::string where) {
    boost::json::object text = gemma::text_part(file, where);
    refuse_unknown_forms(text, where);
    text["layer_types"] = layer_types_of(text, where);
    if (!text.contains("rope_parameters") || text["rope_parameters"].is_null())
        text["rope_parameters"] = default_rope();
    check_rope(text["rope_parameters"], where);
    if (!text.contains("use_double_wide_mlp")) text["use_double_wide_mlp"] = false;
    if (!text.contains("num_kv_shared_layers")) text["num_kv_shared_layers"] = 0;
    if (!text.contains("vocab_size_per_layer_input"))
        text["vocab_size_per_layer_input"] = 262144;  // the class's default
    text_config out{};
    read_config(text, out, where);
    read_sizes_by_kind(text, out, where);
    return out;
}

}  // namespace g4::gemma4
