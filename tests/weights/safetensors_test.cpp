// Malformed files: each is refused with an error that names the file, the tensor and the numbers.
#include "g4/weights/safetensors.hpp"
#include "tests/support/safetensors_writer.hpp"
#include <doctest/doctest.h>
#include <span>
#include <string>
#include <vector>

namespace {

using namespace g4;
using namespace g4::testing;

std::vector<stored_tensor> parse(std::string_view file, const safetensors_limits& limits = {}) {
    return parse_safetensors(std::as_bytes(std::span{file}), "f.safetensors", limits);
}
std::string error_of(std::string_view file, const safetensors_limits& limits = {}) {
    return input_error_of([&] { parse(file, limits); });
}
/// A header of one entry "t" over so many bytes of data.
std::string one(std::string_view entry, std::size_t data_bytes) {
    return error_of(safetensors_bytes(concat("{\"t\":", entry, "}"), std::string(data_bytes, 'x')));
}
std::string offsets(std::string_view pair, std::size_t data_bytes) {
    return one(concat(R"({"dtype":"U8","shape":[4],"data_offsets":)", pair, "}"), data_bytes);
}
std::string two(std::string_view first, std::string_view second, std::size_t data_bytes) {
    const std::string header =
        concat(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)", first,
               R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)", second, "}}");
    return error_of(safetensors_bytes(header, std::string(data_bytes, 'x')));
}

}  // namespace

TEST_CASE("safetensors: a right file gives names, types, shapes and bytes in the order of data") {
    safetensors_writer written;
    written.set("b", "F32", {2, 3}, std::string(24, 'b'));
    written.set("a", "BF16", {}, "aa");
    written.set("none", "F16", {0, 9223372036854775807}, std::string{});
    written.set("half", "F4", {2}, "h");
    const std::string file = written.bytes();
    const std::vector<stored_tensor> read = parse(file);
    REQUIRE(read.size() == 4);
    CHECK(read[0].name == "b");
    CHECK(read[0].type() == dtype::f32);
    CHECK(read[0].shape == std::vector<std::int64_t>{2, 3});
    CHECK(read[0].data.size() == 24);
    CHECK(read[0].data[0] == std::byte{'b'});
    CHECK(read[0].file == "f.safetensors");
    CHECK(read[1].shape.empty());
    CHECK(read[2].data.empty());
    CHECK_FALSE(read[3].type().has_value());
    CHECK(parse(safetensors_bytes("{}", "")).empty());
}

TEST_CASE("safetensors: a header that is cut, too long or no header is refused") {
    CHECK(error_of("") == "f.safetensors: expected 8 bytes of header length, got 0 bytes");
    CHECK(error_of("1234567") == "f.safetensors: expected 8 bytes of header length, got 7 bytes");
    CHECK(error_of(safetensors_bytes("{}", "").substr(0, 9)) ==
          "f.safetensors: expected a header of 2 bytes, got a file of 9 bytes; it is cut short");
    CHECK(error_of(std::string(16, '\xff')) ==
          "f.safetensors: expected a header of at most 100000000 bytes, got 18446744073709551615; "
          "is it a safetensors file?");
    CHECK(
        error_of(safetensors_bytes("{          }", ""), {.header_bytes = 11}) ==
        "f.safetensors: expected a header of at most 11 bytes, got 12; is it a safetensors file?");
    CHECK(error_of(safetensors_bytes("", "")) ==
          "f.safetensors: expected a header that starts with {, got \"\"");
    CHECK(error_of(safetensors_bytes("[\x01]", "")) ==
          "f.safetensors: expected a header that starts with {, got \"[\\x01]\"");
    CHECK(error_of("version https://git-lfs.github.com/spec/v1\noid sha256:00\n") ==
          "f.safetensors: expected safetensors, got a git-lfs pointer; "
          "fetch the file itself with git lfs pull");
}

