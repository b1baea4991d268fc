// The pages of every cache kind: which are free, which are held, and which are promised to
// sequences that run already, so that a step never runs out of them.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>
#include "g4/core/error.hpp"
#include "g4/gate/executor.hpp"

namespace g4 {

/// Pages of one cache kind that one sequence holds, in the order of their positions.
struct held_pages {
    std::vector<std::int32_t> pages;
    std::int32_t skipped = 0;   // at the front, given back because no later row sees them
    std::int32_t promised = 0;  // it may always hold so many
    std::int32_t borrows = 0;   // at most so many more, while a chunk of its prompt runs

    std::int32_t count() const { return static_cast<std::int32_t>(pages.size()); }
    std::int32_t owed() const { return std::max(0, promised - count()); }
};

/// All pages of one sequence, by cache kind.
using sequence_pages = std::array<held_pages, max_cache_kinds>;

/// Hands out pages. A sequence is admitted when all that it can ever need is promised to it: of a
/// kind that sees everything, its whole length; of a kind with a window, what the window plus one
/// row spans. The further rows of a prefill chunk borrow pages that nobody was promised; admission
/// keeps enough of those back for one step's rows, since all chunks of a step share these rows.
class kv_pool {
  public:
    kv_pool(const capacity& reserved, std::int32_t step_rows)
        : page_tokens_{reserved.page_tokens}, step_rows_{step_rows} {
        for (const cache_kind& kind : reserved.kinds) {
            pool one{.kind = kind, .free = {}, .owed = 0, .borrows = 0};
            one.free.resize(static_cast<std::size_t>(kind.pages));
            std::iota(one.free.rbegin(), one.free.rend(), 0);  // page 0 is taken first
            pools_.push_back(std::move(one));
        }
    }

    std::int32_t kinds() const { return static_cast<std::int32_t>(pools_.size()); }

    /// Whether a sequence of so many positions fits when it is alone.
    bool can_ever_hold(std::int32_t positions) const {
        return std::ranges::all_of(pools_, [&](const pool& one) {
            return promise(one.kind, positions) <= one.kind.pages;
        });
    }

    /// Positions of the longest sequence that fits when it is alone, at most `limit`.
    std::int32_t longest(std::int32_t limit) const {
        for (const pool& one : pools_) {
            if (promise(one.kind, limit) > one.kind.pages)
                limit = one.kind.pages * page_tokens_;  // fewer than limit, so it fits the type
        }
        return limit;
    }

    /// Promises a sequence its pages; false, and nothing has changed, when they are not there.
    ///   alone  no other sequence is live: then nothing is kept back
    bool admit(sequence_pages& of, std::int32_t positions, bool alone) {
        const auto borrowed = [&](const pool& one) {
            return pages_of(positions) - promise(one.kind, positions);
        };
        for (const pool& one : pools_) {
            const std::int32_t kept =
                alone ? 0 : std::min(pages_of(step_rows_), one.borrows + borrowed(one));
            if (promise(one.kind, positions) + kept > unpromised(one)) return false;
        }
        for (std::size_t k = 0; k < pools_.size(); ++k) {
            of[k] = held_pages{.pages = {},
                               .skipped = 0,
                               .promised = promise(pools_[k].kind, positions),
                               .borrows = borrowed(pools_[k])};
            pools_[k].owed += of[k].promised;
            pools_[k].borrows += of[k].borrows;
        }
        return true;
    }

    /// How many rows, at most `wish`, the sequence can add behind `past` now; one is always there.
    std::int32_t rows_that_fit(const sequence_pages& of, std::int32_t past,
                               std::int32_t wish) const {
        for (std::size_t k = 0; k < pools_.size(); ++k) {
            const std::int32_t may_take = unpromised(pools_[k]) + of[k].owed();
            const std::int32_t end = of[k].skipped + of[k].count() + may_take;
            if (pages_of(past + wish) > end) wish = end * page_tokens_ - past;  // below past + wish
        }
        return wish;
    }

    /// Takes the pages for `rows` rows behind `past`.
    void grow(sequence_pages& of, std::int32_t past, std::int32_t rows) {
        for (std::size_t k = 0; k < pools_.size(); ++k) {
            pool& from = pools_[k];
            held_pages& held = of[k];
            const std::int32_t owed = held.owed();
            while (held.skipped + held.count() < pages_of(past + rows)) {
                G4_ASSERT(!from.free.empty(), "kv_pool: kind ", k, " ran out of pages");
                held.pages.push_back(from.free.back());
                from.free.pop_back();
            }
            from.owed += held.owed() - owed;
        }
    }

