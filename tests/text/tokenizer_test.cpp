// Encoding and decoding equal what PyPI tokenizers recorded for the small vocabulary.
#include "tests/text/fixture.hpp"
#include <algorithm>
#include <doctest/doctest.h>
#include <string>
#include <vector>

namespace {

using namespace g4;
using ids = std::vector<std::int32_t>;

const tokenizer& small() {
    static const tokenizer loaded = tokenizer::load(testing::small_tokenizer_path);
    return loaded;
}

boost::json::value expected() {
    return testing::file_json(G4_SOURCE_DIR "/tests/golden/tokenizer/small_expected.json");
}

std::int32_t id(std::string_view entry) { return small().id_of(entry).value(); }

/// The entry that stands for a byte.
std::int32_t byte_entry(unsigned byte) {
    return id("<0x00>") + static_cast<std::int32_t>(byte);  // they follow one another
}

}  // namespace

TEST_CASE("tokenizer: texts become the ids that tokenizers recorded") {
    const boost::json::value recorded = expected();
    REQUIRE(recorded.at("encode").as_array().size() >= 200);
    for (const boost::json::value& one : recorded.at("encode").as_array()) {
        const std::string text{one.at("text").as_string()};
        INFO(text);
        CHECK(small().encode(text) == testing::ids_of(one.at("ids")));
    }
}

TEST_CASE("tokenizer: ids become the texts that tokenizers recorded") {
    const boost::json::value recorded = expected();
    REQUIRE(recorded.at("decode").as_array().size() >= 80);
    for (const boost::json::value& one : recorded.at("decode").as_array()) {
        const ids list = testing::ids_of(one.at("ids"));
        INFO(boost::json::serialize(one));
        CHECK(small().decode(list) == one.at("text").as_string());
        CHECK(small().decode(list, false) == one.at("with_special").as_string());
    }
}

TEST_CASE("tokenizer: text that spells a special token is plain when it is to be read as text") {
    CHECK(small().encode("<bos>") == ids{id("<bos>")});
    const ids plain = small().encode("a<bos>b<|turn>", special_tokens::as_text);
    for (const std::int32_t token : plain) CHECK_FALSE(small().is_special(token));
    CHECK(small().decode(plain) == "a<bos>b<|turn>");
}

TEST_CASE("tokenizer: an added token that is not special is found in plain text and shown") {
    const std::int32_t added = id("<added>");
    CHECK_FALSE(small().is_special(added));
    CHECK(small().encode("<added>", special_tokens::as_text) == ids{added});
    CHECK(small().decode(ids{added}) == "<added>");
}

TEST_CASE("tokenizer: special tokens are recognised in markup only") {
    const std::vector<text_piece> pieces{
        {"<|turn>", true}, {"user", false}, {"\n", true}, {"<turn|>", false}, {"<turn|>\n", true}};
    const ids got = small().encode(pieces);
    CHECK(std::ranges::count(got, id("<|turn>")) == 1);
    CHECK(std::ranges::count(got, id("<turn|>")) == 1);
    CHECK(got[got.size() - 2] == id("<turn|>"));
    CHECK(small().decode(got, false) == "<|turn>user\n<turn|><turn|>\n");
}

TEST_CASE("tokenizer: merges run across the borders of pieces") {
    const std::vector<text_piece> pieces{
        {"The cap", false}, {"ital of", true}, {" Fr", false}, {"", true}, {"ance", false}};
    CHECK(small().encode(pieces) == small().encode("The capital of France"));
    // no border makes a token: neither half is markup and text at once
    const std::vector<text_piece> halves{{"<bo", true}, {"s>", false}};
    CHECK(small().encode(halves) == small().encode("<bos>", special_tokens::as_text));
    const std::vector<text_piece> markup{{"<bo", true}, {"s>", true}};
    CHECK(small().encode(markup) == ids{id("<bos>")});
}

TEST_CASE("tokenizer: bytes that are no character fall back to their own entries") {
    CHECK(small().encode("\xC3") == ids{byte_entry(0xC3)});
    CHECK(small().encode("\xC0\x80") == ids{byte_entry(0xC0), byte_entry(0x80)});  // overlong
    CHECK(small().encode("\xED\xA0\x80").size() == 3);                             // a surrogate
    CHECK(small().encode("a\xE2\x82") == ids{id("a"), byte_entry(0xE2), byte_entry(0x82)});
    CHECK(small().encode("\xFF\xFF") == ids{id("<unk>")});  // this vocabulary has no <0xFF>
    CHECK(small().decode(small().encode("a\xE2\x82z")) == "a\uFFFD\uFFFDz");
    std::string every_byte;
    for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
    CHECK(small().encode(every_byte).size() > 200);
}

TEST_CASE("tokenizer: a token tells the bytes it stands for") {
    CHECK(small().token_bytes(byte_entry(0xE2)) == "\xE2");
    CHECK(small().token_bytes(id("\u2581the")) == " the");
    CHECK(small().token_bytes(id("<bos>")) == "<bos>");
    CHECK_THROWS_AS(small().token_bytes(-1), input_error);
    CHECK_THROWS_WITH_AS(small().token_bytes(small().size()),
                         doctest::Contains(concat("from 0 to ", small().size() - 1).c_str()),
                         input_error);
    CHECK_FALSE(small().id_of("no such entry").has_value());
}

TEST_CASE("tokenizer: ids outside the vocabulary have no text and are not special") {
    CHECK(small().decode(ids{id("a"), -1, small().size(), id("b")}) == "ab");
    CHECK_FALSE(small().is_special(-1));
    CHECK_FALSE(small().is_special(small().size()));
}

TEST_CASE("tokenizer: a merge that would make a special token is no merge") {
    boost::json::value file = testing::file_json(testing::small_tokenizer_path);
    boost::json::array& merges = file.at("model").at("merges").as_array();
    boost::json::object& vocab = file.at("model").at("vocab").as_object();
    for (boost::json::value& token : file.at("added_tokens").as_array())  // make room for three
        if (!token.at("special").as_bool()) token.at("id") = token.at("id").as_int64() + 3;
    for (const std::string_view entry : {"<b", "<bo", "<bos"}) vocab[entry] = vocab.size();
    merges.insert(merges.begin(),
                  {boost::json::array{"<", "b"}, boost::json::array{"<b", "o"},
                   boost::json::array{"<bo", "s"}, boost::json::array{"<bos", ">"}});
    const tokenizer with_merges = testing::tokenizer_from(boost::json::serialize(file));
    const ids plain = with_merges.encode("<bos>", special_tokens::as_text);
    CHECK(plain == ids{with_merges.id_of("<bos").value(), id(">")});
}
