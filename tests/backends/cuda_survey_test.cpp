// The dry run at start finds every kernel that any step may launch, and the scratch that it takes.
#include "g4/backends/cuda/survey.hpp"
#include "g4/passes/pipeline.hpp"
#include "models/gemma4/model.hpp"
#include "tests/support/weight_forms.hpp"
#include <doctest/doctest.h>
#include <random>

using namespace g4;

namespace {

/// A step of `singles` sequences with one row and `others` with more, up to what is reserved.
cuda::step_shape random_shape(std::mt19937& random, const cuda::survey& found) {
    const capacity& most = found.reserved();
    const auto from = [&](std::int32_t least, std::int32_t last) {
        return std::uniform_int_distribution<std::int32_t>{least, std::max(least, last)}(random);
    };
    cuda::step_shape out;
    const std::int32_t singles = from(0, std::min(most.sequences, most.rows));
    const std::int32_t others =
        from(0, 2) == 0 ? 0 : std::min(most.sequences - singles, (most.rows - singles) / 2);
    out.decode = others == 0 && singles > 0 && singles <= most.wanted && from(0, 1) == 0;
    if (out.decode) return found.bucket_shape(singles, from(0, 1) == 0);
    const std::int32_t together = others > 0 ? from(2, most.rows - singles) : 0;
    out.sizes.rows = std::max(singles + together, 1);
    out.sizes.wanted = from(1, std::min(out.sizes.rows, most.wanted));
    out.sizes.sequences = std::max(singles + (together > 0 ? 1 : 0), 1);
    out.sizes.decode_rows = together > 0 ? singles : out.sizes.rows;
    out.greedy = from(0, 1) == 0;
    for (int k = 0; together > 0 && k < cuda::max_tile_kinds; ++k)
        if (found.tiles().of[k] > 0)
            out.sizes.tiles[k] = cuda::prefill_tile_count(together, found.tiles().of[k]);
    return out;
}

void check_survey(const std::string& arch, const cuda::cuda_options& options, std::int32_t group) {
    CAPTURE(arch);
    CAPTURE(options.rows);
    CAPTURE(group);
    const plan planned = compile_plan(bind_program<gemma4::text_model>(gemma4::e4b));
    const weight_table weights = testing::forms_of(planned.program(), group);
    cuda::survey found{planned, weights, options, cuda::target_of(arch)};
    const std::size_t kernels = found.kernels().requests().size();
    CHECK(kernels > std::size_t{10});
    const cuda::plan_addresses nowhere = found.no_addresses(weights);
    const cuda::launch_context context = found.context(nowhere, nullptr);
    const cuda::sample_context sampling{found.sampler()};
    std::mt19937 random{7};
    for (int i = 0; i < 300; ++i) {
        const cuda::step_shape shape = random_shape(random, found);
        INFO("rows ", shape.sizes.rows, ", wanted ", shape.sizes.wanted, ", alone ",
             shape.sizes.decode_rows, ", decode ", shape.decode);
        cuda::scratch_needs needs;
        auto nothing = [](std::int32_t, const launch_shape&, const void*, std::size_t) {};
        cuda::step_launches{context, sampling, found.tiles(), shape, shape.sizes, needs, nothing}
            .run();
        const auto& all = found.kernels().requests();
        REQUIRE_MESSAGE(all.size() == kernels, "new: ", all.back().text);
        REQUIRE(needs.sums <= found.needs().sums);
        REQUIRE(needs.partial <= found.needs().partial);
        REQUIRE(needs.extent <= found.needs().extent);
    }
}

}  // namespace

TEST_CASE("cuda survey: any step launches kernels that the dry run found, in its scratch") {
    for (const std::string arch : {"sm_80", "sm_90a", "sm_120"})
        for (const std::int32_t group : {0, 128}) {
            check_survey(arch, {.rows = 520, .sequences = 300, .longest = 8192}, group);
            check_survey(arch, {.rows = 2000, .wanted = 700, .sequences = 700, .longest = 131072},
                         group);
            check_survey(arch, {.rows = 77, .sequences = 16, .longest = 2048}, group);
        }
}
