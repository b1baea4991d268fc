// A streamed answer is the decoded one, at every place where it may be cut.
#include "tests/text/fixture.hpp"
#include <doctest/doctest.h>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace g4;
using ids = std::vector<std::int32_t>;

std::string streamed(const tokenizer& tokens, const ids& list, bool skip_special) {
    detokenizer stream{tokens, skip_special};
    std::string text;
    for (const std::int32_t id : list) {
        const std::string piece = stream.push(id);
        CHECK(is_utf8(piece));
        text += piece;
    }
    return text + stream.finish();
}

}  // namespace

TEST_CASE("detokenizer: every prefix of random ids streams to its decoded text") {
    const tokenizer tokens = tokenizer::load(testing::small_tokenizer_path);
    const std::int32_t first_byte = tokens.id_of("<0x00>").value();
    std::mt19937 random{1};
    for (int round = 0; round < 300; ++round) {
        ids list;
        for (int i = 0; i < 12; ++i)
            list.push_back(random() % 2 ? static_cast<std::int32_t>(random() % 800)
                                        : first_byte + static_cast<std::int32_t>(random() % 0xF0));
        for (std::size_t length = 0; length <= list.size(); ++length) {
            const ids prefix{list.begin(), list.begin() + static_cast<std::ptrdiff_t>(length)};
            for (const bool skip : {true, false})
                CHECK(streamed(tokens, prefix, skip) == tokens.decode(prefix, skip));
        }
    }
}

TEST_CASE("detokenizer: bytes wait until their run ends") {
    const tokenizer tokens = tokenizer::load(testing::small_tokenizer_path);
    const std::int32_t first_byte = tokens.id_of("<0x00>").value();
    const std::int32_t letter = tokens.id_of("a").value(), bos = tokens.id_of("<bos>").value();
    detokenizer stream{tokens};
    CHECK(stream.push(letter) == "a");
    CHECK(stream.push(first_byte + 0xC3).empty());
    CHECK(stream.push(bos).empty());  // left out: does not end the run
    CHECK(stream.push(first_byte + 0xA9).empty());
    CHECK(stream.push(letter) == "\u00E9a");
    CHECK(stream.push(first_byte + 0xC3).empty());
    CHECK(stream.finish() == "\uFFFD");
    CHECK(stream.finish().empty());
}
