// The CUDA back end against transformers in f32: chunks, batches, windows that wrap, every form.
#include "apps/start_cuda.hpp"
#include "tests/support/parity_run.hpp"
#include <doctest/doctest.h>

using namespace g4;
using namespace g4::testing;

namespace {

bool skipped() {
    std::string why;
    if (apps::find_gpu(why)) return false;
    MESSAGE("SKIPPED: no GPU: ", why);
    return true;
}

/// A recorded checkpoint and an executor over it.
struct subject {
    parity_case recorded;
    apps::running_model model;

    explicit subject(const std::filesystem::path& file, bool graphs = true, bool hopper = true)
        : recorded{read_parity_case(file)},
          model{.config = apps::read_model_config(recorded.checkpoint)} {
        model.weights = apps::load_weights(model.config, {});
        model.planned = std::make_unique<plan>(compile_plan(model.config.model.program));
        apps::run_options options;
        options.max_num_seqs = 16;
        options.max_num_batched_tokens = 520;
        options.kv_cache_bytes = 1e9;
        options.max_model_len = 2048;
        options.cuda_graphs = graphs;
        options.hopper_kernels = hopper;
        options.kernel_cache = G4_BINARY_DIR "/kernels";
        std::string why;
        apps::start_cuda(model, apps::find_gpu(why).value(), options, {});
    }
};

void check_bound(const logprob_error& error, const parity_case& recorded) {
    CAPTURE(recorded.name);
    CHECK(error.mean() <= 1.5 * recorded.bf16_loss.mean);
    CHECK(error.max() <= 1.5 * recorded.bf16_loss.max);
}

}  // namespace

TEST_CASE("cuda: loses no more than 1.5 times what transformers loses in bf16") {
    // transformers rounds each operator's result to bf16, we round what a stage publishes: the
    // same kind of error, fewer times; 1.5 allows for other places
    if (skipped()) return;
    for (const auto& file : parity_files()) {
        const subject s{file};
        logprob_error error;
        for (const parity_prompt& prompt : s.recorded.prompts)
            compare(error, prompt, run(*s.model.runs, prompt.tokens, 256, 1));
        MESSAGE(s.recorded.name, ": mean ", error.mean(), ", max ", error.max(), "; bf16 loses ",
                s.recorded.bf16_loss.mean, ", ", s.recorded.bf16_loss.max);
        check_bound(error, s.recorded);
    }
}

TEST_CASE("cuda: chunks of 1, 7 and 256 rows, batches of 3 and 16, plain launches and general "
          "kernels keep that bound") {
    if (skipped()) return;
    for (const auto& file : parity_files()) {
        const subject s{file}, plain{file, false, false};
        const parity_prompt& prompt = longest(s.recorded);
        logprob_error error[6];
        int at = 0;
        for (const int chunk : {1, 7, 256})
            compare(error[at++], prompt, run(*s.model.runs, prompt.tokens, chunk, 1));
        compare(error[at++], prompt, run(*s.model.runs, prompt.tokens, 64, 3));
        compare(error[at++], prompt, run(*s.model.runs, prompt.tokens, 7, 16));
        compare(error[at++], prompt, run(*plain.model.runs, prompt.tokens, 100, 2));
        for (const logprob_error& e : error) check_bound(e, s.recorded);
    }
}

TEST_CASE("cuda: greedy answers are those of transformers wherever the margin allows") {
    // a token may differ only where the two first logits lie closer than both errors together
    if (skipped()) return;
    for (const auto& file : parity_files()) {
        const subject s{file};
        CHECK(greedy_tokens_compared(*s.model.runs, s.recorded) > 0);
    }
}

TEST_CASE("cuda: the same steps give the same bits, run after run") {
    if (skipped()) return;
    const subject s{parity_files().front()};
    const parity_prompt& prompt = longest(s.recorded);
    const logprobs first = run(*s.model.runs, prompt.tokens, 64, 3);
    CHECK(run(*s.model.runs, prompt.tokens, 64, 3) == first);
}
