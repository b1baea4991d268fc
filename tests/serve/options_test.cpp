// The command line of g4-serve: vLLM's spellings, and a reason wherever one is refused.
#include "apps/serve/flag_groups.hpp"
#include <doctest/doctest.h>
#include <string>
#include <vector>

namespace {

using namespace g4;
using apps::serve_options;

serve_options parse(std::vector<std::string> words) { return apps::parse_serve_options(words); }

std::string refusal(std::vector<std::string> words) {
    try {
        parse(std::move(words));
    } catch (const input_error& error) {
        return error.what();
    }
    return "accepted";
}

}  // namespace

TEST_CASE("options: the published command line is taken as it stands") {
    const serve_options got = parse({"MODEL_DIR",
                                     "--served-model-name",
                                     "Gemma-4-E4B-it",
                                     "--quantization",
                                     "autoround",
                                     "--kv-cache-dtype",
                                     "auto",
                                     "--max-num-batched-tokens",
                                     "16384",
                                     "--enable-chunked-prefill",
                                     "--enable-prefix-caching",
                                     "--dtype",
                                     "bfloat16",
                                     "--max-model-len",
                                     "18432",
                                     "--enable-auto-tool-choice",
                                     "--tool-call-parser",
                                     "gemma4",
                                     "--port",
                                     "8000",
                                     "--default-chat-template-kwargs",
                                     R"({"enable_thinking": false})",
                                     "--mm-processor-kwargs",
                                     R"({"max_soft_tokens": 560})"});
    CHECK(got.model == "MODEL_DIR");
    CHECK(got.served_names == std::vector<std::string>{"Gemma-4-E4B-it"});
    CHECK(got.quantization == "autoround");
    CHECK(got.max_num_batched_tokens == 16384);
    CHECK(got.max_model_len == 18432);
    CHECK(got.chunked_prefill);
    CHECK(got.port == 8000);
    CHECK(got.default_template_kwargs == boost::json::object{{"enable_thinking", false}});
    // prefix caching, automatic tool choice, the tool parser, and media options have not landed
    REQUIRE(got.notes.size() == 4);
    for (const std::string& note : got.notes) CHECK(note.find("not landed") != std::string::npos);
}

TEST_CASE("options: dashes, underscores, equals signs and dotted members say the same") {
    const auto same = [](const serve_options& a, const serve_options& b) {
        return a.max_model_len == b.max_model_len && a.served_names == b.served_names &&
               a.chunked_prefill == b.chunked_prefill &&
               a.default_template_kwargs == b.default_template_kwargs;
    };
    const serve_options plain =
        parse({"m", "--max-model-len", "18000", "--served-model-name", "a", "b",
               "--no-enable-chunked-prefill", "--default-chat-template-kwargs",
               R"({"enable_thinking":true,"deep":{"x":[1]},"word":"w"})"});
    CHECK(same(plain, parse({"--max_model_len=18k", "--served_model_name=a", "--served-model-name",
                             "b", "--model", "m", "--enable-chunked-prefill=false",
                             "--default_chat_template_kwargs.enable_thinking=true",
                             "--default-chat-template-kwargs.deep.x", "[1]",
                             "--default-chat-template-kwargs.word=w"})));
    CHECK_FALSE(same(plain, parse({"m"})));
}

TEST_CASE("options: sizes may have a suffix, decimal in small letters and binary in large ones") {
    CHECK(parse({"m", "--max-model-len", "18k"}).max_model_len == 18000);
    CHECK(parse({"m", "--max-model-len", "18K"}).max_model_len == 18432);
    CHECK(parse({"m", "--max-model-len", "25.6k"}).max_model_len == 25600);
    CHECK(parse({"m", "--max-num-batched-tokens", "1"}).max_num_batched_tokens == 1);
    for (const char* wrong : {"0", "-1", "1.5", "k", "18kk", "1e400", "", "nan", "3g"}) {
        INFO("text ", wrong);
        CHECK(refusal({"m", "--max-model-len", wrong}).starts_with("--max-model-len: expected a"));
    }
}

