// Expect: g4: bind: an axis<at_load> or scalar of this block has no let<> in bind\(\)
// Expect: has_value<.*decoder_layer<.*local>, .*"gemma3::softmax_scale"
#include "models/gemma3/model.hpp"
namespace g4::gemma3 {
struct without_scale : text_model {
    static constexpr auto bind(const text_config& c) {
        return binding{
            let<vocab>(c.vocab_size), let<hidden>(c.hidden_size), let<ffn>(c.intermediate_size),
            let<q_heads>(c.num_attention_heads), let<kv_heads>(c.num_key_value_heads),
            let<head_dim>(c.head_dim), let<local::width>(c.sliding_window),
            let<local::theta>(c.rope_local_base_freq), let<global::theta>(c.rope_theta),
            let<global::factor>(1), let<embed_scale>(square_root(c.hidden_size)),
            let<norm_epsilon>(c.rms_norm_eps)};
    }
};
static_assert(fits<without_scale, published_270m>);
}
