// Promises hold: what a pool admitted can always grow, whatever the others take.
#include "g4/engine/kv_pool.hpp"
#include <doctest/doctest.h>
#include <random>

namespace {

using namespace g4;

capacity make(std::int32_t page_tokens, std::vector<cache_kind> kinds) {
    return {.rows = 64,
            .wanted = 64,
            .sequences = 64,
            .page_tokens = page_tokens,
            .vocabulary = 16,
            .kinds = std::move(kinds)};
}

std::vector<const sequence_pages*> pointers(const std::vector<sequence_pages>& of) {
    std::vector<const sequence_pages*> out;
    for (const sequence_pages& one : of) out.push_back(&one);
    return out;
}

}  // namespace

TEST_CASE("kv_pool: a sequence of decodes never holds more of a window than it was promised") {
    for (const std::int32_t page_tokens : {1, 2, 3, 16}) {
        for (const std::int32_t window : {1, 2, 5, 16, 17, 33}) {
            CAPTURE(page_tokens);
            CAPTURE(window);
            // one page less and the promise could not be kept: the pool holds just that
            const std::int32_t promised = (window + page_tokens - 2) / page_tokens + 1;
            kv_pool pool{make(page_tokens, {{window, promised, 1}}), 1};
            sequence_pages held{};
            REQUIRE(pool.admit(held, 200, true));
            std::int32_t most = 0;
            for (std::int32_t past = 0; past < 200; ++past) {
                pool.trim(held, past);
                REQUIRE(pool.rows_that_fit(held, past, 1) == 1);
                pool.grow(held, past, 1);
                most = std::max(most, held[0].count());
                const std::int32_t first_seen = std::max(0, past - window + 1);
                CHECK(held[0].skipped == first_seen / page_tokens);
                CHECK(held[0].skipped + held[0].count() == past / page_tokens + 1);
                const sequence_pages* live[]{&held};
                pool.verify(live);
            }
            CHECK(most == promised);  // the promise is not wider than it must be
        }
    }
}

TEST_CASE("kv_pool: admission promises the whole length where everything is seen") {
    kv_pool pool{make(4, {{0, 10, 1}}), 8};
    sequence_pages first{}, second{}, third{};
    CHECK(pool.admit(first, 24, true));          // 6 pages
    CHECK_FALSE(pool.admit(second, 17, false));  // 5 of 4 that are left
    CHECK(second[0].promised == 0);
    CHECK(pool.admit(second, 16, false));
    CHECK_FALSE(pool.admit(third, 1, false));
    CHECK(pool.held() == 0.0);
    CHECK(pool.held_or_promised() == 1.0);
    pool.grow(first, 0, 9);
    CHECK(pool.held() == doctest::Approx(0.3));
    pool.release(first);
    CHECK(pool.admit(third, 24, false));
}

TEST_CASE("kv_pool: admission keeps back the rows of one step where a window is seen") {
    // window 8 of pages of 4: at most 3 pages; 8 rows of a step: 2 pages kept back
    kv_pool pool{make(4, {{8, 8, 1}}), 8};
    sequence_pages first{}, second{}, third{};
    CHECK(pool.admit(first, 100, true));
    CHECK(pool.admit(second, 100, false));
    CHECK_FALSE(pool.admit(third, 100, false));
    CHECK(pool.rows_that_fit(first, 0, 8) == 8);
    CHECK(pool.rows_that_fit(first, 0, 100) == 20);  // 3 promised and 2 that are nobody's
    pool.grow(first, 0, 20);
    CHECK(pool.rows_that_fit(second, 0, 100) == 12);  // only its own
}

TEST_CASE("kv_pool: nothing is kept back for sequences that are shorter than their window") {
    kv_pool pool{make(4, {{64, 4, 1}}), 64};
    sequence_pages first{}, second{};
    CHECK(pool.admit(first, 8, true));
    CHECK(pool.admit(second, 8, false));
    CHECK(pool.rows_that_fit(first, 0, 8) == 8);
    CHECK(pool.rows_that_fit(second, 0, 8) == 8);
}

TEST_CASE("kv_pool: a sequence that is alone may use a pool too small to keep anything back") {
    kv_pool pool{make(4, {{8, 3, 1}}), 64};
    CHECK(pool.can_ever_hold(1000));
    CHECK(pool.longest(1000) == 1000);
    sequence_pages held{};
    CHECK_FALSE(pool.admit(held, 1000, false));
    CHECK(pool.admit(held, 1000, true));
    kv_pool small{make(4, {{8, 2, 1}}), 64};
    CHECK_FALSE(small.can_ever_hold(9));
    CHECK(small.can_ever_hold(8));
    CHECK(small.longest(1000) == 8);
}

TEST_CASE("kv_pool: random growth keeps every promise and loses no page") {
    std::mt19937 random{7};
    const auto below = [&](std::int32_t n) {
        return static_cast<std::int32_t>(random() % static_cast<unsigned>(n));
    };
    for (int round = 0; round < 40; ++round) {
        const std::int32_t page_tokens = 1 + below(6), window = 1 + below(20), rows = 1 + below(30);
        kv_pool pool{make(page_tokens, {{0, 30 + below(60), 3}, {window, 25 + below(60), 1}}),
                     rows};
        struct one {
            std::int32_t past, length;
        };
        std::vector<sequence_pages> held;
        std::vector<one> state;
        for (int turn = 0; turn < 300; ++turn) {
            for (std::size_t i = 0; i < held.size(); ++i) pool.trim(held[i], state[i].past);
            sequence_pages fresh{};
            const std::int32_t length = 1 + below(80);
            if (pool.can_ever_hold(length) && pool.admit(fresh, length, held.empty())) {
                held.push_back(std::move(fresh));
                state.push_back({0, length});
            }
            std::int32_t left = rows;
            for (std::size_t i = 0; i < held.size() && left > 0; ++i) {
                const std::int32_t wish =
                    std::min({left, state[i].length - state[i].past, 1 + below(rows)});
                const std::int32_t got = pool.rows_that_fit(held[i], state[i].past, wish);
                REQUIRE(got >= 1);
                REQUIRE(got <= wish);
                pool.grow(held[i], state[i].past, got);
                state[i].past += got;
                left -= got;
            }
            pool.verify(pointers(held));
            for (std::size_t i = held.size(); i-- > 0;) {
                if (state[i].past < state[i].length && below(40) != 0) continue;
                pool.release(held[i]);
                held.erase(held.begin() + static_cast<std::ptrdiff_t>(i));
                state.erase(state.begin() + static_cast<std::ptrdiff_t>(i));
            }
            pool.verify(pointers(held));
        }
    }
}

TEST_CASE("kv_pool: verify finds a page in two places, a lost one, and a wrong promise") {
    kv_pool pool{make(4, {{0, 8, 1}}), 8};
    sequence_pages first{}, second{};
    REQUIRE(pool.admit(first, 8, true));
    REQUIRE(pool.admit(second, 8, false));
    pool.grow(first, 0, 8);
    pool.grow(second, 0, 8);
    const sequence_pages* live[]{&first, &second};
    pool.verify(live);
    const std::int32_t page = second[0].pages[0];
    second[0].pages[0] = first[0].pages[0];
    CHECK_THROWS_AS(pool.verify(live), internal_error);
    second[0].pages[0] = page;
    pool.verify(live);
    second[0].pages.pop_back();
    CHECK_THROWS_AS(pool.verify(live), internal_error);
    second[0].pages.push_back(99);
    CHECK_THROWS_AS(pool.verify(live), internal_error);
}
