// g4-bench perplexity on a GPU: two steps in flight, rows with given tokens, against the reference.
#include "apps/start_cuda.hpp"
#include "tests/support/nano_perplexity.hpp"
#include <doctest/doctest.h>

using namespace g4;

TEST_CASE("cuda: nano's log-probabilities of a text are the reference's, as near as bf16 comes") {
    // as on the CPU: fewer roundings than behind every operator, in other places
    std::string why;
    if (!apps::find_gpu(why)) {
        MESSAGE("SKIPPED: no GPU: ", why);
        return;
    }
    const testing::nano_perplexity nano{"cuda"};
    MESSAGE("mean difference ", nano.error(), ", rounded everywhere ", nano.rounded_error());
    CHECK(nano.error() <= 1.5 * nano.rounded_error());
}
