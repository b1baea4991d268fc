// Gemma 4's text model, any size of the family with per-layer embeddings: E2B, E4B, nano.
// Blocks, what their names stand for in a checkpoint, and which calls to make.
#pragma once
#include "models/gemma4/config.hpp"
#include "models/gemma4/text_decoder.hpp"
#include "models/gemma4/text_head.hpp"
#include "models/gemma4/text_input.hpp"

namespace g4::gemma4 {

struct text_model {
    using config = text_config;
    static constexpr std::string_view prefix = "model.language_model.";
    static constexpr auto blocks = hana::tuple_t<
        token_input, layer_inputs,
        decoder_layer<local, kv::own>,    decoder_layer<global, kv::own>,
        decoder_layer<local, kv::shared>, decoder_layer<global, kv::shared>, head>;

    /// What each name stands for in this checkpoint.
    static constexpr auto bind(const text_config& c) {
        const rope_config& sliding = c.rope_parameters.sliding_attention;
        const rope_config& full = c.rope_parameters.full_attention;
        return binding{
            let<vocab>(c.vocab_size), let<ple_vocab>(c.vocab_size_per_layer_input),
            let<layers>(c.num_hidden_layers), let<hidden>(c.hidden_size),
            let<ffn>(c.intermediate_size),
            let<wide_ffn>(c.intermediate_size * (c.use_double_wide_mlp ? 2 : 1)),
            let<ple>(c.hidden_size_per_layer_input), let<q_heads>(c.num_attention_heads),
            let<local::head_dim>(c.head_dim), let<local::kv_heads>(c.num_key_value_heads),
            let<local::width>(c.sliding_window), let<local::theta>(sliding.rope_theta),
            let<global::head_dim>(c.global_head_dim.value_or(c.head_dim)),
            let<global::kv_heads>(c.num_global_key_value_heads.value_or(c.num_key_value_heads)),
            let<global::theta>(full.rope_theta),
            let<global::rotary>(full.partial_rotary_factor.value_or(1.0f)),
            let<embed_scale>(square_root(c.hidden_size)),
            let<context_scale>(1 / square_root(c.hidden_size)),
            let<ple_scale>(square_root(c.hidden_size_per_layer_input)),
            let<norm_epsilon>(c.rms_norm_eps), let<logit_cap>(c.final_logit_softcapping)};
    }

    /// A layer that shares reads the last owner of its kind.
    static constexpr program schedule(const text_config& c) {
        constexpr std::int16_t owner[]{position_in<decoder_layer<local, kv::own>>(blocks),
                                       position_in<decoder_layer<global, kv::own>>(blocks)};
        constexpr std::int16_t sharer[]{position_in<decoder_layer<local, kv::shared>>(blocks),
                                        position_in<decoder_layer<global, kv::shared>>(blocks)};
        program out;
        feed x = out.run(position_in<token_input>(blocks), {ids});
        const feed inputs = out.run(position_in<layer_inputs>(blocks), {ids, x});
        std::int16_t last_owner[]{none, none};
        for (std::int16_t layer = 0; layer < c.num_hidden_layers; ++layer) {
            const auto kind = static_cast<int>(c.layer_types[static_cast<std::size_t>(layer)]);
            const bool owns = layer < c.num_hidden_layers - c.num_kv_shared_layers;
            if (owns) last_owner[kind] = layer;
            x = out.run(owns ? owner[kind] : sharer[kind], {x, inputs.row_of(layer)},
                        {layer, last_owner[kind]});
        }
        out.run(position_in<head>(blocks), {x});
        return out;
    }

    static constexpr finding check(const text_config& c) {
        if (const finding found = gemma::check_layer_count(c.layer_types, c.num_hidden_layers);
            !found.ok()) return found;
        if (c.num_kv_shared_layers < 0 || c.num_kv_shared_layers >= c.num_hidden_layers)
            return {"config: num_kv_shared_layers", text{"0 to "} + (c.num_hidden_layers - 1),
                    c.num_kv_shared_layers};
        if (c.vocab_size_per_layer_input < c.vocab_size)
            return {"config: vocab_size_per_layer_input", text{"at least "} + c.vocab_size,
                    c.vocab_size_per_layer_input};
        if (c.sliding_window < 1)
            return {"config: sliding_window", "at least 1", c.sliding_window};
        return {};
    }
};

static_assert(fits<text_model, e4b> && fits<text_model, e2b>);
static_assert(text_model::schedule(e4b)[2 + 40].kv_layer == 22);  // 2 calls come before layer 0
static_assert(text_model::schedule(e4b)[2 + 41].kv_layer == 23);

}  // namespace g4::gemma4
