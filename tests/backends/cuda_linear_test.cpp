// How the CUDA back end cuts products for the linear family.
#include "g4/backends/cuda/linear.hpp"
#include <doctest/doctest.h>
#include <string>

namespace {

using g4::cuda::linear_sizes;
using g4k::weight_form;

/// The config of a size's tiling, as the executor completes it.
g4k::linear_config config_of(const linear_sizes& sizes) {
    g4k::linear_config c;
    c.form = sizes.form;
    c.group = sizes.group;
    c.out = g4k::number_type::f32;
    return with_tiling(c, choose_linear(sizes, 132));
}

/// What is wrong with the tiling chosen for these sizes; empty: nothing.
std::string objection(const linear_sizes& sizes) {
    const auto tiling = choose_linear(sizes, 132);
    const g4k::linear_config c = config_of(sizes);
    g4::cuda::check_linear(c);
    const int shared = g4k::shared_bytes_of(c, static_cast<int>(sizes.tokens),
                                            static_cast<int>(sizes.columns), tiling.splits);
    const bool splits_allowed = !sizes.fixed_splits || tiling.splits == 1;
    const bool columns_covered =
        !tiling.resident || tiling.column_warps * tiling.span * tiling.splits >=
                                g4k::units_of(static_cast<int>(sizes.columns));
    if (shared <= g4::cuda::general_shared_bytes && splits_allowed && columns_covered) return {};
    return g4::concat(sizes.tokens, " tokens, ", sizes.rows, " x ", sizes.columns, ": ", shared,
                      " bytes, ", tiling.splits, " splits, ", g4::literal(c));
}

}  // namespace

TEST_CASE("cuda linear: what is chosen for any size fits a general kernel and covers the columns") {
    std::string found;
    for (const int tokens : {1, 2, 5, 8, 9, 16, 33, 64, 100, 700})
        for (const int rows : {1, 16, 96, 256, 2560, 20480, 262144})
            for (const int columns : {8, 32, 200, 256, 2560, 5376, 10240, 21504})
                for (const bool fixed : {false, true})
                    for (const int group : {0, 16, 32, 128}) {
                        const auto form = group == 0 ? weight_form::plain_bf16 : weight_form::int4;
                        if (found.empty())
                            found = objection({form, group, tokens, rows, columns, fixed});
                    }
    CHECK(found == "");
}

TEST_CASE("cuda linear: counts of tokens that share a tile share the kernel") {
    for (const int rows : {256, 2560, 20480})
        for (const int group : {0, 128}) {
            const auto form = group == 0 ? weight_form::plain_bf16 : weight_form::int4;
            CHECK(g4::literal(config_of({form, group, 1, rows, 2560, true})) ==
                  g4::literal(config_of({form, group, 8, rows, 2560, true})));
        }
}
