// Keys, origins and labels: what a stranger must not get past.
#include "g4/serve/access.hpp"
#include <doctest/doctest.h>
#include <string>
#include <vector>

namespace {

using namespace g4::serve;

http_request with(std::string name, std::string value) {
    http_request out;
    out.headers.push_back({std::move(name), std::move(value)});
    return out;
}

std::string allowed_origin(const std::string& origin, const service_options& options) {
    for (const http_header& header : cors_headers(with("Origin", origin), options))
        if (header.name == "access-control-allow-origin") return header.value;
    return "";
}

}  // namespace

TEST_CASE("access: one of the keys as a bearer token, whole and exact") {
    const std::vector<std::string> keys{"alpha", "beta"};
    CHECK(authorised({}, {}));
    CHECK(authorised(with("Authorization", "Bearer alpha"), keys));
    CHECK(authorised(with("authorization", "bearer beta"), keys));
    for (const char* wrong : {"", "Bearer ", "Bearer alph", "Bearer alphaa", "Bearer Alpha",
                              "alpha", "Basic alpha", "Bearer  alpha", "Bearer alpha,beta"}) {
        INFO("header ", wrong);
        CHECK_FALSE(authorised(with("Authorization", wrong), keys));
    }
    CHECK_FALSE(authorised({}, keys));
}

TEST_CASE("access: only origins that were named get CORS headers, any only without credentials") {
    service_options options;
    CHECK(cors_headers(with("Origin", "http://a"), options).empty());
    options.allowed_origins = {"http://a"};
    options.allow_credentials = true;
    CHECK(allowed_origin("http://a", options) == "http://a");
    CHECK(allowed_origin("http://a.evil", options).empty());
    CHECK(allowed_origin("null", options).empty());
    options.allowed_origins = {"*"};
    CHECK(allowed_origin("http://b", options) == "*");
    for (const http_header& header : cors_headers(with("Origin", "http://b"), options))
        CHECK(header.name != "access-control-allow-credentials");
}

TEST_CASE("access: a client's request id is echoed only when it is harmless") {
    CHECK(request_label(with("X-Request-Id", "a-b_c.9")) == "a-b_c.9");
    CHECK(request_label(with("x-request-id", "a b")).empty());
    CHECK(request_label(with("x-request-id", "a\"b")).empty());
    CHECK(request_label(with("x-request-id", std::string(129, 'a'))).empty());
    CHECK(request_label({}).empty());
}
