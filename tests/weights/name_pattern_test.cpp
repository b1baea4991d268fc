// The pattern language: what matches, what is refused, and that no pattern takes long.
#include "g4/weights/name_pattern.hpp"
#include "tests/support/safetensors_writer.hpp"
#include <doctest/doctest.h>
#include <string>

namespace {

using g4::name_pattern;

bool search(std::string_view pattern, std::string_view name) {
    return name_pattern{pattern}.found_in(name);
}
bool whole(std::string_view pattern, std::string_view name) {
    return name_pattern{pattern}.matches(name);
}
std::string refused(std::string_view pattern) {
    return g4::testing::input_error_of([&] { name_pattern{pattern}; });
}

}  // namespace

// Expected values: python3 -c 'import re; print(bool(re.search(p, s)))' for each pair.
TEST_CASE("pattern: matches as Python's re does") {
    const std::string name = "model.language_model.layers.12.self_attn.q_proj";
    CHECK(search("q_proj", name));
    CHECK(search("q_proj$", name));
    CHECK_FALSE(search("^q_proj", name));
    CHECK(search("layers\\.(\\d+)\\.self_attn", name));
    CHECK_FALSE(search("layers\\.[3-9]\\.", name));
    CHECK(search("layers\\.1[0-4]\\..*_proj", name));
    CHECK(search("(?:q|k|v)_proj", name));
    CHECK(search("(?P<kind>q|k)_proj", name));
    CHECK(search("", name));
    CHECK(search("^(?!.*vision).*q_proj", name));
    CHECK_FALSE(search("^(?!.*attn).*q_proj", name));
    CHECK(search("layers(?=\\.12)", name));
    CHECK_FALSE(search("layers(?=\\.13)", name));
    CHECK(search("\\bq_proj\\b", name));
    CHECK_FALSE(search("\\bproj", name));
    CHECK(search("\\Bproj", name));
    CHECK(whole("[^.]+(\\.[^.]+){5}", name));
    CHECK_FALSE(whole("[^.]+(\\.[^.]+){4}", name));
    CHECK(whole(".{47}", name));
    CHECK(whole(".{40,}", name));
    CHECK_FALSE(whole(".{1,46}", name));
    CHECK(whole("a{2,3}", "aaa"));
    CHECK_FALSE(whole("a{2,3}", "aaaa"));
    CHECK(whole("a{,2}", "aa"));
    CHECK(whole("a{x}", "a{x}"));
    CHECK(whole("x*?y+?z??", "xxyyz"));
    CHECK(whole("[]a-c\\d-]+", "]b7-"));
    CHECK_FALSE(whole("[^\\w]", "a"));
    CHECK(whole("a||b", ""));
    CHECK(whole("(a*)*b", "aaab"));
    CHECK(whole("\\.\\*\\-\\/", ".*-/"));
    CHECK_FALSE(whole(".", "\n"));
    CHECK(name_pattern{"model"}.starts(name));
    CHECK_FALSE(name_pattern{"language"}.starts(name));
}

TEST_CASE("pattern: what is not understood is refused with its place") {
    CHECK(refused("a(b") == "pattern a(b: expected a ) for each ( at byte 3");
    CHECK(refused("a)b") == "pattern a)b: expected a ( for each ) at byte 1");
    for (const char* bad :
         {"[a", "[a\\", "[z-a]", "*a", "a**", "a*+", "\\1", "\\q", "a\\", "(?<=a)b", "(?i)a",
          "(?P=a)", "(?=a(?=b))", "a{5,2}", "a{2000}", "((((((a{9}){9}){9}){9}){9}){9}"})
        CHECK_MESSAGE(refused(bad).starts_with("pattern "), bad);
    CHECK(refused(std::string(2000, '(')).find("at most 1024 bytes") != std::string::npos);
    CHECK(refused(std::string(1000, '(')).find("at most 32 groups") != std::string::npos);
}

// A backtracking matcher needs 2^300 steps for these; this one some 10^6.
TEST_CASE("pattern: patterns that send a backtracking matcher astray come to an end") {
    const std::string name(300, 'a');
    for (const char* pattern : {"(a+)+b", "(a|a)*b", "(.*)*x", "(a*)*(a*)*(a*)*b",
                                "(?!(a+)+b)(a|aa)+c", "(?:(?=(a*)*b)a)*c"})
        CHECK_FALSE(search(pattern, name));
}
