// The text config of Gemma 4 by the names of its keys, and the published sizes.
// Source: Gemma4TextConfig in transformers 5.17, models/gemma4/configuration_gemma4.py.
#pragma once
#include "models/gemma/layer_kind.hpp"

namespace g4::gemma4 {

using gemma::layer_kind;
using gemma::layer_kinds;
using gemma::layer_pattern;

struct rope_config {
    BOOST_HANA_DEFINE_STRUCT(rope_config,
        (float, rope_theta), (std::optional<float>, partial_rotary_factor));
};
struct rope_by_kind {
    BOOST_HANA_DEFINE_STRUCT(rope_by_kind,
        (rope_config, sliding_attention), (rope_config, full_attention));
};

/// text_config of config.json. One size for each kind of layer: a per_layer_config is brought into
/// this form by read_text_config().
struct text_config {
    BOOST_HANA_DEFINE_STRUCT(text_config,
        (int, vocab_size), (int, vocab_size_per_layer_input),
        (int, hidden_size), (int, hidden_size_per_layer_input),
        (int, intermediate_size), (bool, use_double_wide_mlp),
        (int, num_hidden_layers), (int, num_kv_shared_layers),
        (int, num_attention_heads), (int, num_key_value_heads),
        (std::optional<int>, num_global_key_value_heads),
        (int, head_dim), (std::optional<int>, global_head_dim),
        (int, sliding_window), (rope_by_kind, rope_parameters),
        (float, rms_norm_eps), (float, final_logit_softcapping), (layer_kinds, layer_types));
};

inline constexpr rope_by_kind published_rope{{1e4f, {}}, {1e6f, 0.25f}};
inline constexpr text_config e4b{
    .vocab_size = 262144, .vocab_size_per_layer_input = 262144,
    .hidden_size = 2560, .hidden_size_per_layer_input = 256,
    .intermediate_size = 10240, .use_double_wide_mlp = false,
    .num_hidden_layers = 42, .num_kv_shared_layers = 18,
    .num_attention_heads = 8, .num_key_value_heads = 2, .num_global_key_value_heads = {},
    .head_dim = 256, .global_head_dim = 512,
    .sliding_window = 512, .rope_parameters = published_rope,
    .rms_norm_eps = 1e-6f, .final_logit_softcapping = 30.0f, .layer_types = layer_pattern(6, 42)};
inline constexpr text_config e2b{
    .vocab_size = 262144, .vocab_size_per_layer_input = 262144,
    .hidden_size = 1536, .hidden_size_per_layer_input = 256,
    .intermediate_size = 6144, .use_double_wide_mlp = true,
    .num_hidden_layers = 35, .num_kv_shared_layers = 20,
    .num_attention_heads = 8, .num_key_value_heads = 1, .num_global_key_value_heads = {},
    .head_dim = 256, .global_head_dim = 512,
    .sliding_window = 512, .rope_parameters = published_rope,
    .rms_norm_eps = 1e-6f, .final_logit_softcapping = 30.0f, .layer_types = layer_pattern(5, 35)};

}  // namespace g4::gemma4
