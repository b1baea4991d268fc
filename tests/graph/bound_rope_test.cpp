// The numbers of a rope that is bound, and the frequencies that they give.
#include "g4/graph/bound_rope.hpp"
#include <doctest/doctest.h>

using g4::bound_rope;

TEST_CASE("rope: frequencies fall with theta, and are zero beyond the share that turns") {
    const auto whole = bound_rope{.theta = 1e4, .head_dim = 8}.frequencies();
    CHECK(whole[0] == 1);
    CHECK(whole[2] == doctest::Approx(0.01));
    const auto part = bound_rope{.theta = 1e4, .rotary = 0.25, .head_dim = 16}.frequencies();
    CHECK(part.size() == 8);
    CHECK(part[1] > 0);
    CHECK(part[2] == 0);
}

TEST_CASE("rope: a factor slows every pair down by itself") {
    const auto plain = bound_rope{.theta = 1e6, .head_dim = 256}.frequencies();
    const auto stretched = bound_rope{.theta = 1e6, .factor = 8, .head_dim = 256}.frequencies();
    for (std::size_t m = 0; m < plain.size(); ++m) CHECK(stretched[m] == plain[m] / 8);
}
