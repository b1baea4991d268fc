// Merge-rank BPE: joins neighbours, the lowest rank first, the leftmost of equals.
// Source: huggingface/tokenizers v0.21, tokenizers/src/models/bpe/word.rs (Word::merge_all): the
// order of merging is observable, so it is followed exactly.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <functional>
#include <limits>
#include <queue>
#include <span>
#include <vector>

namespace g4 {

/// What two neighbours become; `rank` says how early.
struct merge_result {
    static constexpr std::uint32_t no_rank = std::numeric_limits<std::uint32_t>::max();
    std::uint32_t rank = no_rank;  // no_rank: these two never merge
    std::int32_t id = -1;
};

/// The merges of a vocabulary by their two parts: one flat hash table.
class merge_table {
  public:
    merge_table() : merge_table(0) {}
    explicit merge_table(std::size_t most) : slots(std::bit_ceil(most * 2 + 2)) {}

    /// A pair given twice keeps the later rank, as tokenizers does.
    void insert(std::int32_t left, std::int32_t right, merge_result becomes) {
        const std::uint64_t key = key_of(left, right);
        std::size_t at = first_slot(key);
        while (slots[at].becomes.rank != merge_result::no_rank && slots[at].key != key)
            at = (at + 1) & (slots.size() - 1);
        slots[at] = {key, becomes};
    }

    merge_result find(std::int32_t left, std::int32_t right) const {
        const std::uint64_t key = key_of(left, right);
        std::size_t at = first_slot(key);
        while (slots[at].becomes.rank != merge_result::no_rank) {
            if (slots[at].key == key) return slots[at].becomes;
            at = (at + 1) & (slots.size() - 1);
        }
        return {};
    }

    /// Asks the memory for the place of a pair that is inserted or found next.
    void prefetch(std::int32_t left, std::int32_t right) const {
        __builtin_prefetch(&slots[first_slot(key_of(left, right))], 1);
    }

  private:
    struct slot {
        std::uint64_t key = 0;
        merge_result becomes;
    };

    static std::uint64_t key_of(std::int32_t left, std::int32_t right) {
        return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
               static_cast<std::uint32_t>(right);
    }

    std::size_t first_slot(std::uint64_t key) const {
        const std::uint64_t mixed = (key ^ key >> 29) * 0x9E3779B97F4A7C15u;
        return (mixed >> 32 ^ mixed >> 7) & (slots.size() - 1);
    }

    std::vector<slot> slots;  // open addressing, at most half full
};

namespace detail {

/// For words: every step looks at all pairs, which beats a queue while they fit in a cache line
/// or two.
inline void merge_short(const merge_table& merges, std::vector<std::int32_t>& word,
                        std::vector<merge_result>& pairs) {
    pairs.clear();
    for (std::size_t i = 0; i + 1 < word.size(); ++i)
        pairs.push_back(merges.find(word[i], word[i + 1]));
    while (!pairs.empty()) {
        const auto best = std::min_element(
            pairs.begin(), pairs.end(),
            [](const merge_result& a, const merge_result& b) { return a.rank < b.rank; });
        if (best->rank == merge_result::no_rank) return;
        const auto at = static_cast<std::size_t>(best - pairs.begin());
        word[at] = best->id;
        word.erase(word.begin() + static_cast<std::ptrdiff_t>(at) + 1);
        pairs.erase(best);
        if (at < pairs.size()) pairs[at] = merges.find(word[at], word[at + 1]);
        if (at > 0) pairs[at - 1] = merges.find(word[at - 1], word[at]);
    }
}

/// For long stretches: a queue of pairs over a linked list, O(n log n) in the symbols.
inline void merge_long(const merge_table& merges, std::vector<std::int32_t>& word) {
    constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();
    const auto count = static_cast<std::uint32_t>(word.size());
    std::vector<std::uint32_t> next(count), previous(count);
    // rank above, place below: the smallest is the lowest rank and the leftmost of equals
    std::vector<std::uint64_t> first_pairs;
    const auto key = [](merge_result pair, std::uint32_t at) {
        return static_cast<std::uint64_t>(pair.rank) << 32 | at;
    };
    for (std::uint32_t i = 0; i < count; ++i) {
        next[i] = i + 1 < count ? i + 1 : none;
        previous[i] = i > 0 ? i - 1 : none;
        if (i + 1 == count) break;
        const merge_result pair = merges.find(word[i], word[i + 1]);
        if (pair.rank != merge_result::no_rank) first_pairs.push_back(key(pair, i));
    }
    std::priority_queue<std::uint64_t, std::vector<std::uint64_t>, std::greater<>> queue{
        std::greater<>{}, std::move(first_pairs)};
    const auto offer = [&](std::uint32_t at) {
        const merge_result pair = merges.find(word[at], word[next[at]]);
        if (pair.rank != merge_result::no_rank) queue.push(key(pair, at));
    };
    while (!queue.empty()) {
        const std::uint64_t top = queue.top();
        queue.pop();
        const auto at = static_cast<std::uint32_t>(top);
        if (word[at] < 0 || next[at] == none) continue;  // taken into a neighbour meanwhile
        const merge_result pair = merges.find(word[at], word[next[at]]);
        if (pair.rank != top >> 32) continue;  // a neighbour has changed: this pair is gone
        const std::uint32_t gone = next[at];
        word[at] = pair.id;
        word[gone] = -1;
        next[at] = next[gone];
        if (next[at] != none) {
            previous[next[at]] = at;
            offer(at);
        }
        if (previous[at] != none) offer(previous[at]);
    }
    std::erase(word, -1);
}

}  // namespace detail

/// Merges the symbols of one word in place until no two neighbours merge any more.
///   pairs  scratch, kept by the caller so that words cost no allocation
/// Cost: O(n log n) for n symbols.
inline void merge_word(const merge_table& merges, std::vector<std::int32_t>& word,
                       std::vector<merge_result>& pairs) {
    constexpr std::size_t short_word = 48;  // symbols
    if (word.size() <= short_word) detail::merge_short(merges, word, pairs);
    else detail::merge_long(merges, word);
}

}  // namespace g4
