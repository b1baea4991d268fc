// Every way in which a tokenizer.json can be wrong is one error that names key, expected and got.
#include "tests/text/fixture.hpp"
#include <doctest/doctest.h>
#include <functional>
#include <string>
#include <vector>

namespace {

using namespace g4;
namespace json = boost::json;

/// What load() says of a file with this text; empty when it accepts it.
std::string complaint(const std::string& text) {
    try {
        testing::tokenizer_from(text);
        return {};
    } catch (const input_error& error) {
        return error.what();
    }
}

struct damage {
    const char* complaint;  // what the error must hold
    std::function<void(json::object& root, json::object& model)> done;
};

json::object& first_added(json::object& root) {
    return root.at("added_tokens").as_array()[0].as_object();
}

const std::vector<damage> damages{
    {"model: expected the key, got nothing", [](auto& root, auto&) { root.erase("model"); }},
    {"model: expected an object, got 3", [](auto& root, auto&) { root["model"] = 3; }},
    {R"(model.type: expected "BPE", got "Unigram")",
     [](auto&, auto& model) { model["type"] = "Unigram"; }},
    {"model.byte_fallback: expected true, got false",
     [](auto&, auto& model) { model["byte_fallback"] = false; }},
    {"model.fuse_unk: expected true, got nothing",
     [](auto&, auto& model) { model.erase("fuse_unk"); }},
    {"model.dropout: expected null, got 1E-1", [](auto&, auto& model) { model["dropout"] = 0.1; }},
    {"model.ignore_merges: expected null, got true",
     [](auto&, auto& model) { model["ignore_merges"] = true; }},
    {R"(model.continuing_subword_prefix: expected null, got "##")",
     [](auto&, auto& model) { model["continuing_subword_prefix"] = "##"; }},
    {R"(model.end_of_word_suffix: expected null, got "</w>")",
     [](auto&, auto& model) { model["end_of_word_suffix"] = "</w>"; }},
    {R"(model.unk_token: expected an entry of model.vocab, got "[UNK]")",
     [](auto&, auto& model) { model["unk_token"] = "[UNK]"; }},
    {"model.unk_token: expected an entry of model.vocab, got null",
     [](auto&, auto& model) { model["unk_token"] = nullptr; }},
    {"normalizer: expected", [](auto& root, auto&) { root["normalizer"] = nullptr; }},
    {"got {\"type\":\"NFKC\"}",
     [](auto& root, auto&) { root["normalizer"] = json::object{{"type", "NFKC"}}; }},
    {"pre_tokenizer: expected null, got {\"type\":\"ByteLevel\"}",
     [](auto& root, auto&) { root["pre_tokenizer"] = json::object{{"type", "ByteLevel"}}; }},
    {"decoder: expected", [](auto& root, auto&) { root.erase("decoder"); }},
    {"decoder: expected",
     [](auto& root, auto&) {
         root.at("decoder").as_object().at("decoders").as_array().pop_back();
     }},
    {"post_processor: expected null or TemplateProcessing, got {\"type\":\"ByteLevel\"}",
     [](auto& root, auto&) { root["post_processor"] = json::object{{"type", "ByteLevel"}}; }},
    {"model.vocab: expected an object, got a list of 0",
     [](auto&, auto& model) { model["vocab"] = json::array{}; }},
    {"model.vocab: expected at least one entry, got none",
     [](auto&, auto& model) { model["vocab"] = json::object{}; }},
    {"model.vocab: \"a\": expected an id from 0 to",
     [](auto&, auto& model) { model.at("vocab").as_object()["a"] = -1; }},
    {"model.vocab: \"a\": expected an id from 0 to",
     [](auto&, auto& model) { model.at("vocab").as_object()["a"] = 1.5; }},
    {"model.vocab: \"a\": expected an id from 0 to",
     [](auto&, auto& model) { model.at("vocab").as_object()["a"] = 4'000'000'000; }},
    {"expected an id of its own, got that of \"<pad>\"",
     [](auto&, auto& model) { model.at("vocab").as_object()["a"] = 0; }},
    {"model.vocab: expected texts, got an empty one",
     [](auto&, auto& model) { model.at("vocab").as_object()[""] = 5; }},
    {"model.merges: expected the key, got nothing",
     [](auto&, auto& model) { model.erase("merges"); }},
    {"model.merges: expected a list, got an object of 0 members",
     [](auto&, auto& model) { model["merges"] = json::object{}; }},
    {"model.merges[1]: expected a pair of texts, got a list of 3",
     [](auto&, auto& model) { model.at("merges").as_array()[1] = json::array{"a", "b", "c"}; }},
    {"model.merges[1]: expected a pair of texts, got \"a b c\"",
     [](auto&, auto& model) { model.at("merges").as_array()[1] = "a b c"; }},
    {"model.merges[1]: expected a pair of texts, got 7",
     [](auto&, auto& model) { model.at("merges").as_array()[1] = 7; }},
    {"model.merges[1]: expected entries of model.vocab, got \"nowhere\"",
     [](auto&, auto& model) { model.at("merges").as_array()[1] = json::array{"nowhere", "a"}; }},
    {"model.merges[1]: expected entries of model.vocab, got \"QQ\"",
     [](auto&, auto& model) { model.at("merges").as_array()[1] = json::array{"Q", "Q"}; }},
    {"model.merges[1]: expected entries of model.vocab, got \"\"",
     [](auto&, auto& model) { model.at("merges").as_array()[1] = json::array{"", "a"}; }},
    {"added_tokens: expected a list, got 1", [](auto& root, auto&) { root["added_tokens"] = 1; }},
    {"added_tokens[0]: expected an object, got 1",
     [](auto& root, auto&) { root.at("added_tokens").as_array()[0] = 1; }},
    {"added_tokens[0].content: expected the key, got nothing",
     [](auto& root, auto&) { first_added(root).erase("content"); }},
    {"added_tokens[0].content: expected a text, got \"\"",
     [](auto& root, auto&) { first_added(root)["content"] = ""; }},
    {"added_tokens[0].id: expected 0 as in model.vocab, got 7",
     [](auto& root, auto&) { first_added(root)["id"] = 7; }},
    {"the next that is free, got 0",
     [](auto& root, auto&) { first_added(root)["content"] = "<new>"; }},
    {"added_tokens[0].lstrip: expected false, got true",
     [](auto& root, auto&) { first_added(root)["lstrip"] = true; }},
    {"added_tokens[0].normalized: expected false, got true",
     [](auto& root, auto&) { first_added(root)["normalized"] = true; }},
    {"added_tokens[0].special: expected true or false, got nothing",
     [](auto& root, auto&) { first_added(root).erase("special"); }},
    {"added_tokens[1]: expected a token of its own, got \"<pad>\" a second time",
     [](auto& root, auto&) {
         root.at("added_tokens").as_array()[1] = root.at("added_tokens").as_array()[0];
     }},
};

}  // namespace

TEST_CASE("tokenizer.json: each damage is an error that names key, expected, got and file") {
    const json::value sound = testing::file_json(testing::small_tokenizer_path);
    for (const damage& one : damages) {
        json::value file = sound;
        one.done(file.as_object(),
                 file.as_object().contains("model") && file.at("model").is_object()
                     ? file.at("model").as_object()
                     : file.as_object());
        const std::string said = complaint(json::serialize(file));
        INFO(one.complaint);
        INFO(said);
        CHECK(said.starts_with("tokenizer: "));
        CHECK(said.find(one.complaint) != said.npos);
        CHECK(said.find(" in /") != said.npos);
    }
}

TEST_CASE("tokenizer.json: a file that is no JSON, cut off, or not UTF-8 is an error") {
    const std::string sound = testing::file_text(testing::small_tokenizer_path);
    CHECK(complaint("").find("the file: expected JSON, got ") != std::string::npos);
    CHECK(complaint("[]").find("the file: expected an object, got a list of 0") !=
          std::string::npos);
    for (const std::size_t bytes : {std::size_t{1}, sound.size() / 3, sound.size() - 3})
        CHECK(complaint(sound.substr(0, bytes)).find("expected JSON") != std::string::npos);
    std::string damaged = sound;
    damaged[damaged.find("Stra") + 1] = '\xFF';
    CHECK(complaint(damaged).find("expected JSON") != std::string::npos);
    CHECK(complaint(std::string(100'000, '[')).find("expected JSON") != std::string::npos);
}

TEST_CASE("tokenizer.json: a file that is not there, or a folder, is an error that names it") {
    CHECK_THROWS_WITH_AS(tokenizer::load("/no/such/tokenizer.json"),
                         doctest::Contains("/no/such/tokenizer.json"), input_error);
    CHECK_THROWS_WITH_AS(tokenizer::load(G4_SOURCE_DIR "/tests"),
                         doctest::Contains(G4_SOURCE_DIR "/tests"), input_error);
}

TEST_CASE("tokenizer.json: merges written as texts, spaces and null keys read the same") {
    json::value file = testing::file_json(testing::small_tokenizer_path);
    for (json::value& merge : file.at("model").at("merges").as_array())
        merge = concat(std::string_view{merge.at(0).as_string()}, ' ',
                       std::string_view{merge.at(1).as_string()});
    file.as_object()["pre_tokenizer"] = nullptr;
    file.as_object()["post_processor"] = json::object{{"type", "TemplateProcessing"}};
    file.at("model").as_object()["end_of_word_suffix"] = "";
    const tokenizer rewritten = testing::tokenizer_from(json::serialize(file));
    const tokenizer sound = tokenizer::load(testing::small_tokenizer_path);
    const std::string text = testing::file_text(G4_SOURCE_DIR "/LICENSE");
    CHECK(rewritten.encode(text) == sound.encode(text));
    CHECK(rewritten.size() == sound.size());
}
