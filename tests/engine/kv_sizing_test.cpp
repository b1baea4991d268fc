// Pages for a budget of bytes: never more than it, never less than one sequence needs.
#include "g4/engine/kv_sizing.hpp"
#include <doctest/doctest.h>
#include "g4/passes/pipeline.hpp"
#include "models/gemma4/model.hpp"

using namespace g4;

namespace {
const plan& e4b() {
    static const plan p = compile_plan(bind_program<gemma4::text_model>(gemma4::e4b));
    return p;
}
double bytes_of(const std::vector<kv_reservation>& kinds) {
    double sum = 0;
    for (const kv_reservation& k : kinds) sum += k.bytes();
    return sum;
}
}  // namespace

TEST_CASE(
    "kv sizing: E4B's pages hold 20 window layers of 2 KiB and 4 full ones of 4 KiB a token") {
    const auto kinds = reserve_kv(e4b(), {1e9, 4096, 8, 512, 16});
    REQUIRE(kinds.size() == 2);
    CHECK(kinds[0].window_tokens == 512);
    CHECK(kinds[0].page_bytes == 20 * 2048 * 16);
    CHECK(kinds[1].window_tokens == 0);
    CHECK(kinds[1].page_bytes == 4 * 4096 * 16);
}
TEST_CASE("kv sizing: a generous budget reserves what all sequences need and no more") {
    const auto kinds = reserve_kv(e4b(), {1e12, 4096, 8, 512, 16});
    CHECK(kinds[1].pages == 8 * 4096 / 16);
    CHECK(kinds[0].pages == 8 * (512 / 16 + 2) + 512 / 16 + 1);
}
TEST_CASE("kv sizing: a tight budget is kept, whatever it is") {
    for (double bytes = 1.5e8; bytes < 4e9; bytes *= 1.3) {
        const auto kinds = reserve_kv(e4b(), {bytes, 4096, 64, 512, 16});
        CHECK(bytes_of(kinds) <= bytes);
        CHECK(kinds[1].pages >= 4096 / 16);
        CHECK(kinds[0].pages >= 512 / 16 + 2);
    }
}
TEST_CASE("kv sizing: too little for one sequence is refused with the length that would fit") {
    try {
        reserve_kv(e4b(), {1e8, 18432, 8, 512, 16});
        FAIL("accepted");
    } catch (const input_error& error) {
        const std::string text = error.what();
        CHECK(text.find("max_model_len 18432") != std::string::npos);
        const auto at = text.find("a max_model_len of ");
        REQUIRE(at != std::string::npos);
        const int fits = std::stoi(text.substr(at + 19));
        CHECK_NOTHROW(reserve_kv(e4b(), {1e8, fits - 16, 8, 512, 16}));
    }
}
