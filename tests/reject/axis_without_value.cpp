// Expect: has_value<.*router, .*"gemma4::experts"
#include "models/gemma4/model.hpp"
namespace g4::gemma4 {
struct experts : axis<at_load> {};
struct router {
    static constexpr act<experts> declare(act<hidden> x) {
        return linear<experts>(x, "router.proj");
    }
};
struct wrong_model : text_model {
    static constexpr auto blocks = hana::tuple_t<router>;
};
static_assert(fits<wrong_model, e4b>);
}
