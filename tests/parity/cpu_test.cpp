// The CPU back end against transformers in f32: chunks, batches, windows that wrap, every form.
#include "g4/backends/cpu/executor.hpp"
#include "g4/engine/kv_sizing.hpp"
#include "tests/support/parity_run.hpp"
#include <doctest/doctest.h>

using namespace g4;
using namespace g4::testing;

namespace {

/// A recorded checkpoint, loaded once, and executors over it.
struct subject {
    parity_case recorded;
    apps::model_config_file config;
    apps::loaded_weights weights;
    plan planned;

    explicit subject(const std::filesystem::path& file)
        : recorded{read_parity_case(file)}, config{apps::read_model_config(recorded.checkpoint)},
          weights{apps::load_weights(config, {})}, planned{compile_plan(config.model.program)} {}

    std::unique_ptr<executor> start(std::int32_t rows, std::int32_t sequences,
                                    cpu::isa most = cpu::best_isa(), int bits = 16) const {
        cpu::cpu_options options;
        options.rows = rows;
        options.wanted = rows;
        options.sequences = sequences;
        options.threads = 2;
        options.most = most;
        options.activation_bits = bits;
        for (const kv_reservation& k :
             reserve_kv(planned, {1e9, 2048, sequences, rows, options.page_tokens}))
            options.pages.push_back(k.pages);
        return cpu::make_cpu_executor(planned, weights.table, options);
    }
};

}  // namespace

TEST_CASE("cpu: loses no more than 1.5 times what transformers loses in bf16") {
    // transformers rounds each operator's result to bf16, we round what a stage publishes: the
    // same kind of error, fewer times; 1.5 allows for other places
    for (const auto& file : parity_files()) {
        const subject s{file};
        const auto runs = s.start(520, 4);
        logprob_error error;
        for (const parity_prompt& prompt : s.recorded.prompts)
            compare(error, prompt, run(*runs, prompt.tokens, 512, 1));
        MESSAGE(s.recorded.name, ": mean ", error.mean(), ", max ", error.max(), "; bf16 loses ",
                s.recorded.bf16_loss.mean, ", ", s.recorded.bf16_loss.max);
        CHECK(error.mean() <= 1.5 * s.recorded.bf16_loss.mean);
        CHECK(error.max() <= 1.5 * s.recorded.bf16_loss.max);
    }
}

TEST_CASE("cpu: chunks of 1, 7, 512 and 513 rows, and batches of 3 and 16, keep that bound") {
    for (const auto& file : parity_files()) {
        const subject s{file};
        const parity_prompt& prompt = longest(s.recorded);
        const auto runs = s.start(520, 4);
        const auto wide = s.start(112, 16);
        logprob_error chunks[4], three, sixteen;
        int at = 0;
        for (const int chunk : {1, 7, 512, 513})
            compare(chunks[at++], prompt, run(*runs, prompt.tokens, chunk, 1));
        compare(three, prompt, run(*runs, prompt.tokens, 64, 3));
        compare(sixteen, prompt, run(*wide, prompt.tokens, 7, 16));
        for (const logprob_error* e : {&chunks[0], &chunks[1], &chunks[2], &chunks[3], &three,
                                       &sixteen}) {
            CAPTURE(s.recorded.name);
            CHECK(e->mean() <= 1.5 * s.recorded.bf16_loss.mean);
            CHECK(e->max() <= 1.5 * s.recorded.bf16_loss.max);
        }
    }
}

TEST_CASE("cpu: every instruction set that this machine has keeps that bound") {
    for (const cpu::isa most : {cpu::isa::portable, cpu::isa::avx2, cpu::isa::avx512}) {
        if (most > cpu::best_isa()) {
            MESSAGE("skipped: this machine lacks instruction set ", static_cast<int>(most));
            continue;
        }
        for (const auto& file : parity_files()) {
            const subject s{file};
            const auto runs = s.start(520, 1, most);
            logprob_error error;
            const parity_prompt& prompt = s.recorded.prompts[s.recorded.prompts.size() / 2];
            compare(error, prompt, run(*runs, prompt.tokens, 512, 1));
            CAPTURE(s.recorded.name);
            CHECK(error.mean() <= 1.5 * s.recorded.bf16_loss.mean);
        }
    }
}

TEST_CASE("cpu: greedy answers are those of transformers wherever the margin allows") {
    // a token may differ only where the two first logits lie closer than both errors together
    for (const auto& file : parity_files()) {
        const subject s{file};
        const auto runs = s.start(520, 1);
        CHECK(greedy_tokens_compared(*runs, s.recorded) > 0);
    }
}