TEST_CASE("safetensors: a header that is not JSON of the right kind is refused") {
    CHECK(error_of(safetensors_bytes("{\"a\"", "")).find("header: expected JSON, got") !=
          std::string::npos);
    CHECK(error_of(safetensors_bytes("{}{}", "")).find("extra data") != std::string::npos);
    CHECK(error_of(safetensors_bytes("{\"a\xff\":1}", "")).find("expected JSON") !=
          std::string::npos);
    std::string deep = "{\"a\":" + std::string(50000, '[') + std::string(50000, ']') + "}";
    CHECK(error_of(safetensors_bytes(deep, "")).find("header: expected JSON, got") !=
          std::string::npos);
    CHECK(error_of(safetensors_bytes("{\"__metadata__\":{\"a\":1}}", "")) ==
          "f.safetensors: __metadata__.a: expected a text, got 1");
    CHECK(one("7", 0) == "f.safetensors: t: expected an object, got 7");
    CHECK(one("{}", 0) == "f.safetensors: t: expected the key dtype, got none");
    CHECK(one(R"({"dtype":1,"shape":[],"data_offsets":[0,0]})", 0) ==
          "f.safetensors: t.dtype: expected a text, got 1");
    CHECK(one(R"({"dtype":"U8","shape":"4","data_offsets":[0,4]})", 4) ==
          "f.safetensors: t.shape: expected a list, got \"4\"");
    CHECK(one(R"({"dtype":"U8","shape":[4],"data_offsets":[0,4],"device":"cuda"})", 4) ==
          "f.safetensors: t.device: expected dtype, shape and data_offsets, got device");
}

TEST_CASE("safetensors: shapes that are negative, broken or overflow are refused") {
    const auto shape = [](std::string_view axes) {
        return one(concat(R"({"dtype":"F32","shape":)", axes, R"(,"data_offsets":[0,4]})"), 4);
    };
    CHECK(shape("[-1]") ==
          "f.safetensors: t.shape[0]: expected an integer from 0 to 9223372036854775807, got -1");
    CHECK(shape("[1.5]").starts_with("f.safetensors: t.shape[0]: expected an integer"));
    CHECK(shape("[18446744073709551617]").find("expected an integer") != std::string::npos);
    CHECK(shape("[4294967296, 4294967296]") ==
          "f.safetensors: t: expected a shape that fits a file, got [4294967296, 4294967296]");
    CHECK(shape("[4611686018427387904]").find("expected a shape that fits") != std::string::npos);
    CHECK(shape("[1,1,1,1,1,1,1,1,1]") ==
          "f.safetensors: t.shape: expected at most 8 axes, got a list of 9");
    CHECK(shape("[2]") == "f.safetensors: t: expected 8 bytes for F32 [2], got 4");
    CHECK(one(R"({"dtype":"F4","shape":[3],"data_offsets":[0,1]})", 1).find("expected 1 bytes") !=
          std::string::npos);
}

TEST_CASE("safetensors: offsets in disorder, overlaps, gaps and cut data are refused") {
    CHECK(offsets("[0]", 4) ==
          "f.safetensors: t.data_offsets: expected two offsets, got a list of 1");
    CHECK(offsets("[4,0]", 4) == "f.safetensors: t: expected data_offsets in order, got 4 and 0");
    CHECK(offsets("[-4,0]", 4).find("expected an integer from 0") != std::string::npos);
    CHECK(offsets("[9223372036854775803,9223372036854775807]", 4).find("belong to no tensor") !=
          std::string::npos);
    CHECK(offsets("[0,4]", 3) ==
          "f.safetensors: t: expected data up to byte 4, got a file with 3; it is cut short");
    CHECK(
        offsets("[1,5]", 5) ==
        "f.safetensors: t: expected data at byte 0, got 1; the bytes between belong to no tensor");
    CHECK(
        offsets("[0,4]", 5) ==
        "f.safetensors: expected 4 bytes of data, got 5; the bytes at the end belong to no tensor");
    CHECK(two("[0,4]", "[2,6]", 6) ==
          "f.safetensors: b: expected data at byte 4, got 2; it overlaps the tensor before it");
    CHECK(two("[0,4]", "[0,4]", 4).find("overlaps") != std::string::npos);
    CHECK(two("[0,4]", "[5,9]", 9).find("the bytes between belong to no tensor") !=
          std::string::npos);
    CHECK(two("[4,8]", "[0,4]", 8) == "no error");
}

TEST_CASE("safetensors: names that are empty, too long or there twice are refused") {
    const std::string entry = R"({"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
    const auto named = [&](const std::string& name) {
        return error_of(safetensors_bytes("{\"" + name + "\":" + entry + "}", ""));
    };
    CHECK(named("").find("expected a name of 1 to 1024 bytes, got 0") != std::string::npos);
    CHECK(named(std::string(1025, 'n')).find("got 1025") != std::string::npos);
    CHECK(named("line\\nbreak") == "no error");
    CHECK(error_of(safetensors_bytes("{\"t\":" + entry + ",\"t\":" + entry + "}", "")) ==
          "f.safetensors: header: expected each key once, got t twice");
    CHECK(error_of(safetensors_bytes("{\"t\":" + entry + ",\"\\u0074\":" + entry + "}", ""))
              .find("got t twice") != std::string::npos);
    CHECK(error_of(safetensors_bytes(
                       R"({"t":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}})", ""))
              .find("got dtype twice") != std::string::npos);
}
