// Expect: axes_agree<.*hidden.*ffn
#include "models/gemma4/model.hpp"
namespace g4::gemma4 {
template <class Attention> struct wrong {
    static constexpr act<hidden> declare(act<hidden> x) {
        act<ffn> m = linear<ffn>(x, "mlp.up_proj");
        return x + m;
    }
};
static_assert(graph_of<wrong<local>>.node_count > 0);
}
