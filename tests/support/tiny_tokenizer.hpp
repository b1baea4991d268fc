// A tokenizer in Gemma 4's form with some 400 entries, for tests that need text without a model.
#pragma once
#include "g4/core/error.hpp"
#include "g4/text/text.hpp"
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <unistd.h>

namespace g4::testing {

/// tokenizer.json: the special tokens of Gemma 4, all bytes, ASCII, a few other characters (so
/// that some text has entries and some falls back to bytes), and merges to a few words.
inline std::string tiny_tokenizer_json() {
    namespace json = boost::json;
    json::object vocab;
    json::array merges, added;
    const auto add = [&](std::string_view text) {
        if (!vocab.contains(text)) vocab[text] = vocab.size();
    };
    constexpr std::string_view specials[] = {"<pad>",
                                             "<eos>",
                                             "<bos>",
                                             "<unk>",
                                             "<mask>",
                                             "<|tool>",
                                             "<tool|>",
                                             "<|tool_call>",
                                             "<tool_call|>",
                                             "<|tool_response>",
                                             "<tool_response|>",
                                             "<|\"|>",
                                             "<|think|>",
                                             "<|channel>",
                                             "<channel|>",
                                             "<|turn>",
                                             "<turn|>",
                                             "<|image|>",
                                             "<|audio|>",
                                             "<|video|>"};
    for (const std::string_view special : specials) {
        added.push_back({{"id", vocab.size()},
                         {"content", special},
                         {"single_word", false},
                         {"lstrip", false},
                         {"rstrip", false},
                         {"normalized", false},
                         {"special", true}});
        add(special);
    }
    constexpr std::string_view hex = "0123456789ABCDEF";
    for (std::size_t byte = 0; byte < 256; ++byte)
        add(concat("<0x", hex[byte >> 4], hex[byte & 15], '>'));
    add("▁");
    add("\n");
    for (char c = '!'; c <= '~'; ++c) add(std::string_view{&c, 1});
    for (const std::string_view other : {"é", "ü", "日", "本", "🙂"}) add(other);
    constexpr std::string_view pairs[][2] = {
        {"t", "h"},    {"th", "e"},    {"▁", "the"}, {"h", "e"},   {"l", "l"},
        {"he", "ll"},  {"hell", "o"},  {"w", "o"},   {"r", "l"},   {"rl", "d"},
        {"wo", "rld"}, {"▁", "world"}, {"日", "本"}, {"u", "s"},   {"e", "r"},
        {"us", "er"},  {"m", "o"},     {"d", "e"},   {"mo", "de"}, {"mode", "l"}};
    for (const auto& [left, right] : pairs) {
        add(concat(left, right));
        merges.push_back({left, right});
    }
    return json::serialize(json::object{
        {"version", "1.0"},
        {"truncation", nullptr},
        {"padding", nullptr},
        {"added_tokens", added},
        {"normalizer", {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}}},
        {"pre_tokenizer", nullptr},
        {"post_processor", nullptr},
        {"decoder",
         {{"type", "Sequence"},
          {"decoders",
           {{{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}},
            {{"type", "ByteFallback"}},
            {{"type", "Fuse"}}}}}},
        {"model",
         {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", "<unk>"},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", true},
          {"byte_fallback", true},
          {"ignore_merges", false},
          {"vocab", vocab},
          {"merges", merges}}}});
}

inline tokenizer tiny_tokenizer() {
    const auto file = std::filesystem::temp_directory_path() /
                      concat("g4-tiny-tokenizer-", static_cast<std::int64_t>(::getpid()), ".json");
    std::ofstream{file, std::ios::binary} << tiny_tokenizer_json();
    tokenizer out = tokenizer::load(file);
    std::filesystem::remove(file);
    return out;
}

}  // namespace g4::testing
