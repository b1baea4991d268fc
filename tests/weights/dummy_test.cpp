// Made-up weights: the declared sizes, the same values every time, a sensible spread.
#include "g4/weights/dummy.hpp"
#include <cmath>
#include <cstring>
#include <doctest/doctest.h>

using namespace g4;

namespace {
const std::vector<declared_weight> declared{{"layers.0.a.weight", 64, 256, true},
                                            {"layers.0.b.weight", 48, 96, true},
                                            {"table.weight", 100, 60, false},
                                            {"norm.weight", 60, 1, false},
                                            {"layers.0.odd.weight", 10, 50, true},
                                            {"head.weight", 64, 256, true}};
}

TEST_CASE("dummy: linears of layers are int4 where the columns allow it, all else bf16") {
    const dummy_weights made{declared, true};
    CHECK(made.table().at("layers.0.a.weight").group == 128);
    CHECK(made.table().at("layers.0.b.weight").group == 32);
    CHECK(made.table().at("layers.0.odd.weight").stored == weight::form::plain);
    CHECK(made.table().at("table.weight").stored == weight::form::plain);
    CHECK(made.table().at("head.weight").stored == weight::form::plain);
    const dummy_weights plain{declared, false};
    CHECK(plain.table().at("layers.0.a.weight").stored == weight::form::plain);
}
TEST_CASE("dummy: the same values for any number of threads") {
    const dummy_weights one{declared, true, 1}, many{declared, true, 3};
    for (const declared_weight& d : declared) {
        const weight &a = one.table().at(d.name), &b = many.table().at(d.name);
        const std::size_t bytes = static_cast<std::size_t>(d.rows * d.columns) *
                                  (a.stored == weight::form::plain ? 2 : 1) /
                                  (a.stored == weight::form::plain ? 1 : 2);
        CHECK(std::memcmp(a.data, b.data, bytes) == 0);
    }
}
TEST_CASE("dummy: a matrix has the deviation that keeps its products in range") {
    const dummy_weights made{declared, false};
    const weight& w = made.table().at("layers.0.a.weight");
    double squares = 0;
    for (std::size_t i = 0; i < 64 * 256; ++i)
        squares += std::pow(element_to_float(w.data, w.type, i), 2);
    // 16384 values of a uniform spread: the deviation of the mean square is 0.9/128 of it
    CHECK(squares / (64 * 256) * 256 == doctest::Approx(0.97).epsilon(0.05));
}
