// A second model for the tests: a Llama-style decoder, to show that the framework knows no model.
// Source: LlamaModel in transformers, models/llama/modeling_llama.py.
#pragma once
#include "g4/g4.hpp"

namespace g4::llama {

/// config.json, by the names of its keys.
struct model_config {
    BOOST_HANA_DEFINE_STRUCT(model_config,
        (int, vocab_size), (int, hidden_size), (int, intermediate_size), (int, num_hidden_layers),
        (int, num_attention_heads), (int, num_key_value_heads), (std::optional<int>, head_dim),
        (float, rope_theta), (float, rms_norm_eps));
};

struct tokens   : axis<at_launch> {};
struct vocab    : axis<at_load> {};
struct hidden   : axis<at_load> {};
struct ffn      : axis<at_load> {};
struct q_heads  : axis<at_load> {};
struct kv_heads : axis<at_load> {};
struct head_dim : axis<at_load> {};
struct theta    : scalar {};
struct softmax_scale : scalar {};
template <class... Axes> using act = tensor<bf16, tokens, Axes...>;

struct token_input {
    static constexpr act<hidden> declare(tensor<i32, tokens> ids) {
        return embed<vocab, hidden>(ids, "embed_tokens");
    }
};

struct decoder_layer {
    static constexpr rope_spec rotation{.theta = theta{}};

    static constexpr act<hidden> declare(act<hidden> x, cache<bf16, kv_heads, head_dim> past) {
        act<hidden> h = rms_norm(x, "input_layernorm");
        act<q_heads, head_dim> q = linear<q_heads, head_dim>(h, "self_attn.q_proj");
        act<kv_heads, head_dim> k = linear<kv_heads, head_dim>(h, "self_attn.k_proj");
        act<kv_heads, head_dim> v = linear<kv_heads, head_dim>(h, "self_attn.v_proj");
        past = append(past, rope(k, rotation), v);
        act<q_heads, head_dim> a = attend(rope(q, rotation), past, {.scale = softmax_scale{}});
        x = x + linear<hidden>(a, "self_attn.o_proj");

        act<hidden> f = rms_norm(x, "post_attention_layernorm");
        act<ffn> m = silu(linear<ffn>(f, "mlp.gate_proj")) * linear<ffn>(f, "mlp.up_proj");
        return x + linear<hidden>(m, "mlp.down_proj");
    }
};

struct head {
    static constexpr act<vocab> declare(act<hidden> x) {
        return linear<vocab>(rms_norm(x, "norm"), "lm_head");
    }
};

struct model {
    using config = model_config;
    static constexpr std::string_view prefix = "model.";
    static constexpr auto blocks = hana::tuple_t<token_input, decoder_layer, head>;

    /// What each name stands for in this checkpoint.
    static constexpr auto bind(const model_config& c) {
        const int head_size = c.head_dim.value_or(c.hidden_size / c.num_attention_heads);
        return binding{
            let<vocab>(c.vocab_size), let<hidden>(c.hidden_size), let<ffn>(c.intermediate_size),
            let<q_heads>(c.num_attention_heads), let<kv_heads>(c.num_key_value_heads),
            let<head_dim>(head_size), let<softmax_scale>(1 / square_root(head_size)),
            let<theta>(c.rope_theta), let<norm_epsilon>(c.rms_norm_eps)};
    }

    static constexpr program schedule(const model_config& c) {
        program out;
        feed x = out.run(position_in<token_input>(blocks), {ids});
        for (std::int16_t layer = 0; layer < c.num_hidden_layers; ++layer)
            x = out.run(position_in<decoder_layer>(blocks), {x}, {layer, layer});
        out.run(position_in<head>(blocks), {x});
        return out;
    }

    static constexpr finding check(const model_config& c) {
        if (const long heads = c.num_attention_heads; heads < 1)
            return {"config: num_attention_heads", "at least 1", heads};
        return {};
    }
};

inline constexpr model_config llama_3_1_8b{
    .vocab_size = 128256, .hidden_size = 4096, .intermediate_size = 14336, .num_hidden_layers = 32,
    .num_attention_heads = 32, .num_key_value_heads = 8, .head_dim = {},
    .rope_theta = 5e5f, .rms_norm_eps = 1e-5f};
static_assert(fits<model, llama_3_1_8b>);

}  // namespace g4::llama
