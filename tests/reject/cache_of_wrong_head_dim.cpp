// Expect: attend: the cache must have the head_dim of the query
#include "models/gemma4/model.hpp"
namespace g4::gemma4 {
struct wrong {
    using queries = act<q_heads, local::head_dim>;
    static constexpr queries declare(queries q, cache<bf16, local::kv_heads, global::head_dim> kv) {
        return attend(q, kv, {.window = local::window});
    }
};
static_assert(graph_of<wrong>.node_count > 0);
}
