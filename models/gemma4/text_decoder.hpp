// One decoder layer of Gemma 4: local or global attention, with its own cache or a shared one.
// Source: Gemma4TextDecoderLayer in transformers 5.17, models/gemma4/modeling_gemma4.py.
#pragma once
#include "models/gemma4/axes.hpp"

namespace g4::gemma4 {

template <class Attention, kv Role>
struct decoder_layer {
    using head_dim = typename Attention::head_dim;
    using kv_heads = typename Attention::kv_heads;
    using mlp = std::conditional_t<Role == kv::own, ffn, wide_ffn>;

    static constexpr act<hidden> declare(act<hidden> x, act<ple> layer_input,
                                         cache<bf16, kv_heads, head_dim> past) {
        act<hidden> h = rms_norm(x, "input_layernorm");
        act<q_heads, head_dim> q = linear<q_heads, head_dim>(h, "self_attn.q_proj");
        q = rope(rms_norm(q, "self_attn.q_norm"), Attention::rope);
        if constexpr (Role == kv::own) {
            act<kv_heads, head_dim> k = linear<kv_heads, head_dim>(h, "self_attn.k_proj");
            act<kv_heads, head_dim> v = linear<kv_heads, head_dim>(h, "self_attn.v_proj");
            k = rope(rms_norm(k, "self_attn.k_norm"), Attention::rope);
            past = append(past, k, rms_norm(v, no_weight));
        }
        act<q_heads, head_dim> a = attend(q, past, {.window = Attention::window, .scale = 1.0f});
        x = x + rms_norm(linear<hidden>(a, "self_attn.o_proj"), "post_attention_layernorm");

        act<hidden> f = rms_norm(x, "pre_feedforward_layernorm");
        act<mlp> m = gelu_tanh(linear<mlp>(f, "mlp.gate_proj")) * linear<mlp>(f, "mlp.up_proj");
        x = x + rms_norm(linear<hidden>(m, "mlp.down_proj"), "post_feedforward_layernorm");

        act<ple> p = gelu_tanh(linear<ple>(x, "per_layer_input_gate")) * layer_input;
        x = x + rms_norm(linear<hidden>(p, "per_layer_projection"), "post_per_layer_input_norm");
        return scale(x, "layer_scalar");
    }
};

}  // namespace g4::gemma4
