// The full vocabulary of Gemma 4: published ids, and the time that loading and encoding take.
// Source of the ids: llama.cpp's tests on the real E4B and 26B files, and a second engine's test
// that pins the published tokenizer.
#include "tests/text/fixture.hpp"
#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <doctest/doctest.h>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace {

using namespace g4;
using ids = std::vector<std::int32_t>;

/// Of the processor, not of the clock: other programs on the machine do not count.
double milliseconds(const std::function<void()>& work) {
    const std::clock_t start = std::clock();
    work();
    return static_cast<double>(std::clock() - start) * 1000 / CLOCKS_PER_SEC;
}

/// The shortest of three: cold caches and the like only make it longer.
double best_of_three(const std::function<void()>& work) {
    double best = std::numeric_limits<double>::max();
    for (int i = 0; i < 3; ++i) best = std::min(best, milliseconds(work));
    return best;
}

std::string repeated(std::string_view text, std::size_t bytes) {
    std::string all;
    while (all.size() < bytes) all += text;
    all.resize(bytes);
    return all;
}

struct vector_of_ids {
    const char* text;
    ids expected;
};

const std::vector<vector_of_ids> published{
    {"Hello, world!", {9259, 236764, 1902, 236888}},
    {"The capital of France is Paris.", {818, 5279, 529, 7001, 563, 9079, 236761}},
    {"  leading and  double  spaces ", {138, 26016, 532, 138, 7902, 138, 35220, 236743}},
    {"   leading spaces", {139, 26016, 9952}},
    {"a  b   c    d", {236746, 138, 236763, 139, 236755, 140, 236753}},
    {"newlines\nand\ttabs", {208697, 107, 624, 255968, 39218}},
    {"line1\nline2\n\nline3\n\n\n\tindented\ttabs\t\n",
     {1257, 236770, 107, 1257, 236778, 108, 1257, 236800, 109, 255968, 724, 16764, 255968, 39218,
      255968, 107}},
    {"Café naïve façade über Straße żółw język",
     {160319, 236859, 120362, 96008, 8046, 80176, 207635, 236765, 119116, 90838}},
    {"unicode: café — naïve — Ωμέγα",
     {70926, 236787, 33443, 2192, 120362, 2192, 76858, 20961, 103132}},
    {"Hello 😀🔥 world 🌍✨ test 🤖",
     {9259, 163543, 240785, 1902, 236743, 244906, 239794, 1594, 236743, 246143}},
    {"人工知能は未来を変える。한국어 테스트입니다.",
     {66447, 237669, 237230, 237048, 37922, 126836, 15982, 236924, 114216, 237430, 112196, 15245,
      236761}},
    {"3.14159 == pi; x != 42 && y <= 7 || z >= 100",
     {236800, 236761, 236770, 236812, 236770, 236810, 236819, 1251,   4604,
      236793, 1123,   2843,   236743, 236812, 236778, 2732,   570,    6605,
      236743, 236832, 3943,   904,    6867,   236743, 236770, 236771, 236771}},
    {"What is 2+2?", {3689, 563, 236743, 236778, 236862, 236778, 236881}},
    {"\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n", {126}},
    {" ", {236743}},
    {"a", {236746}},
    {"", {}},
    {"<bos>hi<eos>", {2, 2202, 1}},
    {"<start_of_turn>user\nHello<end_of_turn>\n",
     {236820, 3041, 236779, 1340, 236779, 887, 236813, 2364, 107, 9259, 236820, 643, 236779, 1340,
      236779, 887, 236813, 107}},
    {"<|turn>user\nHello there<turn|>\n<|turn>model\n",
     {105, 2364, 107, 9259, 993, 106, 107, 105, 4368, 107}},
};

/// The tokenizer that G4_GEMMA4_TOKENIZER names; nullptr, said aloud, when it names none.
const tokenizer* full() {
    const char* path = std::getenv("G4_GEMMA4_TOKENIZER");
    if (!path) {
        MESSAGE("skipped: G4_GEMMA4_TOKENIZER names no full tokenizer.json of Gemma 4");
        return nullptr;
    }
    static const tokenizer loaded = tokenizer::load(path);
    return &loaded;
}

}  // namespace

TEST_CASE("gemma 4's tokenizer: published texts have their published ids") {
    const tokenizer* tokens = full();
    if (!tokens) return;
    CHECK(tokens->size() == 262'144);
    for (const auto& [text, expected] : published) {
        INFO(text);
        CHECK(tokens->encode(text) == expected);
        CHECK(tokens->decode(expected, false) == text);
    }
    CHECK(tokens->id_of("<|turn>") == 105);
    CHECK(tokens->is_special(258'880));
    CHECK_FALSE(tokens->is_special(212));  // </s>, an ordinary piece
}

TEST_CASE("gemma 4's tokenizer: text that spells a special token stays text") {
    const tokenizer* tokens = full();
    if (!tokens) return;
    for (std::int32_t id = 0; id < tokens->size(); ++id) {
        if (!tokens->is_special(id)) continue;
        const ids plain = tokens->encode(tokens->token_bytes(id), special_tokens::as_text);
        CHECK(
            std::ranges::none_of(plain, [&](std::int32_t one) { return tokens->is_special(one); }));
    }
}

TEST_CASE("gemma 4's tokenizer: a megabyte of prose comes back as it was; prints what it took") {
    const tokenizer* tokens = full();
    if (!tokens) return;
    const double load_ms =
        best_of_three([] { tokenizer::load(std::getenv("G4_GEMMA4_TOKENIZER")); });
    const std::string prose = repeated(testing::file_text(G4_SOURCE_DIR "/LICENSE"), 1'000'000);
    const double encode_ms = best_of_three([&] { tokens->encode(prose); });
    MESSAGE("load " << load_ms << " ms, encode 1 MB of prose " << encode_ms << " ms");
    CHECK(tokens->decode(tokens->encode(prose)) == prose);
}

TEST_CASE("gemma 4's tokenizer: ten times the text takes about ten times as long") {
    const tokenizer* tokens = full();
    if (!tokens) return;
    for (const char* unit : {"a", " ", "\n", "=", "ab", "中", "the", "\xFF"}) {
        const std::string small = repeated(unit, 100'000), large = repeated(unit, 1'000'000);
        const double small_ms = best_of_three([&] { tokens->encode(small); });
        const double large_ms = best_of_three([&] { tokens->encode(large); });
        INFO(unit << ": " << small_ms << " ms, " << large_ms << " ms");
        CHECK(large_ms < 30 * small_ms + 10);  // quadratic work would take a hundred times as long
    }
}
