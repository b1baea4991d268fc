// A program that encodes and decodes line by line, for tests that compare with another tokenizer.
//
//   g4-tokenize-lines TOKENIZER_JSON     reads requests, one a line, and answers each with a line
//     encode HEX        ids of the UTF-8 text, special tokens recognised
//     text HEX          ids, special tokens as text
//     pieces KHEX …     ids of pieces; K is m for markup, t for text
//     decode ID …       text as HEX, special tokens left out; also streamed, and both must agree
//     decode-all ID …   the same with special tokens
#include "g4/text/text.hpp"
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

std::string from_hex(std::string_view digits) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
        bytes += static_cast<char>(std::stoi(std::string{digits.substr(i, 2)}, nullptr, 16));
    return bytes;
}

std::string to_hex(std::string_view bytes) {
    std::string digits;
    for (const char byte : bytes) {
        const auto value = static_cast<unsigned char>(byte);
        digits += "0123456789abcdef"[value >> 4];
        digits += "0123456789abcdef"[value & 15];
    }
    return digits;
}

std::string listed(const std::vector<std::int32_t>& ids) {
    std::string line;
    for (const std::int32_t id : ids) line += g4::concat(line.empty() ? "" : " ", id);
    return line;
}

std::string decoded(const g4::tokenizer& tokens, std::istream& request, bool skip_special) {
    std::vector<std::int32_t> ids;
    for (std::int32_t id; request >> id;) ids.push_back(id);
    const std::string whole = tokens.decode(ids, skip_special);
    g4::detokenizer stream{tokens, skip_special};
    std::string streamed;
    for (const std::int32_t id : ids) streamed += stream.push(id);
    streamed += stream.finish();
    return whole == streamed ? to_hex(whole) : "the stream differs: " + to_hex(streamed);
}

std::string answer(const g4::tokenizer& tokens, const std::string& line) {
    std::istringstream request{line};
    std::string what, hex;
    request >> what;
    if (what == "encode" || what == "text") {
        request >> hex;
        return listed(tokens.encode(from_hex(hex), what == "encode" ? g4::special_tokens::recognised
                                                                    : g4::special_tokens::as_text));
    }
    if (what == "pieces") {
        std::vector<g4::text_piece> pieces;
        while (request >> hex)
            pieces.push_back({from_hex(std::string_view{hex}.substr(1)), hex[0] == 'm'});
        return listed(tokens.encode(pieces));
    }
    if (what == "decode" || what == "decode-all") return decoded(tokens, request, what == "decode");
    throw g4::input_error{"request: expected encode, text, pieces, decode or decode-all, got ",
                          what};
}

}  // namespace

int main(int count, char** arguments) try {
    if (count != 2) {
        std::cerr << "usage: g4-tokenize-lines TOKENIZER_JSON\n";
        return 2;
    }
    const g4::tokenizer tokens = g4::tokenizer::load(arguments[1]);
    for (std::string line; std::getline(std::cin, line);) std::cout << answer(tokens, line) << '\n';
    return 0;
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
