// A checkpoint of the real size on a GPU, against transformers in f32.
#include "apps/start_cuda.hpp"
#include "tests/support/large_case.hpp"
#include <doctest/doctest.h>

TEST_CASE("cuda: 700 tokens and 32 more of a checkpoint of the real size, in chunks and batches") {
    std::string why;
    if (g4::apps::find_gpu(why)) why.clear();
    g4::testing::check_large("cuda", why);
}
