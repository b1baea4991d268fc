// What a request and an answer are to a handler: plain values, no HTTP library in sight.
#pragma once
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace g4::serve {

struct http_header {
    std::string name, value;
};

/// Names of headers are compared without case; ASCII only, as HTTP defines them.
inline bool same_header_name(std::string_view a, std::string_view b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [&](char x, char y) { return lower(x) == lower(y); });
}

struct http_request {
    std::string method;  // as on the wire: "POST"
    std::string path;    // without the query
    std::string query;   // behind the "?", may be empty
    std::vector<http_header> headers;
    std::string body;

    /// The first header of that name, empty when there is none.
    std::string_view header(std::string_view name) const {
        for (const http_header& h : headers)
            if (same_header_name(h.name, name)) return h.value;
        return {};
    }
};

struct http_response {
    int status = 200;
    std::string content_type = "application/json";  // empty: no such header
    std::vector<http_header> headers;               // besides type, length and connection
    std::string body;
};

/// The words behind a status code.
/// Source: RFC 9110, section 15; RFC 6585 (428, 429, 431).
inline std::string_view status_text(int status) {
    switch (status) {
        case 100: return "Continue";
        case 200: return "OK";
        case 204: return "No Content";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 408: return "Request Timeout";
        case 413: return "Content Too Large";
        case 417: return "Expectation Failed";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        case 503: return "Service Unavailable";
        case 505: return "HTTP Version Not Supported";
        default: return "Status";
    }
}

}  // namespace g4::serve
