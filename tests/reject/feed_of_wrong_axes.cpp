// Expect: nothing_is_wrong<.*"call 1: input 0".*"a result of its axes"
#include "models/gemma4/model.hpp"
namespace g4::gemma4 {
struct wrong_model : text_model {
    static constexpr auto blocks = hana::tuple_t<token_input, layer_inputs, head>;
    static constexpr program schedule(const text_config&) {
        program out;
        const feed x = out.run(position_in<token_input>(blocks), {ids});
        out.run(position_in<head>(blocks), {x.row_of(0)});
        return out;
    }
};
static_assert(fits<wrong_model, e4b>);
}
