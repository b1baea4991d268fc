// Characters: reading them, what Python's str says of them, and the digest that names files.
#include "g4/text/unicode.hpp"
#include "g4/core/sha256.hpp"
#include <doctest/doctest.h>
#include <string>

using namespace g4;

TEST_CASE("utf8: every character is read as it is written") {
    for (char32_t value = 0; value < 0x110000; ++value) {
        if (value >= 0xD800 && value < 0xE000) continue;
        std::string text;
        append_utf8(text, value);
        const utf8_character read = read_utf8(text, 0);
        if (!read.valid || read.value != value || read.bytes != text.size())
            FAIL("U+" << static_cast<std::uint32_t>(value));
        if (text.size() > 1 && read_utf8(text.substr(0, text.size() - 1), 0).valid)
            FAIL("cut off: U+" << static_cast<std::uint32_t>(value));
    }
}

TEST_CASE("utf8: what is not well-formed is one byte that is not valid") {
    for (const char* text : {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80",
                             "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
        const utf8_character read = read_utf8(text, 0);
        CHECK_FALSE(read.valid);
        CHECK(read.bytes == 1);
        CHECK_FALSE(is_utf8(text));
    }
    CHECK(is_utf8("plain, caf\u00E9, \u65E5\u672C, \U0001F600"));
}

TEST_CASE("unicode: outer blanks are those of str.strip") {
    CHECK(without_outer_blanks(" \n\u00A0\u3000\x1C word word\u2028\u0085\t") == "word word");
    CHECK(without_outer_blanks("\u200Bword\uFEFF") == "\u200Bword\uFEFF");  // no blanks
    CHECK(without_outer_blanks(" \r\n ").empty());
    CHECK(without_outer_blanks("\x80 ") == "\x80");  // no character: kept as it is
}

TEST_CASE("unicode: cases are those of str.lower and str.upper") {
    CHECK(lower_case("ABC \u00C4\u00D6\u00DC \u0416 \u0130 \u01C5") ==
          "abc \u00E4\u00F6\u00FC \u0436 i\u0307 \u01C6");
    CHECK(upper_case("string, stra\u00DFe \u0149 \u0436") == "STRING, STRASSE \u02BCN \u0416");
    CHECK(lower_case("\xFF"
                     "A") ==
          "\xFF"
          "a");
}

TEST_CASE("unicode: printable is what repr shows as it is") {
    for (const char32_t value : {U'a', U' ', U'\u00E9', U'\u65E5', U'\U0001F600', U'\uFFFD'})
        CHECK(is_printable(value));
    for (const char32_t value :
         {U'\n', U'\u007F', U'\u00A0', U'\u00AD', U'\u200B', U'\u2028', U'\uFEFF', U'\U0010FFFF'})
        CHECK_FALSE(is_printable(value));
}

TEST_CASE("sha256: the standard's examples") {  // FIPS 180-2, appendix B, and the empty text
    CHECK(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK(sha256(std::string(1'000'000, 'a')) ==
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
