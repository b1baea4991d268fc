// g4-null-server: the whole server on an executor without a model, for tests that drive a running
// server from outside and for measuring what the server itself costs.
#include "tests/support/null_server.hpp"
#include "g4/serve/http/beast_server.hpp"
#include "g4/serve/run.hpp"
#include <charconv>
#include <cstdio>
#include <exception>
#include <map>
#include <string>

namespace {

using g4::testing::null_server_options;

constexpr const char* usage =
    "usage: g4-null-server [--port N] [--step-us N] [--sequences N] [--max-model-len N]\n"
    "                      [--max-waiting N] [--workers N] [--fails-at-step N] [--load 1]\n"
    "                      [--api-key KEY] [--shutdown-ms N] [--unsent-bytes N]\n"
    "A chat answer repeats the user's last message; see tests/support/null_server.hpp.\n";

struct settings {
    null_server_options server;
    g4::serve::http_options http;
    std::chrono::milliseconds shutdown{5000};
};

settings parse(int argc, char** argv) {
    std::map<std::string, std::string> given;
    for (int i = 1; i + 1 < argc; i += 2) given[argv[i]] = argv[i + 1];
    if (argc % 2 == 0) throw g4::input_error{"expected pairs of flag and value\n", usage};
    const auto number = [&](const char* flag, auto otherwise) {
        const auto found = given.extract(flag);
        if (found.empty()) return otherwise;
        std::int64_t value = 0;
        const std::string& text = found.mapped();
        const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
        if (end.ec != std::errc{} || end.ptr != text.data() + text.size())
            throw g4::input_error{flag, ": expected a number, got ", text};
        return static_cast<decltype(otherwise)>(value);
    };
    settings out;
    out.http.host = "127.0.0.1";
    out.http.port = number("--port", std::uint16_t{0});
    out.http.limits.unsent_stream_bytes =
        number("--unsent-bytes", out.http.limits.unsent_stream_bytes);
    out.server.step_time = std::chrono::microseconds{number("--step-us", std::int64_t{0})};
    out.server.sequences = number("--sequences", out.server.sequences);
    out.server.max_model_len = number("--max-model-len", out.server.max_model_len);
    out.server.max_waiting = number("--max-waiting", out.server.max_waiting);
    out.server.fails_at_step = number("--fails-at-step", out.server.fails_at_step);
    out.server.for_load = number("--load", 0) != 0;
    out.server.service.workers = number("--workers", 2);
    out.shutdown = std::chrono::milliseconds{number("--shutdown-ms", std::int64_t{5000})};
    if (const auto key = given.extract("--api-key"); !key.empty())
        out.server.service.api_keys.push_back(key.mapped());
    if (!given.empty()) throw g4::input_error{given.begin()->first, ": no such flag\n", usage};
    out.server.service.log_answers = false;
    out.server.service.log = out.http.log = g4::logger{
        [](g4::log_level, const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); }};
    return out;
}

}  // namespace

int main(int argc, char** argv) {
    using namespace g4::serve;
    try {
        const settings asked = parse(argc, argv);
        endpoints* answers = nullptr;
        const auto http = make_http_server(
            asked.http,
            [&](std::shared_ptr<exchange> to, http_request&& request) {
                answers->handle(std::move(to), std::move(request));
            },
            [](int status, const std::string& message) { return error_response(status, message); });
        g4::testing::null_server server{*http, asked.server};
        answers = &server.endpoints();
        http->post([&] {  // runs behind listen()
            std::printf("listening on http://127.0.0.1:%d\n", http->port());
            std::fflush(stdout);
        });
        serve_until_stopped(*http, server.service(), asked.shutdown);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "g4-null-server: %s\n", error.what());
        return 1;
    }
}
