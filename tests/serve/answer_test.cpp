// Tokens become content and reasoning in the same way whether an answer is streamed or not.
#include "g4/serve/answer.hpp"
#include "tests/support/tiny_tokenizer.hpp"
#include <doctest/doctest.h>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace g4;
using namespace g4::serve;

const tokenizer& words() {
    static const tokenizer out = testing::tiny_tokenizer();
    return out;
}

answer_rules rules_with(std::vector<std::string> stop = {}) {
    answer_rules out;
    out.stop = stop_texts{stop};
    out.channel_opens = words().id_of("<|channel>");
    out.channel_closes = words().id_of("<channel|>");
    return out;
}

struct outcome {
    std::string content, reasoning;
    std::size_t tokens = 0;
    std::optional<std::string> stop;
    bool operator==(const outcome&) const = default;
};

void add(outcome& to, answer& from) {
    answer_piece piece = from.take();
    to.content += piece.content;
    to.reasoning += piece.reasoning;
    to.tokens += piece.tokens.size();
}

// Takes pieces after every `often`-th token; the last token is the model's end when `ends`.
outcome run(const std::vector<std::int32_t>& ids, const answer_rules& rules, std::size_t often,
            bool ends = false) {
    answer made{words(), rules};
    outcome out;
    bool stopped = false;
    for (std::size_t i = 0; i < ids.size() && !stopped; ++i) {
        stopped = !made.push({{ids[i], 0.0f}, {}}, !(ends && i + 1 == ids.size()));
        if (i % often == 0) add(out, made);
    }
    if (!stopped) made.finish();
    add(out, made);
    out.stop = made.stopped_by();
    return out;
}

outcome run_text(std::string_view text, const answer_rules& rules) {
    return run(words().encode(text), rules, 1);
}

}  // namespace

TEST_CASE("answer: a channel is reasoning, what follows is content") {
    const outcome got =
        run_text("<|channel>thought\n  two and two \n<channel|>\n\nfour\n", rules_with());
    CHECK(got.reasoning == "two and two");
    CHECK(got.content == "four\n");
}

TEST_CASE("answer: content without a channel is the text as it is") {
    const outcome got = run_text("\n\n hello the world \n", rules_with());
    CHECK(got.content == "\n\n hello the world \n");
    CHECK(got.reasoning.empty());
}

TEST_CASE("answer: empty channels and stray ends leave nothing behind") {
    CHECK(run_text("<|channel>thought\n<channel|>a", rules_with()).content == "a");
    CHECK(run_text("<|channel>thought\n<channel|>a", rules_with()).reasoning.empty());
    CHECK(run_text("<|channel>thought<channel|>a", rules_with()).reasoning.empty());
    CHECK(run_text("<|channel><channel|>a", rules_with()).reasoning.empty());
    CHECK(run_text("a<channel|>b", rules_with()).content == "ab");
}

TEST_CASE("answer: a channel that never closes is all reasoning") {
    const outcome got = run_text("<|channel>thought\nno end", rules_with());
    CHECK(got.reasoning == "no end");
    CHECK(got.content.empty());
}

TEST_CASE("answer: a channel of another name keeps its first line") {
    CHECK(run_text("<|channel>think\nso<channel|>b", rules_with()).reasoning == "think\nso");
}

TEST_CASE("answer: an answer may begin inside the channel that the prompt opened") {
    answer_rules rules = rules_with();
    rules.begins_in_reasoning = true;
    const outcome got = run_text("thought\nof<channel|>\nb", rules);
    CHECK(got.reasoning == "thought\nof");
    CHECK(got.content == "b");
}

TEST_CASE("answer: special tokens are not shown, unless they were asked for") {
    const std::vector<std::int32_t> ids = words().encode("a<|tool_call>b<turn|>");
    CHECK(run(ids, rules_with(), 1, true).content == "ab");
    answer_rules raw;
    raw.skip_special = false;
    CHECK(run(ids, raw, 1, true).content == "a<|tool_call>b");
    CHECK(run(ids, raw, 1, false).content == "a<|tool_call>b<turn|>");
    CHECK(run(ids, raw, 1, true).tokens == 4);
}

TEST_CASE("answer: a stop text cuts the answer and its tokens are still reported") {
    const outcome got = run_text("hello the world", rules_with({"e w"}));
    CHECK(got.content == "hello th");
    CHECK(got.stop == "e w");
    CHECK(got.tokens == 3);
    answer_rules included = rules_with({"e w"});
    included.include_stop_text = true;
    CHECK(run_text("hello the world", included).content == "hello the w");
}

TEST_CASE("answer: stop texts wait until min_tokens are there") {
    answer_rules rules = rules_with({"a"});
    rules.min_tokens = 2;
    CHECK(run_text("aaaa", rules).content == "aa");
    CHECK(run_text("aaaa", rules).stop == "a");
    CHECK(run_text("ab", rules).content == "ab");
}

TEST_CASE("answer: a stop text is found in what the end lets out") {
    // the bytes of é come one by one, and are text only when the run of bytes ends
    const auto first = words().id_of("<0xC3>"), second = words().id_of("<0xA9>");
    const outcome got = run({*first, *second}, rules_with({"é"}), 1);
    CHECK(got.content.empty());
    CHECK(got.stop == "é");
}

TEST_CASE("answer: what a stream says, joined, is what a whole response says") {
    std::mt19937 random{7};
    const std::vector<std::vector<std::string>> stop_sets = {
        {}, {"e"}, {"the w", "wor", "\n"}, {" the the", "éé", "日"}};
    for (int round = 0; round < 3000; ++round) {
        std::vector<std::int32_t> ids;
        for (std::size_t i = 0, n = 1 + random() % 40; i < n; ++i)
            ids.push_back(
                static_cast<std::int32_t>(random() % static_cast<unsigned>(words().size())));
        for (std::int32_t& id : ids) {  // channels and merged words more often than by chance
            if (random() % 12 == 0) id = *words().id_of("<|channel>");
            if (random() % 12 == 0) id = *words().id_of("<channel|>");
            if (random() % 6 == 0) id = *words().id_of("▁the");
        }
        answer_rules rules = rules_with(stop_sets[static_cast<std::size_t>(round) % 4]);
        rules.min_tokens = static_cast<std::int32_t>(random() % 3);
        rules.include_stop_text = random() % 2 == 0;
        const outcome whole = run(ids, rules, 1000);
        INFO("round ", round);
        CHECK(run(ids, rules, 1) == whole);
        CHECK(run(ids, rules, 3) == whole);
        CHECK(is_utf8(whole.content));
        CHECK(is_utf8(whole.reasoning));
    }
}

TEST_CASE("answer: without channels and stops the text is what decode gives") {
    std::mt19937 random{8};
    for (int round = 0; round < 2000; ++round) {
        std::vector<std::int32_t> ids;
        for (std::size_t i = 0, n = random() % 30; i < n; ++i)
            ids.push_back(
                static_cast<std::int32_t>(random() % static_cast<unsigned>(words().size())));
        CHECK(run(ids, answer_rules{}, 1).content == words().decode(ids));
    }
}
