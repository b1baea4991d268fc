// The text config of Gemma 3 by the names of its published keys, and the published sizes.
// Source: Gemma3TextConfig in transformers 5.17, models/gemma3/configuration_gemma3.py.
#pragma once
#include "models/gemma/layer_kind.hpp"

namespace g4::gemma3 {

using gemma::layer_kind;
using gemma::layer_kinds;
using gemma::layer_pattern;

/// rope_type "linear": positions of global layers are divided by `factor`.
struct rope_scaling_config {
    BOOST_HANA_DEFINE_STRUCT(rope_scaling_config, (float, factor));
};

/// config.json, or its text_config where the model has a vision tower. read_text_config() brings
/// newer spellings into this form.
struct text_config {
    BOOST_HANA_DEFINE_STRUCT(text_config,
        (int, vocab_size), (int, hidden_size), (int, intermediate_size), (int, num_hidden_layers),
        (int, num_attention_heads), (int, num_key_value_heads), (int, head_dim),
        (float, query_pre_attn_scalar), (int, sliding_window), (layer_kinds, layer_types),
        (float, rope_theta), (float, rope_local_base_freq),
        (std::optional<rope_scaling_config>, rope_scaling), (float, rms_norm_eps));
};

inline constexpr text_config published_270m{
    .vocab_size = 262144, .hidden_size = 640, .intermediate_size = 2048, .num_hidden_layers = 18,
    .num_attention_heads = 4, .num_key_value_heads = 1, .head_dim = 256,
    .query_pre_attn_scalar = 256, .sliding_window = 512, .layer_types = layer_pattern(6, 18),
    .rope_theta = 1e6f, .rope_local_base_freq = 1e4f, .rope_scaling = {}, .rms_norm_eps = 1e-6f};
inline constexpr text_config published_1b{
    .vocab_size = 262144, .hidden_size = 1152, .intermediate_size = 6912, .num_hidden_layers = 26,
    .num_attention_heads = 4, .num_key_value_heads = 1, .head_dim = 256,
    .query_pre_attn_scalar = 256, .sliding_window = 512, .layer_types = layer_pattern(6, 26),
    .rope_theta = 1e6f, .rope_local_base_freq = 1e4f, .rope_scaling = {}, .rms_norm_eps = 1e-6f};
inline constexpr text_config published_4b{
    .vocab_size = 262208, .hidden_size = 2560, .intermediate_size = 10240, .num_hidden_layers = 34,
    .num_attention_heads = 8, .num_key_value_heads = 4, .head_dim = 256,
    .query_pre_attn_scalar = 256, .sliding_window = 1024, .layer_types = layer_pattern(6, 34),
    .rope_theta = 1e6f, .rope_local_base_freq = 1e4f, .rope_scaling = rope_scaling_config{8},
    .rms_norm_eps = 1e-6f};

}  // namespace g4::gemma3
