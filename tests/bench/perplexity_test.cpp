// Log-probabilities of a text's tokens: their order through steps of any size, and their values.
#include "apps/bench/measure_perplexity.hpp"
#include "g4/backends/reference/backend.hpp"
#include "tests/support/null_oracle.hpp"
#include "tests/support/temporary_folder.hpp"
#include <doctest/doctest.h>
#include <fstream>

using namespace g4;
using namespace g4::testing;

namespace {

const std::filesystem::path nano = G4_SOURCE_DIR "/models/gemma4/nano/autoround";

std::string write_text(const temporary_folder& in, const std::string& text) {
    const std::filesystem::path file = in.path() / "text.txt";
    std::ofstream{file, std::ios::binary} << text;
    return file.string();
}

apps::scored_text random_text(std::int32_t tokens, std::int32_t context, std::int32_t stride) {
    apps::scored_text out{"text", "", 0, apps::random_prompts(1, tokens, 50, 3).front(), {}};
    out.windows = apps::windows_of(tokens, context, stride);
    return out;
}

/// What each window gives when nothing else runs, and no step ends in it.
std::vector<float> expected(const apps::scored_text& text, const capacity& reserved) {
    std::vector<float> out;
    for (const apps::text_window& w : text.windows) {
        generation_request asked;
        asked.prompt = {7};
        asked.prompt.insert(asked.prompt.end(), text.tokens.begin() + w.begin,
                            text.tokens.begin() + w.end);
        asked.prompt_logprobs = 0;
        asked.max_tokens = 0;
        const auto rows = null_oracle(reserved, asked).prompt;
        for (std::int32_t i = w.scored - w.begin; i < w.end - w.begin; ++i)
            out.push_back(rows[static_cast<std::size_t>(i)].token.logprob);
    }
    return out;
}

std::vector<float> reference_logprobs(const reference::backend& runs, const apps::scored_text& text,
                                      std::int32_t begin_token) {
    std::vector<float> out;
    for (const apps::text_window& w : text.windows) {
        apps::token_list ids{begin_token};
        ids.insert(ids.end(), text.tokens.begin() + w.begin, text.tokens.begin() + w.end);
        reference::sequence sequence;
        const reference::activation logits = runs.run(sequence, ids);
        for (std::int32_t i = w.scored - w.begin; i < w.end - w.begin; ++i) {
            const auto row = logits.row(i);
            double sum = 0;
            for (const float l : row) sum += std::exp(double{l});  // capped at 30
            const auto token = static_cast<std::size_t>(ids[static_cast<std::size_t>(i) + 1]);
            out.push_back(static_cast<float>(double{row[token]} - std::log(sum)));
        }
    }
    return out;
}

double mean_difference(const std::vector<float>& a, const std::vector<float>& b) {
    REQUIRE(a.size() == b.size());
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(double{a[i]} - double{b[i]});
    return sum / static_cast<double>(a.size());
}

}  // namespace

TEST_CASE("perplexity: tokens come back once, in order, whatever a step takes") {
    struct limits {
        std::int32_t rows, wanted, sequences, pages;
    };
    for (const auto& [context, stride] : {std::pair{24, 23}, {24, 8}, {9, 1}, {200, 199}}) {
        const apps::scored_text text = random_text(150, context, stride);
        for (const limits& l : {limits{64, 64, 8, 400},
                                {16, 3, 4, 400},
                                {1, 1, 1, 50},
                                {64, 5, 16, 52},
                                {7, 64, 3, 400}}) {
            capacity reserved = null_capacity(l.rows, l.sequences, 4, 50, l.pages, 6, l.pages);
            reserved.wanted = l.wanted;
            null_executor runs{{.reserved = reserved}};
            int done = 0;
            const auto got = apps::text_scorer{runs, 7, context, 2}.run(
                text, [&](int scored) { done = scored; });
            CAPTURE(context);
            CAPTURE(stride);
            CAPTURE(l.rows);
            CHECK(got == expected(text, reserved));
            CHECK(done == 150);
        }
    }
}