TEST_CASE("options: a refusal names the flag and what it expects") {
    using words = std::vector<std::string>;
    const std::pair<words, const char*> table[] = {
        {{}, "expected a model folder as the first word"},
        {{"a", "b"}, "expected one model folder, got \"a\" and \"b\""},
        {{"m", "--max-modle-len", "3"}, "--max-modle-len: unknown flag; did you mean --max-model-"},
        {{"m", "--frobnicate-everything"}, "--frobnicate-everything: unknown flag (--help"},
        {{"m", "-x"}, "-x: unknown flag"},
        {{"m", "--port"}, "--port: expected N, got nothing"},
        {{"m", "--port", "65536"}, "--port: expected a number from 0 to 65535"},
        {{"m", "--port", "--host", "x"}, "--port: expected N, got nothing"},
        {{"m", "--device", "tpu"}, "--device: expected auto, cpu, cuda, got \"tpu\""},
        {{"m", "--gpu-memory-utilization", "1.5"},
         "--gpu-memory-utilization: expected a number above 0 and at most 1"},
        {{"m", "--dtype", "float16"}, "--dtype: expected auto, bfloat16, got \"float16\""},
        {{"m", "--kv-cache-dtype", "fp8"}, "--kv-cache-dtype: expected auto, bfloat16"},
        {{"m", "--quantization", "awq"}, "--quantization: expected autoround"},
        {{"m", "--load-format", "gguf"}, "--load-format: expected auto, safetensors, dummy"},
        {{"m", "--tool-call-parser", "hermes"}, "--tool-call-parser: expected gemma4"},
        {{"m", "--reasoning-parser", "qwen3"}, "--reasoning-parser: expected gemma4"},
        {{"m", "--tensor-parallel-size", "2"}, "--tensor-parallel-size: expected 1, got \"2\""},
        {{"m", "-tp", "2"}, "--tensor-parallel-size: expected 1"},
        {{"m", "--ssl-keyfile", "k"}, "--ssl-keyfile: not supported: put a reverse proxy"},
        {{"m", "--speculative-config", "{}"}, "--speculative-config: not supported"},
        {{"m", "--api-key", ""}, "--api-key: expected a key, got none"},
        {{"m", "--api-key"}, "--api-key: expected KEY..., got nothing"},
        {{"m", "--default-chat-template-kwargs", "{"},
         "--default-chat-template-kwargs: expected J"},
        {{"m", "--default-chat-template-kwargs", "[]"},
         "--default-chat-template-kwargs: expected a"},
        {{"m", "--default-chat-template-kwargs", R"({"chat_template":"x"})"},
         "--default-chat-template-kwargs.chat_template: expected a key that the template reads"},
        {{"m", "--default-chat-template-kwargs.enable_thinking=maybe"},
         "--default-chat-template-kwargs.enable_thinking: expected true or false"},
        {{"m", "--mm-processor-kwargs", R"({"max_soft_tokens":561})"},
         "--mm-processor-kwargs.max_soft_tokens: expected 70, 140, 280, 560 or 1120, got 561"},
        {{"m", "--mm-processor-kwargs", R"({"other":1})"}, "--mm-processor-kwargs.other: expected"},
        {{"m", "--enable-chunked-prefill=maybe"}, "--enable-chunked-prefill: expected true, false"},
        {{"m", "--port.x=1"}, "--port: expected no member behind the name, got .x"},
        {{"m", "--no-enable-chunked-prefill", "--max-num-batched-tokens", "16384",
          "--max-model-len", "18432"},
         "--max-num-batched-tokens: expected at least --max-model-len, 18432"},
        {{"m", "--allowed-origins", "[\"*\"]", "--allow-credentials"}, "--allow-credentials: "},
        {{"m", "--allowed-origins", "*"}, "--allowed-origins: expected JSON"},
        {{"m", "--allowed-origins", "[1]"}, "--allowed-origins: [0]: expected a text"}};
    for (const auto& [given, message] : table) {
        INFO("expected ", message, ", got ", refusal(given));
        CHECK(refusal(given).starts_with(message));
    }
}

TEST_CASE("options: the quantiser that is named must be the checkpoint's") {
    for (const char* name : {"autoround", "auto-round", "auto_round", "inc"}) {
        CHECK(parse({"m", "--quantization", name}).quantization == name);
        CHECK_NOTHROW(apps::check_quantization(name, "auto-round"));
        CHECK_THROWS_AS(apps::check_quantization(name, ""), input_error);
    }
    CHECK_NOTHROW(apps::check_quantization("gptq", "gptq"));
    CHECK_NOTHROW(apps::check_quantization("", "auto-round"));
    CHECK_THROWS_AS(apps::check_quantization("gptq", "auto-round"), input_error);
    CHECK_THROWS_AS(apps::check_quantization("gptq", ""), input_error);
}

TEST_CASE("options: --help names every flag once and needs no model") {
    std::string help;
    CHECK(apps::parse_serve_options(std::vector<std::string>{"-h"}, &help).help);
    for (const char* flag : {"--max-model-len N", "--[no-]enable-prefix-caching", "--api-key KEY",
                             "--device auto|cpu", "--mm-processor-kwargs JSON"}) {
        INFO("flag ", flag);
        const std::size_t at = help.find(std::string{"\n  "} + flag);
        REQUIRE(at != std::string::npos);
        CHECK(help.find(std::string{"\n  "} + flag, at + 1) == std::string::npos);
    }
}
