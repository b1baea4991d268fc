// The HTTP server of g4-serve, declared apart from Beast, which takes long to compile.
#pragma once
#include "g4/serve/http/server.hpp"
#include <memory>

namespace g4::apps {

/// Binds the addresses; a port that is taken shows before the model is loaded.
/// Errors: input_error that names the flag.
std::unique_ptr<serve::http_server> bind_http(serve::http_options options,
                                              serve::http_handler handler);

}  // namespace g4::apps
