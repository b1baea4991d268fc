// Expect: no return statement|does not return a value
#include "models/gemma4/model.hpp"
namespace g4::gemma4 {
template <class Attention> struct wrong {
    static constexpr act<hidden> declare(act<hidden> x) {
        x = x + rms_norm(x, "norm");
    }
};
static_assert(graph_of<wrong<local>>.node_count > 0);
}
