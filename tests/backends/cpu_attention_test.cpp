// Attention over pages: against double precision, and the same bits in any chunk and batch.
#include "g4/backends/cpu/attention.hpp"
#include <cmath>
#include <doctest/doctest.h>
#include <numeric>
#include <random>
#include <vector>

namespace {
using namespace g4;
using namespace g4::cpu;

struct problem {
    std::int32_t context, head_dim, kv_heads, group, window, page_tokens;
};

/// A sequence whose keys and values lie in scattered pages; the rest of the pool is NaN.
struct paged_sequence {
    problem size;
    std::vector<std::uint16_t> pool, queries;
    std::vector<std::int32_t> pages;
    std::int32_t skipped = 0;

    explicit paged_sequence(const problem& p, std::int32_t freed_pages = 0)
        : size{p}, skipped{freed_pages} {
        std::mt19937 random{41};
        std::normal_distribution<float> normal;
        const std::int32_t used = (p.context + p.page_tokens - 1) / p.page_tokens;
        for (std::int32_t i = skipped; i < used; ++i) pages.push_back((i * 7 + 3) % (8 * used + 1));
        const std::size_t page =
            static_cast<std::size_t>(2 * p.kv_heads * p.page_tokens * p.head_dim);
        pool.assign(page * static_cast<std::size_t>(8 * used + 1), 0x7fff);
        const cache_view cache = view();
        for (std::int32_t t = 0; t < p.context; ++t)
            for (std::int32_t h = 0; h < p.kv_heads; ++h)
                for (std::int32_t d = 0; d < 2 * p.head_dim; ++d) {
                    const std::uint16_t bits = float_to_bf16(normal(random));
                    if (t / p.page_tokens < skipped) continue;
                    std::byte* row = d < p.head_dim ? cache.key(h, t) : cache.value(h, t);
                    std::memcpy(row + d % p.head_dim * 2, &bits, 2);
                }
        queries.resize(static_cast<std::size_t>(p.context * heads() * p.head_dim));
        for (std::uint16_t& q : queries) q = float_to_bf16(normal(random));
    }
    std::int32_t heads() const { return size.kv_heads * size.group; }
    cache_view view() {
        cache_view out;
        out.base = reinterpret_cast<std::byte*>(pool.data());
        out.page_bytes = 4 * size.kv_heads * size.page_tokens * size.head_dim;
        out.pages = pages.data();
        out.skipped = skipped;
        out.page_tokens = size.page_tokens;
        out.kv_heads = size.kv_heads;
        out.head_dim = size.head_dim;
        return out;
    }
    /// Rows at the given positions in one call, as the executor cuts them.
    std::vector<float> attend(const attention_kernels& kernels,
                              const std::vector<std::int32_t>& positions) {
        const std::size_t width = static_cast<std::size_t>(heads() * size.head_dim);
        std::vector<std::uint16_t> rows;
        for (const std::int32_t p : positions)
            rows.insert(rows.end(), queries.begin() + static_cast<std::ptrdiff_t>(width) * p,
                        queries.begin() + static_cast<std::ptrdiff_t>(width) * (p + 1));
        std::vector<float> out(positions.size() * width), scratch(2 * state_floats);
        std::vector<std::int32_t> order(positions.size());
        std::iota(order.begin(), order.end(), 0);
        attention_rows q;
        q.query = reinterpret_cast<const std::byte*>(rows.data());
        q.query_stride = static_cast<std::int64_t>(width) * 2;
        q.result = out.data();
        q.result_stride = static_cast<std::int64_t>(width);
        q.positions = positions.data();
        q.query_rows = order.data();
        q.window = size.window;
        q.scale = 0.25f;
        q.cache = view();
        const std::int32_t step = std::max(1, tile_queries / size.group);
        const std::int32_t count = static_cast<std::int32_t>(positions.size());
        for (std::int32_t h = 0; h < size.kv_heads; ++h)
            for (std::int32_t r = 0; r < count; r += step)
                attend_tile(kernels, q,
                            {h, h * size.group, size.group, r, std::min(step, count - r)},
                            scratch.data());
        return out;
    }
    double query(std::int32_t row, std::int32_t head, std::int32_t d) const {
        return static_cast<double>(bf16_to_float(
            queries[static_cast<std::size_t>((row * heads() + head) * size.head_dim + d)]));
    }
    std::vector<double> exact(std::int32_t row, std::int32_t head) {
        const cache_view cache = view();
        const std::size_t dim = static_cast<std::size_t>(size.head_dim);
        const std::int32_t low = size.window > 0 ? std::max(0, row - size.window + 1) : 0;
        std::vector<double> scores, out(dim);
        for (std::int32_t k = low; k <= row; ++k) {
            double score = 0;
            for (std::size_t d = 0; d < dim; ++d)
                score += query(row, head, static_cast<std::int32_t>(d)) *
                         static_cast<double>(
                             element_to_float(cache.key(head / size.group, k), dtype::bf16, d));
            scores.push_back(0.25 * score);
        }
        const double peak = *std::max_element(scores.begin(), scores.end());
        double total = 0;
        for (double& s : scores) total += s = std::exp(s - peak);
        for (std::int32_t k = low; k <= row; ++k)
            for (std::size_t d = 0; d < dim; ++d)
                out[d] += scores[static_cast<std::size_t>(k - low)] / total *
                          static_cast<double>(
                              element_to_float(cache.value(head / size.group, k), dtype::bf16, d));
        return out;
    }
};

std::vector<isa> runnable() {
    std::vector<isa> out;
    for (const isa i : {isa::portable, isa::avx2, isa::avx512})
        if (i <= best_isa()) out.push_back(i);
    return out;
}

std::vector<std::int32_t> positions_from(std::int32_t first, std::int32_t last) {
    std::vector<std::int32_t> out(static_cast<std::size_t>(last - first));
    std::iota(out.begin(), out.end(), first);
    return out;
}

const problem problems[]{{70, 32, 2, 4, 0, 16},  {70, 16, 1, 1, 7, 8},      {300, 64, 2, 2, 0, 32},
                         {300, 24, 3, 3, 33, 4}, {600, 256, 1, 4, 512, 16}, {40, 512, 2, 4, 0, 16},
                         {90, 20, 1, 8, 0, 5},   {33, 48, 1, 16, 16, 16}};
}  // namespace

