// The JSON that answers are written in reads back as what was meant.
#include "g4/serve/json_writer.hpp"
#include <boost/json.hpp>
#include <doctest/doctest.h>
#include <limits>
#include <string>

using g4::serve::json_writer;

TEST_CASE("json_writer: every byte of a text reads back") {
    std::string all;
    for (int c = 0; c < 128; ++c) all += static_cast<char>(c);
    all += "é日🙂";
    json_writer out;
    out.begin_object().key(all).text(all).end_object();
    const auto parsed = boost::json::parse(out.view()).as_object();
    CHECK(parsed.begin()->key() == all);
    CHECK(parsed.begin()->value().as_string() == all);
}

TEST_CASE("json_writer: commas stand between members and elements and nowhere else") {
    json_writer out;
    out.begin_object().key("a").begin_array().number(1).begin_array().end_array().null();
    out.begin_object().end_object().end_array().key("b").boolean(true).key("c").raw("[2]");
    out.end_object();
    CHECK(out.view() == R"({"a":[1,[],null,{}],"b":true,"c":[2]})");
}

TEST_CASE("json_writer: a float has the shortest digits that read back, and no infinity") {
    json_writer out;
    out.begin_array().number(0.1f).number(-1.5).number(std::numeric_limits<float>::infinity());
    out.number(std::int64_t{-9007199254740993}).end_array();
    CHECK(out.view() == "[0.1,-1.5,null,-9007199254740993]");
}

TEST_CASE("json_writer: a reopened object goes on where it was left") {
    json_writer beginning;
    beginning.begin_object().key("id").text("x");
    json_writer out;
    out.reopen_object(beginning.take()).key("n").number(1).end_object();
    CHECK(out.take() == R"({"id":"x","n":1})");
    CHECK(out.begin_array().end_array().view() == "[]");
}
