// The command line of g4-bench: what each mode takes and refuses.
#include "apps/bench/options.hpp"
#include <doctest/doctest.h>

namespace {

using namespace g4;
using modes = apps::bench_options::mode;

apps::bench_options parse(std::vector<const char*> words) {
    return apps::parse_bench_options(words);
}
std::string refusal(std::vector<const char*> words) {
    try {
        parse(std::move(words));
    } catch (const input_error& error) {
        return error.what();
    }
    return "accepted";
}

}  // namespace

TEST_CASE("options: perplexity takes texts in order, a context and a stride") {
    const auto got = parse({"perplexity", "model", "--text", "a", "--text=b", "--context", "512",
                            "--stride", "256", "--logprobs", "out", "--device", "cpu"});
    CHECK(got.runs == modes::perplexity);
    CHECK(got.model_folder == "model");
    CHECK(got.texts == std::vector<std::string>{"a", "b"});
    CHECK(got.context == 512);
    CHECK(got.stride == 256);
    CHECK(got.logprobs_file == "out");
}

TEST_CASE("options: each mode refuses what belongs to another") {
    CHECK(refusal({"latency", "model", "--text", "a"}) ==
          "--text: expected perplexity, got latency");
    CHECK(refusal({"sweep", "model", "--stride", "2"}) ==
          "--stride: expected perplexity, got sweep");
    CHECK(refusal({"perplexity", "model", "--text", "a", "--breakdown"}) ==
          "--breakdown: expected latency or sweep, got perplexity");
    CHECK(refusal({"perplexity", "model", "--text", "a", "--load-format", "dummy"})
              .starts_with("--load-format: expected auto"));
    CHECK(refusal({"perplexity", "model"}).starts_with("--text: expected a file, got none"));
    CHECK(refusal({"perplexity", "--text", "a"}) == "expected a MODEL_DIR, got none");
    CHECK(refusal({"guess", "model"})
              .starts_with("expected latency, throughput, sweep or perplexity, got \"guess\""));
}

TEST_CASE("options: --help behind perplexity asks for its own help") {
    CHECK(parse({"perplexity", "--help"}).runs == modes::perplexity);
    CHECK(parse({"perplexity", "--help"}).help);
    CHECK(parse({"--help"}).runs == modes::latency);
}
