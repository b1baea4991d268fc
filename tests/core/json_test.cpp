// What reading JSON from outside accepts, and how its errors name the place.
#include "g4/core/json.hpp"
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace {

std::string message_of(auto&& action) {
    try {
        action();
    } catch (const g4::input_error& caught) {
        return caught.what();
    }
    return "no error";
}

g4::json_limits depth(std::size_t most) { return {.depth = most}; }

const boost::json::value sample = g4::parse_json(
    R"({"a": {"b": [1, 2.0, "x", null, true, 1e300]}, "n": null, "big": 18446744073709551615})",
    "s");

}  // namespace

TEST_CASE("json: a typed access returns the value and walks objects and lists") {
    const g4::json_view root{sample, "s.json"};
    const auto list = root["a"]["b"].elements();
    REQUIRE(list.size() == 6);
    CHECK(list[0].integer() == 1);
    CHECK(list[1].integer() == 2);
    CHECK(list[1].number() == 2.0);
    CHECK(list[2].text() == "x");
    CHECK(list[4].boolean());
    CHECK(list[5].number() == 1e300);
    CHECK_FALSE(root.has("n"));
    CHECK_FALSE(root.has("absent"));
    CHECK(root.members()[0].first == "a");
    CHECK(list[2].where() == "s.json: a.b[2]");
}

TEST_CASE("json: an error of access names file, path, what was expected and what was found") {
    const g4::json_view root{sample, "s.json"};
    const auto list = root["a"]["b"].elements();
    CHECK(message_of([&] { root["c"]; }) == "s.json: expected the key c, got none");
    CHECK(message_of([&] { root["a"]["c"]; }) == "s.json: a: expected the key c, got none");
    CHECK(message_of([&] { root["a"].text(); }) ==
          "s.json: a: expected a text, got an object of 1 keys");
    CHECK(message_of([&] { list[0]["k"]; }) == "s.json: a.b[0]: expected an object, got 1");
    CHECK(message_of([&] { list[2].integer(1, 9); }) ==
          "s.json: a.b[2]: expected an integer from 1 to 9, got \"x\"");
    CHECK(message_of([&] { list[0].integer(2, 9); }) ==
          "s.json: a.b[0]: expected an integer from 2 to 9, got 1");
    CHECK(message_of([&] { list[5].integer(); }).ends_with("got 1E300"));
    CHECK(message_of([&] { root["big"].integer(); }).ends_with("got 18446744073709551615"));
    CHECK(message_of([&] { list[3].boolean(); }) ==
          "s.json: a.b[3]: expected true or false, got null");
    CHECK(message_of([&] { list[4].number(); }) == "s.json: a.b[4]: expected a number, got true");
    CHECK(message_of([&] { root["a"].elements(); }).find("expected a list") != std::string::npos);
    CHECK(message_of([&] { list[0].members(); }).find("expected an object") != std::string::npos);
}

TEST_CASE("json: a syntax error names line, column and byte") {
    const std::string text = message_of([] { g4::parse_json("{\"a\": 1,\n  nope}", "f.json"); });
    CHECK(text.starts_with("f.json: expected JSON, got "));
    CHECK(text.ends_with("at line 2, column 3 (byte 11)"));
    for (const char* bad :
         {"", "{", "[1,]", "{\"a\":1} x", "\"\xff\"", "nul", "[1", "NaN", "\"\\ud800\""})
        CHECK_MESSAGE(message_of([&] { g4::parse_json(bad, "f"); }) != "no error", bad);
}

TEST_CASE("json: depth and size are limited") {
    const std::string deep(100000, '[');
    CHECK(
        message_of([&] { g4::parse_json(deep, "deep"); }).starts_with("deep: expected JSON, got"));
    CHECK(message_of([&] { g4::parse_json("[[[1]]]", "deep", depth(2)); }) != "no error");
    CHECK(message_of([&] { g4::parse_json("[[[1]]]", "deep", depth(3)); }) == "no error");
    CHECK(message_of([&] { g4::parse_json("[1, 2]", "long", {.bytes = 5}); }) ==
          "long: expected at most 5 bytes of JSON, got 6");
}

TEST_CASE("json: a file is read whole, and what is no file is refused") {
    const auto folder = std::filesystem::temp_directory_path() /
                        g4::concat("g4_json_test_", static_cast<long>(getpid()));
    std::filesystem::create_directories(folder);
    std::ofstream{folder / "ok.json"} << "{\"a\": 1}";
    const boost::json::value read = g4::read_json(folder / "ok.json");
    CHECK(g4::json_view{read, "ok.json"}["a"].integer() == 1);
    CHECK(message_of([&] {
              g4::read_json(folder / "none.json");
          }).ends_with("got nothing of that name"));
    CHECK(message_of([&] { g4::read_json(folder); }).ends_with("got a folder"));
    CHECK(message_of([&] { g4::read_json("/dev/zero"); }).ends_with("got a special file"));
    CHECK(message_of([&] {
              g4::read_file(folder / "ok.json", 3);
          }).ends_with("at most 3 bytes, got 8"));
    std::filesystem::remove_all(folder);
}

TEST_CASE("json: text shown in an error has no control characters and is cut between characters") {
    CHECK(g4::printable("a\nb\x1b[0m") == "a\\x0ab\\x1b[0m");
    CHECK(g4::printable("abc", 2) == "ab…");
    CHECK(g4::printable("a\xc3\xa9z", 2) == "a…");
}
