// A key that stands twice in one object is found at any depth; equal keys elsewhere are not.
#include "g4/core/json_keys.hpp"
#include "tests/support/safetensors_writer.hpp"
#include <doctest/doctest.h>

namespace {

std::string error_of(std::string_view text) {
    return g4::testing::input_error_of([&] { g4::refuse_duplicate_keys(text, "f.json"); });
}

}  // namespace

TEST_CASE("json_keys: a key that stands twice in one object is named") {
    CHECK(error_of(R"({"a": 1, "b": 2, "a": 3})") == "f.json: expected each key once, got a twice");
    CHECK(error_of(R"([{"x": {"deep": [{"k": 1, "k": 1}]}}])").find("got k twice") !=
          std::string::npos);
    CHECK(error_of(R"({"é": 1, "\u00e9": 2})").find("got é twice") != std::string::npos);
    CHECK(error_of(R"({"": 1, "": 2})") == "f.json: expected each key once, got  twice");
}

TEST_CASE("json_keys: equal keys of different objects are free") {
    CHECK(error_of(R"({"a": {"a": 1}, "b": {"a": 2}, "c": [{"a": 3}, {"a": 4}]})") == "no error");
    CHECK(error_of(R"({"a": "a", "A": 1, "a ": 1})") == "no error");
    CHECK(error_of("[]") == "no error");
}
