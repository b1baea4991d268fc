// The one file of g4-serve that includes Beast.
#include "apps/serve/http.hpp"
#include "g4/serve/http/beast_server.hpp"
#include "g4/serve/request_error.hpp"

std::unique_ptr<g4::serve::http_server> g4::apps::bind_http(serve::http_options options,
                                                            serve::http_handler handler) {
    return serve::make_http_server(std::move(options), std::move(handler),
                                   [](int status, const std::string& message) {
                                       return serve::error_response(status, message);
                                   });
}
