// Expect: could not convert|conversion from|no viable conversion
#include "models/gemma4/model.hpp"
namespace g4::gemma4 {
struct wrong {
    static constexpr act<hidden> declare(act<hidden> x) {
        act<ple> p = linear<ffn>(x, "per_layer_input_gate");
        return linear<hidden>(p, "per_layer_projection");
    }
};
static_assert(graph_of<wrong>.node_count > 0);
}