TEST_CASE("perplexity: caches that hold no window are refused") {
    null_executor runs{{.reserved = null_capacity(16, 2, 4, 50, 5)}};
    CHECK_THROWS_WITH_AS(
        (apps::text_scorer{runs, 7, 24, 1}.run(random_text(30, 24, 23), [](int) {})),
        "perplexity: expected room for 24 positions in the kv cache, got less", input_error);
}

TEST_CASE("perplexity: figures are those of the definition") {
    // -ln p is 1, 2 and 3: mean 2, variance 1 with n - 1, its error 1 / sqrt(3); 6 nats of 12 bytes
    const std::vector<float> logprobs{-1, -2, -3};
    const apps::text_figures f = apps::figures_of(logprobs, 12);
    CHECK(f.mean_nll == doctest::Approx(2));
    CHECK(f.standard_error == doctest::Approx(1 / std::sqrt(3.0)));
    CHECK(f.perplexity == doctest::Approx(std::exp(2.0)));
    CHECK(f.bits_per_byte == doctest::Approx(0.5 / std::log(2.0)));
}

TEST_CASE("perplexity: what is no text is refused with its place") {
    const temporary_folder folder;
    const tokenizer words = tokenizer::load(nano / "tokenizer.json");
    const auto refusal = [&](const std::string& text) {
        try {
            apps::read_text(write_text(folder, text), words);
        } catch (const input_error& error) {
            const std::string said = error.what();
            return said.substr(said.find(": ") + 2);
        }
        return std::string{"taken"};
    };
    CHECK(refusal("") == "expected a text, got an empty file");
    CHECK(refusal("ab\xFFz") ==
          "expected UTF-8, got byte 255 at offset 2 that begins no character");
    CHECK(refusal("a") == "expected at least 2 tokens, got 1");
    CHECK(refusal("Two words.") == "taken");
}

TEST_CASE("perplexity: text that spells a special token stays text") {
    const temporary_folder folder;
    const tokenizer words = tokenizer::load(nano / "tokenizer.json");
    const auto read = apps::read_text(write_text(folder, "a<bos>b<turn|>"), words);
    for (const std::int32_t token : read.tokens) CHECK(!words.is_special(token));
    CHECK(words.decode(read.tokens) == "a<bos>b<turn|>");
}

TEST_CASE("perplexity: nano's log-probabilities are the reference's, as near as bf16 comes") {
    const temporary_folder folder;
    apps::bench_options options;
    options.model_folder = nano.string();
    options.texts = {write_text(folder,
                                "What is 17 + 25? 42. Sort these numbers: 31, 4, 15, 92. "
                                "4, 15, 31, 92. Copy this: the quick brown fox jumps.")};
    options.context = 40;
    options.stride = 16;
    const apps::perplexity_work work = apps::prepare_perplexity(options);
    const apps::scored_text& text = work.texts.front();
    REQUIRE(text.windows.size() >= 3);
    apps::run_options how;
    how.device = "cpu";
    how.max_model_len = work.setting.context;
    how.max_num_seqs = work.most_windows();
    const apps::running_model model = apps::start_model(nano, how, {});
    const auto got = apps::score_texts(*model.runs, work, 1, [](int, int) {});

    const bound_program& program = model.config.model.program;
    const std::int32_t bos = work.setting.begin_token;
    const auto exact = reference_logprobs({program, model.table()}, text, bos);
    const auto rounded =
        reference_logprobs({program, model.table(), 1, reference::rounding::bf16}, text, bos);
    // the back end rounds what a stage publishes, fewer places than behind every operator: the
    // same kind of error; 1.5 allows for other places
    const double error = mean_difference(got.front().logprobs, exact);
    const double bound = 1.5 * mean_difference(rounded, exact);
    MESSAGE("mean difference ", error, ", bound ", bound, ", perplexity ",
            got.front().figures().perplexity);
    CHECK(error <= bound);
    CHECK(bound < 0.3);  // that it says anything
}
