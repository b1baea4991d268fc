// Expect: block: too many nodes
#include "models/gemma4/model.hpp"
namespace g4::gemma4 {
struct wrong {
    static constexpr act<hidden> declare(act<hidden> x) {
        for (int i = 0; i < 60; ++i) x = x + rms_norm(x, "norm");
        return x;
    }
};
static_assert(graph_of<wrong>.node_count > 0);
}
