// g4-serve: serves a model folder over the OpenAI API.
#include "apps/serve/flag_groups.hpp"
#include "apps/serve/http.hpp"
#include "apps/serve/load.hpp"
#include "g4/serve/endpoints.hpp"
#include "g4/serve/run.hpp"
#include <chrono>
#include <cstdio>
#include <ctime>
#include <mutex>
#include <sys/resource.h>

namespace {
using namespace g4;

/// Lines with time and level on stderr, whole even when threads write at once.
logger make_log(const std::string& least_level) {
    const auto level_of = [](const std::string& name) {
        if (name == "debug" || name == "trace") return log_level::debug;
        if (name == "info") return log_level::info;
        return name == "warning" ? log_level::warning : log_level::error;
    };
    const auto lock = std::make_shared<std::mutex>();
    return logger{[least = level_of(least_level), lock](log_level level, const std::string& line) {
        if (level < least) return;
        constexpr const char* names[] = {"debug", "info", "warning", "error"};
        const std::time_t now = std::time(nullptr);
        std::tm parts{};
        localtime_r(&now, &parts);
        char time[16];
        std::strftime(time, sizeof time, "%H:%M:%S", &parts);
        const std::lock_guard held{*lock};
        std::fprintf(stderr, "%s %-7s %s\n", time, names[static_cast<int>(level)], line.c_str());
    }};
}

/// Every stream is an open file: as many as the system lets this process have.
void raise_file_limit(const logger& log) {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < 4096)
        log.warning("serve: at most ", static_cast<std::uint64_t>(limit.rlim_cur),
                    " files may be open, so fewer connections than that");
}

serve::http_options http_of(const apps::serve_options& options, const logger& log) {
    serve::http_options out;
    out.host = options.host;
    out.port = options.port;
    out.uds = options.uds;
    out.limits.body_bytes = static_cast<std::size_t>(options.max_body_bytes);
    out.log = log;
    return out;
}

serve::service_options service_of(const apps::serve_options& options, const logger& log) {
    serve::service_options out;
    out.api_keys = options.api_keys;
    out.allowed_origins = options.allowed_origins;
    out.allow_credentials = options.allow_credentials;
    out.log_requests = options.log_requests;
    out.log_answers = options.log_answers;
    out.force_usage = options.force_usage;
    out.seed = options.seed;
    out.version = G4_VERSION;
    out.log = log;
    return out;
}

void run(const apps::serve_options& options) {
    const auto started = std::chrono::steady_clock::now();
    const logger log = make_log(options.log_level);
    for (const std::string& note : options.notes) log.info(note);
    raise_file_limit(log);
    serve::endpoints* answers = nullptr;  // made last, and asked only once the server listens
    const auto http =
        apps::bind_http(http_of(options, log),
                        [&](std::shared_ptr<serve::exchange> to, serve::http_request&& request) {
                            answers->handle(std::move(to), std::move(request));
                        });
    apps::loaded_model loaded = apps::load_model(options, log);
    serve::service service{*loaded.runs, *http, std::move(loaded.served), service_of(options, log)};
    serve::endpoints made{service};
    answers = &made;
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - started);
    log.info("serve: ", service.model.names.front(), " is ready after ", took.count(), " ms on ",
             options.uds.empty() ? concat("http://", options.host, ':', http->port())
                                 : concat("unix:", options.uds));
    serve::serve_until_stopped(*http, service, options.shutdown_timeout);
    log.info("serve: ended");
}

}  // namespace

int main(int argc, char** argv) try {
    std::string help;
    const std::vector<std::string> words{argv + std::min(argc, 1), argv + argc};
    const auto options = apps::parse_serve_options(words, &help);
    if (options.help) std::fputs(help.c_str(), stdout);
    else if (options.version) std::puts("g4-serve " G4_VERSION);
    else run(options);
    return 0;
} catch (const g4::input_error& error) {
    std::fprintf(stderr, "g4-serve: %s\n", error.what());
    return 2;
} catch (const std::exception& error) {
    std::fprintf(stderr, "g4-serve: %s\n", error.what());
    return 1;
}
