// The life of a running server: listen, serve, and on a signal finish what runs and go; go too when
// the engine has failed.
#pragma once
#include "g4/serve/http/server.hpp"
#include "g4/serve/service.hpp"
#include <chrono>
#include <functional>
#include <memory>
#include <utility>

namespace g4::serve {

/// Drains a server: readiness turns false at once, what runs may finish, what is left is ended.
class drain : public std::enable_shared_from_this<drain> {
  public:
    drain(http_server& server, service& of, std::chrono::milliseconds timeout)
        : server_{server}, service_{of}, timeout_{timeout} {}

    /// A signal came; a second one ends the server at once. On the loop.
    void signal() {
        if (std::exchange(service_.draining, true)) return server_.stop();
        service_.options.log.info("serve: finishing ", server_.running_exchanges(),
                                  " running requests, for at most ", timeout_.count(), " ms");
        go(timeout_);
    }
    /// The engine has failed, and who waited for it has been told: nothing is left to finish but
    /// to let them read that. On the loop.
    void engine_failed() {
        service_.draining = ended_ = true;
        go(std::chrono::milliseconds{0});
    }

  private:
    void go(std::chrono::milliseconds timeout) {
        end_by_ = std::chrono::steady_clock::now() + timeout;
        server_.close_idle();
        look();
    }
    void look() {
        if (server_.running_exchanges() == 0) return server_.stop();
        const auto now = std::chrono::steady_clock::now();
        if (now >= end_by_ + last_words) return server_.stop();
        if (now >= end_by_ && !std::exchange(ended_, true))
            service_.end_all("request: the server was shut down before it was finished");
        server_.after(std::chrono::milliseconds{20}, [self = shared_from_this()] { self->look(); });
    }

    static constexpr std::chrono::milliseconds last_words{1000};  // for the ended to be told

    http_server& server_;
    service& service_;
    std::chrono::milliseconds timeout_;
    std::chrono::steady_clock::time_point end_by_{};
    bool ended_ = false;
};

/// Listens and runs the loop on this thread until SIGTERM or SIGINT, and until what runs then is
/// finished or `shutdown` is over.
/// Errors: device_error when the engine failed; its requests were answered, in words, before.
inline void serve_until_stopped(http_server& server, service& of,
                                std::chrono::milliseconds shutdown) {
    of.open_connections = [&server] { return server.open_connections(); };
    const auto draining = std::make_shared<drain>(server, of, shutdown);
    server.on_signal([draining](int) { draining->signal(); });
    of.runs.on_failure(
        [&server, draining] { server.post([draining] { draining->engine_failed(); }); });
    server.listen();
    server.run();
    of.end_all("request: the server was shut down before it was finished");
    if (of.runs.failed()) throw device_error{of.runs.failure()};
}

}  // namespace g4::serve