TEST_CASE("cpu attention: agrees with double precision for every head size, window and grouping") {
    for (const problem& p : problems) {
        paged_sequence sequence{p};
        for (const isa which : runnable()) {
            const std::vector<float> result =
                sequence.attend(attention_for(which), positions_from(0, p.context));
            double worst = 0;
            for (std::int32_t row = 0; row < p.context; row += 7)
                for (std::int32_t head = 0; head < sequence.heads(); ++head) {
                    const std::vector<double> exact = sequence.exact(row, head);
                    for (std::int32_t d = 0; d < p.head_dim; ++d)
                        worst = std::max(
                            worst,
                            std::abs(exact[static_cast<std::size_t>(d)] -
                                     static_cast<double>(result[static_cast<std::size_t>(
                                         (row * sequence.heads() + head) * p.head_dim + d)])));
                }
            // Scores reach 40 in magnitude: 2^-24 of that, eight times, in the exponent; values
            // reach 4.
            CHECK_MESSAGE(worst < 1e-4, name_of_isa(which), " head ", p.head_dim, " context ",
                          p.context);
        }
    }
}

TEST_CASE("cpu attention: a row has the same bits in any chunk, and when freed pages are gone") {
    for (const problem& p : problems) {
        const std::int32_t freed = p.window > 0 ? (p.context - 5 - p.window) / p.page_tokens : 0;
        paged_sequence sequence{p}, shortened{p, std::max(0, freed)};
        const std::size_t width = static_cast<std::size_t>(sequence.heads() * p.head_dim);
        for (const isa which : runnable()) {
            const attention_kernels& kernels = attention_for(which);
            const std::vector<float> all = sequence.attend(kernels, positions_from(0, p.context));
            for (std::int32_t row = p.context - 5; row < p.context; ++row) {
                const float* wanted = all.data() + static_cast<std::size_t>(row) * width;
                const std::vector<float> alone = sequence.attend(kernels, {row});
                CHECK(std::memcmp(alone.data(), wanted, width * sizeof(float)) == 0);
                const std::vector<float> later = shortened.attend(kernels, {row});
                CHECK(std::memcmp(later.data(), wanted, width * sizeof(float)) == 0);
            }
            const std::vector<float> some = sequence.attend(kernels, {3, 17, p.context - 1});
            CHECK(std::memcmp(some.data() + width, all.data() + 17 * width,
                              width * sizeof(float)) == 0);
        }
    }
}
