// Expect: declare\(\) must return a tensor
#include "models/gemma4/model.hpp"
namespace g4::gemma4 {
struct wrong {
    static constexpr void declare(act<hidden> x) {
        x = x + rms_norm(x, "norm");
    }
};
static_assert(graph_of<wrong>.node_count > 0);
}
