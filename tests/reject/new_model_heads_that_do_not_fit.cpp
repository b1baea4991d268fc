// Expect: g4: check: the config does not fit the declaration \(where, expected, got\)
// Expect: nothing_is_wrong<.*"layer 0: attend".*"q_heads a multiple of kv_heads 4".*, 6
#include "models/gemma3/model.hpp"
namespace g4::gemma3 {
inline constexpr text_config six_heads = [] {
    text_config out = published_4b;
    out.num_attention_heads = 6;
    return out;
}();
static_assert(fits<text_model, six_heads>);
}
