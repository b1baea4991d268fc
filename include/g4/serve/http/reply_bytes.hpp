// The bytes of an answer's head and of the pieces of a chunked body.
// Source: RFC 9112, sections 4 to 7.
#pragma once
#include "g4/core/error.hpp"
#include "g4/serve/http/message.hpp"
#include <charconv>
#include <ctime>
#include <string>
#include <string_view>

namespace g4::serve {

/// How the end of a body is told to the client.
enum class body_framing {
    length,   // content-length
    chunked,  // transfer-encoding: chunked
    close     // the end of the connection; for HTTP/1.0 clients and streams
};

/// "Tue, 24 Nov 2026 10:00:00 GMT"
inline std::string http_date(std::time_t now) {
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[40];
    return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

inline std::string head_bytes(const http_response& response, body_framing framing, bool keep_alive,
                              std::string_view date) {
    std::string out = concat("HTTP/1.1 ", response.status, ' ', status_text(response.status),
                             "\r\nserver: g4\r\ndate: ", date, "\r\n");
    if (!response.content_type.empty())
        out += concat("content-type: ", response.content_type, "\r\n");
    for (const http_header& h : response.headers) out += concat(h.name, ": ", h.value, "\r\n");
    if (framing == body_framing::chunked) out += "transfer-encoding: chunked\r\n";
    else if (framing == body_framing::length && response.status != 204)
        out += concat("content-length: ", response.body.size(), "\r\n");
    out += keep_alive ? "connection: keep-alive\r\n\r\n" : "connection: close\r\n\r\n";
    return out;
}

/// One chunk behind what `out` holds. An empty piece adds nothing: it would end the body.
inline void append_chunk(std::string& out, std::string_view piece) {
    if (piece.empty()) return;
    char digits[16];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, piece.size(), 16).ptr);
    out += "\r\n";
    out += piece;
    out += "\r\n";
}

inline constexpr std::string_view last_chunk = "0\r\n\r\n";

}  // namespace g4::serve
