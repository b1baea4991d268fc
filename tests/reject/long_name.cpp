// Expect: a name holds at most 39 characters
#include "models/gemma4/model.hpp"
namespace g4::gemma4 {
struct wrong {
    static constexpr act<hidden> declare(act<hidden> x) {
        return rms_norm(x, "post_attention_layernorm_of_the_second_residual_branch");
    }
};
static_assert(graph_of<wrong>.node_count > 0);
}
