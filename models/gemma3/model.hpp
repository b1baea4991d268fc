// Gemma 3's text model, any size of the family: 270M, 1B, and the text part of 4B to 27B.
// Source: Gemma3TextModel in transformers 5.17, models/gemma3/modeling_gemma3.py.
#pragma once
#include "models/gemma3/config.hpp"

namespace g4::gemma3 {

struct tokens   : axis<at_launch> {};    // tokens in this pass
struct vocab    : axis<at_load> {};
struct hidden   : axis<at_load> {};
struct ffn      : axis<at_load> {};
struct q_heads  : axis<at_load> {};
struct kv_heads : axis<at_load> {};
struct head_dim : axis<at_load> {};
struct embed_scale   : scalar {};        // sqrt(hidden)
struct softmax_scale : scalar {};        // 1 / sqrt(query_pre_attn_scalar)
template <class... Axes> using act = tensor<bf16, tokens, Axes...>;

struct local {                           // sliding window
    struct theta : scalar {};
    struct width : scalar {};            // tokens
    static constexpr rope_spec rope{.theta = theta{}};
    static constexpr number window = width{};
};
struct global {                          // whole context
    struct theta  : scalar {};
    struct factor : scalar {};           // positions are divided by it
    static constexpr rope_spec rope{.theta = theta{}, .factor = factor{}};
    static constexpr number window = unbounded;
};

/// Checkpoints keep how far each factor is from 1.
template <class X> constexpr X norm(X x, text weight) { return rms_norm(x, weight, 1.0f); }

struct token_input {
    static constexpr act<hidden> declare(tensor<i32, tokens> ids) {
        return embed<vocab, hidden>(ids, "embed_tokens") * embed_scale{};
    }
};

template <class Attention>
struct decoder_layer {
    static constexpr act<hidden> declare(act<hidden> x, cache<bf16, kv_heads, head_dim> past) {
        act<hidden> h = norm(x, "input_layernorm");
        act<q_heads, head_dim> q = linear<q_heads, head_dim>(h, "self_attn.q_proj");
        act<kv_heads, head_dim> k = linear<kv_heads, head_dim>(h, "self_attn.k_proj");
        act<kv_heads, head_dim> v = linear<kv_heads, head_dim>(h, "self_attn.v_proj");
        q = rope(norm(q, "self_attn.q_norm"), Attention::rope);
        k = rope(norm(k, "self_attn.k_norm"), Attention::rope);
        past = append(past, k, v);
        act<q_heads, head_dim> a =
            attend(q, past, {.window = Attention::window, .scale = softmax_scale{}});
        x = x + norm(linear<hidden>(a, "self_attn.o_proj"), "post_attention_layernorm");

        act<hidden> f = norm(x, "pre_feedforward_layernorm");
        act<ffn> m = gelu_tanh(linear<ffn>(f, "mlp.gate_proj")) * linear<ffn>(f, "mlp.up_proj");
        return x + norm(linear<hidden>(m, "mlp.down_proj"), "post_feedforward_layernorm");
    }
};

struct head {                            // tied: reads the token table again
    static constexpr tensor<f32, tokens, vocab> declare(act<hidden> x) {
        return linear<vocab>(norm(x, "norm"), "embed_tokens", f32{});
    }
};

struct text_model {
    using config = text_config;
    static constexpr std::string_view prefix = "model.";
    static constexpr auto blocks =
        hana::tuple_t<token_input, decoder_layer<local>, decoder_layer<global>, head>;

    /// What each name stands for in this checkpoint.
    static constexpr auto bind(const text_config& c) {
        return binding{
            let<vocab>(c.vocab_size), let<hidden>(c.hidden_size), let<ffn>(c.intermediate_size),
            let<q_heads>(c.num_attention_heads), let<kv_heads>(c.num_key_value_heads),
            let<head_dim>(c.head_dim), let<local::width>(c.sliding_window),
            let<local::theta>(c.rope_local_base_freq), let<global::theta>(c.rope_theta),
            let<global::factor>(c.rope_scaling ? c.rope_scaling->factor : 1.0f),
            let<embed_scale>(square_root(c.hidden_size)),
            let<softmax_scale>(1 / square_root(c.query_pre_attn_scalar)),
            let<norm_epsilon>(c.rms_norm_eps)};
    }

    static constexpr program schedule(const text_config& c) {
        program out;
        feed x = out.run(position_in<token_input>(blocks), {ids});
        for (std::int16_t layer = 0; layer < c.num_hidden_layers; ++layer) {
            const bool full = c.layer_types[static_cast<std::size_t>(layer)] == layer_kind::full;
            x = out.run(full ? position_in<decoder_layer<global>>(blocks)
                             : position_in<decoder_layer<local>>(blocks), {x}, {layer, layer});
        }
        out.run(position_in<head>(blocks), {x});
        return out;
    }

    static constexpr finding check(const text_config& c) {
        if (const finding found = gemma::check_layer_count(c.layer_types, c.num_hidden_layers);
            !found.ok()) return found;
        if (c.sliding_window < 1)
            return {"config: sliding_window", "at least 1", c.sliding_window};
        if (!(c.query_pre_attn_scalar > 0))
            return {"config: query_pre_attn_scalar", "above 0",
                    static_cast<long>(c.query_pre_attn_scalar)};
        return {};
    }
};

static_assert(fits<text_model, published_270m> && fits<text_model, published_1b> &&
              fits<text_model, published_4b>);

}  // namespace g4::gemma3
