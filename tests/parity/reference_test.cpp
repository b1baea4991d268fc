// The reference back end against transformers in f32, on random checkpoints of odd sizes.
#include "g4/backends/reference/backend.hpp"
#include "tests/support/parity_case.hpp"
#include <doctest/doctest.h>

using namespace g4;
using namespace g4::testing;

TEST_CASE("reference: agrees with transformers in f32 on every recorded checkpoint") {
    // Both sum products of f32 in another order: 2^-24 each, some thousand deep and through a
    // dozen layers that amplify; a thousandth of what bf16 loses leaves that room and no other.
    REQUIRE(parity_files().size() >= 6);
    for (const auto& file : parity_files()) {
        const parity_case recorded = read_parity_case(file);
        CAPTURE(recorded.name);
        const apps::model_config_file config = apps::read_model_config(recorded.checkpoint);
        const apps::loaded_weights weights = apps::load_weights(config, {});
        const reference::backend backend{config.model.program, weights.table};
        logprob_error error;
        for (const parity_prompt& prompt : recorded.prompts) {
            reference::sequence sequence;
            const reference::activation logits = backend.run(sequence, prompt.tokens);
            for (const parity_row& row : prompt.rows) error.add(row, logits.row(row.position));
        }
        MESSAGE(recorded.name, ": mean ", error.mean(), ", max ", error.max(),
                "; bf16 loses mean ", recorded.bf16_loss.mean, ", max ", recorded.bf16_loss.max);
        CHECK(error.mean() <= 1e-3 * recorded.bf16_loss.mean);
        CHECK(error.max() <= 1e-3 * recorded.bf16_loss.max);
    }
}

TEST_CASE("reference: rounded behind every operator it loses what transformers loses in bf16") {
    // the same roundings at nearly the same places: the mean of some thousand differences agrees
    // within a third, which makes it a measure for models that transformers cannot run here
    const parity_case recorded = read_parity_case(parity_files().front());
    const apps::model_config_file config = apps::read_model_config(recorded.checkpoint);
    const apps::loaded_weights weights = apps::load_weights(config, {});
    const reference::backend backend{config.model.program, weights.table, 1,
                                     reference::rounding::bf16};
    logprob_error error;
    for (const parity_prompt& prompt : recorded.prompts) {
        reference::sequence sequence;
        const reference::activation logits = backend.run(sequence, prompt.tokens);
        for (const parity_row& row : prompt.rows) error.add(row, logits.row(row.position));
    }
    MESSAGE("mean ", error.mean(), ", transformers ", recorded.bf16_loss.mean);
    CHECK(error.mean() > 0.67 * recorded.bf16_loss.mean);
    CHECK(error.mean() < 1.5 * recorded.bf16_loss.mean);
}
