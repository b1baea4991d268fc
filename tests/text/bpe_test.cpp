// Merging agrees with the plainest program that can be written for it.
#include "g4/text/bpe.hpp"
#include <algorithm>
#include <doctest/doctest.h>
#include <numeric>
#include <random>
#include <vector>

namespace {

using word = std::vector<std::int32_t>;

/// Looks at all pairs, merges the lowest rank, the leftmost of equals, until there is none.
word merged_plainly(const g4::merge_table& merges, word symbols) {
    while (true) {
        g4::merge_result best;
        std::size_t at = 0;
        for (std::size_t i = 0; i + 1 < symbols.size(); ++i)
            if (const auto pair = merges.find(symbols[i], symbols[i + 1]); pair.rank < best.rank) {
                best = pair;
                at = i;
            }
        if (best.id < 0) return symbols;
        symbols[at] = best.id;
        symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    }
}

/// Every entry is made of earlier ones, but the ranks are in no order.
g4::merge_table random_merges(std::mt19937& random, std::int32_t letters, std::uint32_t count) {
    std::vector<std::uint32_t> ranks(count);
    std::iota(ranks.begin(), ranks.end(), 0u);
    std::shuffle(ranks.begin(), ranks.end(), random);
    g4::merge_table merges{count};
    for (std::int32_t entries = letters; const std::uint32_t rank : ranks) {
        const auto part = [&] {
            return static_cast<std::int32_t>(random() % static_cast<unsigned>(entries));
        };
        const std::int32_t left = part(), right = part();
        merges.insert(left, right, {rank, entries++});
    }
    return merges;
}

}  // namespace

TEST_CASE("bpe: words of any length merge as the plain program merges them") {
    std::mt19937 random{1};
    std::vector<g4::merge_result> scratch;
    std::size_t merged_symbols = 0;
    for (int round = 0; round < 400; ++round) {
        const g4::merge_table merges = random_merges(random, 3, 40);
        word symbols(random() % 200);  // both sides of the length where the method changes
        for (std::int32_t& symbol : symbols) symbol = static_cast<std::int32_t>(random() % 3);
        const word expected = merged_plainly(merges, symbols);
        merged_symbols += symbols.size() - expected.size();
        g4::merge_word(merges, symbols, scratch);
        CHECK(symbols == expected);
    }
    CHECK(merged_symbols > 10'000);
}

TEST_CASE("bpe: a pair given twice keeps the later rank") {
    g4::merge_table merges{2};
    merges.insert(1, 2, {5, 7});
    merges.insert(1, 2, {9, 8});
    CHECK(merges.find(1, 2).rank == 9);
    CHECK(merges.find(1, 2).id == 8);
    CHECK(merges.find(2, 1).rank == g4::merge_result::no_rank);
    CHECK(g4::merge_table{}.find(0, 0).id == -1);
}
