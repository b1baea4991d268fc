// Expect: nothing_is_wrong<.*"call 1".*"a feed for each input".* 1L?>
#include "models/gemma4/model.hpp"
namespace g4::gemma4 {
struct wrong_model : text_model {
    static constexpr auto blocks = hana::tuple_t<token_input, layer_inputs>;
    static constexpr program schedule(const text_config&) {
        program out;
        out.run(position_in<token_input>(blocks), {ids});
        out.run(position_in<layer_inputs>(blocks), {ids});
        return out;
    }
};
static_assert(fits<wrong_model, e4b>);
}
