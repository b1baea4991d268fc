// Log-probabilities of a text's tokens: their order through steps of any size, and their values.
#include "tests/support/nano_perplexity.hpp"
#include "tests/support/null_oracle.hpp"
#include <doctest/doctest.h>

using namespace g4;
using namespace g4::testing;

namespace {

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
    const tokenizer words = tokenizer::load(nano_folder / "tokenizer.json");
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
    const tokenizer words = tokenizer::load(nano_folder / "tokenizer.json");
    const auto read = apps::read_text(write_text(folder, "a<bos>b<turn|>"), words);
    for (const std::int32_t token : read.tokens) CHECK(!words.is_special(token));
    CHECK(words.decode(read.tokens) == "a<bos>b<turn|>");
}

TEST_CASE("perplexity: nano's log-probabilities are the reference's, as near as bf16 comes") {
    // the back end rounds what a stage publishes, fewer places than behind every operator: the
    // same kind of error; 1.5 allows for other places
    const nano_perplexity nano{"cpu"};
    MESSAGE("mean difference ", nano.error(), ", rounded everywhere ", nano.rounded_error());
    CHECK(nano.error() <= 1.5 * nano.rounded_error());
    CHECK(nano.rounded_error() < 0.2);  // that it says anything
}
