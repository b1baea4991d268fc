// The protocol of g4-bench perplexity: which tokens a window holds, and which it scores.
#include "apps/bench/text_windows.hpp"
#include <doctest/doctest.h>

using namespace g4;
using apps::text_window, apps::windows_of;

TEST_CASE("windows: every token of a text is scored exactly once, in order, inside its window") {
    for (std::int32_t tokens = 1; tokens < 40; ++tokens)
        for (std::int32_t context = 2; context < 12; ++context)
            for (std::int32_t stride = 1; stride < context; ++stride) {
                std::int32_t next = 0;
                for (const text_window& w : windows_of(tokens, context, stride)) {
                    CHECK(w.scored == next);
                    CHECK(w.begin <= w.scored);
                    CHECK(w.scored < w.end);  // none that scores nothing
                    CHECK(w.end - w.begin <= context - 1);
                    next = w.end;
                }
                CHECK(next == tokens);
            }
}

TEST_CASE("windows: without a stride they do not overlap, and the last one is shorter") {
    CHECK(windows_of(7, 4, 3) == std::vector<text_window>{{0, 0, 3}, {3, 3, 6}, {6, 6, 7}});
    CHECK(windows_of(6, 4, 3) == std::vector<text_window>{{0, 0, 3}, {3, 3, 6}});
    CHECK(windows_of(3, 100, 99) == std::vector<text_window>{{0, 0, 3}});
}

TEST_CASE("windows: with a stride, all but the first score what the one before did not hold") {
    CHECK(windows_of(9, 5, 2) ==
          std::vector<text_window>{{0, 0, 4}, {2, 4, 6}, {4, 6, 8}, {6, 8, 9}});
}

TEST_CASE("windows: a stride of nothing, or one that leaves tokens out, is refused") {
    CHECK_THROWS_WITH_AS(windows_of(10, 4, 0),
                         "--stride: expected 1 to 3, the tokens of a window of 4 beside its "
                         "<bos>, got 0",
                         input_error);
    CHECK_THROWS_AS(windows_of(10, 4, 4), input_error);
}
