// Who may ask: API keys, and which web pages may (CORS).
#pragma once
#include "g4/serve/http/message.hpp"
#include "g4/serve/service.hpp"
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace g4::serve {

/// Takes as long for a wrong key as for a right one of the same length.
inline bool same_secret(std::string_view a, std::string_view b) {
    unsigned char differs = a.size() == b.size() ? 0 : 1;
    for (std::size_t i = 0; i < b.size(); ++i)
        differs = static_cast<unsigned char>(differs |
                                             (static_cast<unsigned char>(i < a.size() ? a[i] : 0) ^
                                              static_cast<unsigned char>(b[i])));
    return differs == 0;
}

/// Whether the request carries one of the keys as a bearer token (or none is asked for).
inline bool authorised(const http_request& request, const std::vector<std::string>& keys) {
    if (keys.empty()) return true;
    std::string_view given = request.header("authorization");
    constexpr std::string_view scheme = "bearer ";
    if (given.size() < scheme.size() || !same_header_name(given.substr(0, scheme.size()), scheme))
        return false;
    given.remove_prefix(scheme.size());
    bool known = false;
    for (const std::string& key : keys) known = same_secret(given, key) || known;
    return known;
}

/// The headers that let a browser read the answer; none for an origin that is not allowed.
inline std::vector<http_header> cors_headers(const http_request& request,
                                             const service_options& options) {
    const std::string origin{request.header("origin")};
    if (origin.empty() || options.allowed_origins.empty()) return {};
    const auto& allowed = options.allowed_origins;
    const bool any = std::find(allowed.begin(), allowed.end(), "*") != allowed.end();
    if (!any && std::find(allowed.begin(), allowed.end(), origin) == allowed.end())
        return {{"vary", "origin"}};
    std::vector<http_header> out;
    // any origin together with credentials would open the server to every page a user visits
    out.push_back({"access-control-allow-origin", any ? "*" : origin});
    if (!any) out.push_back({"vary", "origin"});
    if (!any && options.allow_credentials)
        out.push_back({"access-control-allow-credentials", "true"});
    return out;
}

/// The client's own x-request-id when it is a harmless label; it names nothing in the server.
inline std::string request_label(const http_request& request) {
    const std::string_view given = request.header("x-request-id");
    const auto harmless = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               c == '-' || c == '_' || c == '.';
    };
    const bool fits =
        !given.empty() && given.size() <= 128 && std::all_of(given.begin(), given.end(), harmless);
    return fits ? std::string{given} : std::string{};
}

}  // namespace g4::serve
