// Expect: g4: add: operands must agree in dtype and in every axis, in order
// Expect: axes_agree<.*gemma3::hidden.*gemma3::ffn
#include "models/gemma3/model.hpp"
namespace g4::gemma3 {
struct wrong_mlp {
    static constexpr act<hidden> declare(act<hidden> x) {
        act<ffn> m = gelu_tanh(linear<ffn>(x, "mlp.gate_proj")) * linear<ffn>(x, "mlp.up_proj");
        return x + m;
    }
};
static_assert(graph_of<wrong_mlp>.node_count > 0);
}
