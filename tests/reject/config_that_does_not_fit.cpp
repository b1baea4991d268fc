// Expect: nothing_is_wrong<.*"layer 0: attend".*"q_heads a multiple of kv_heads 3".* 8L?>
#include "models/gemma4/model.hpp"
namespace g4::gemma4 {
constexpr text_config three_kv_heads = [] {
    text_config c = e4b;
    c.num_key_value_heads = 3;
    return c;
}();
static_assert(fits<text_model, three_kv_heads>);
}
