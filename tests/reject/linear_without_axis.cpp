// Expect: linear: the input has no axis left to contract
#include "models/gemma4/model.hpp"
namespace g4::gemma4 {
struct wrong {
    static constexpr act<hidden> declare(act<> x) {
        return linear<hidden>(x, "mlp.down_proj");
    }
};
static_assert(graph_of<wrong>.node_count > 0);
}