    /// Gives back what no row at `past` or later sees. Not before the step that ends at `past` is
    /// built: its own rows may still see it. Steps run in order, so the next may have the pages.
    void trim(sequence_pages& of, std::int32_t past) {
        for (std::size_t k = 0; k < pools_.size(); ++k) {
            pool& to = pools_[k];
            if (to.kind.window_tokens == 0) continue;
            held_pages& held = of[k];
            const std::int32_t first = std::max(0, past - to.kind.window_tokens + 1) / page_tokens_;
            const std::int32_t drop = std::min(first - held.skipped, held.count());
            if (drop <= 0) continue;
            const std::int32_t owed = held.owed();
            to.free.insert(to.free.end(), held.pages.begin(), held.pages.begin() + drop);
            held.pages.erase(held.pages.begin(), held.pages.begin() + drop);
            held.skipped += drop;
            to.owed += held.owed() - owed;
        }
    }

    /// The sequence has ended: gives back its pages and its promise.
    void release(sequence_pages& of) {
        for (std::size_t k = 0; k < pools_.size(); ++k) {
            pools_[k].free.insert(pools_[k].free.end(), of[k].pages.begin(), of[k].pages.end());
            pools_[k].owed -= of[k].owed();
            pools_[k].borrows -= of[k].borrows;
            of[k] = {};
        }
    }

    /// The part of all cache bytes that sequences hold, or that they hold or were promised.
    double held() const {
        return share([](const pool&) { return 0; });
    }
    double held_or_promised() const {
        return share([](const pool& one) { return one.owed; });
    }

    /// Errors: internal_error when a page is lost, held twice, or promised and not there.
    void verify(std::span<const sequence_pages* const> live) const {
        for (std::size_t k = 0; k < pools_.size(); ++k) {
            const pool& one = pools_[k];
            std::vector<int> seen(static_cast<std::size_t>(one.kind.pages));
            std::int32_t owed = 0, borrows = 0;
            const auto see = [&](std::int32_t page) {
                G4_ASSERT(page >= 0 && page < one.kind.pages, "kv_pool: page ", page);
                G4_ASSERT(++seen[static_cast<std::size_t>(page)] == 1, "kv_pool: kind ", k,
                          ": page ", page, " is in two places");
            };
            std::ranges::for_each(one.free, see);
            for (const sequence_pages* pages : live) {
                std::ranges::for_each((*pages)[k].pages, see);
                owed += (*pages)[k].owed();
                borrows += (*pages)[k].borrows;
            }
            G4_ASSERT(std::ranges::count(seen, 1) == one.kind.pages, "kv_pool: kind ", k,
                      " lost a page");
            G4_ASSERT(owed == one.owed, "kv_pool: expected ", owed, " owed, got ", one.owed);
            G4_ASSERT(borrows == one.borrows, "kv_pool: kind ", k, " keeps back a wrong number");
            G4_ASSERT(unpromised(one) >= 0, "kv_pool: kind ", k, " owes more than is free");
        }
    }

  private:
    struct pool {
        cache_kind kind;
        std::vector<std::int32_t> free;  // the last is taken first
        std::int32_t owed = 0;           // promised and not taken yet, over all sequences
        std::int32_t borrows = 0;        // that all sequences together may want beyond that
    };

    std::int32_t pages_of(std::int32_t positions) const {
        return (positions + page_tokens_ - 1) / page_tokens_;
    }
    std::int32_t unpromised(const pool& one) const {
        return static_cast<std::int32_t>(one.free.size()) - one.owed;
    }
    std::int32_t promise(const cache_kind& kind, std::int32_t positions) const {
        const std::int32_t all = pages_of(positions);
        if (kind.window_tokens == 0) return all;
        // positions that lie anywhere: the first and the last page may both be used in part
        return std::min(all, (kind.window_tokens + page_tokens_ - 2) / page_tokens_ + 1);
    }
    template <class Extra> double share(Extra extra) const {
        double used = 0, total = 0;
        for (const pool& one : pools_) {
            const auto taken = one.kind.pages - static_cast<std::int32_t>(one.free.size());
            const auto bytes = static_cast<double>(std::max<std::int64_t>(one.kind.page_bytes, 1));
            used += bytes * (taken + extra(one));
            total += bytes * one.kind.pages;
        }
        return total > 0 ? used / total : 0;
    }

    std::int32_t page_tokens_;
    std::int32_t step_rows_;
    std::vector<pool> pools_;
};

}  // namespace g4
