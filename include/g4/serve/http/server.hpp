// The HTTP server as handlers and apps see it: a loop, exchanges, limits. Beast stands behind it.
#pragma once
#include "g4/core/log.hpp"
#include "g4/serve/http/message.hpp"
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace g4::serve {

/// One request's answer. Every member is called on the loop's thread; an exchange that is dropped
/// without an answer answers 500 by itself.
class exchange {
  public:
    virtual ~exchange() = default;
    /// The whole answer at once.
    virtual void respond(http_response response) = 0;
    /// The head of an answer whose body comes piece by piece; `head.body` is its first piece.
    virtual void start_stream(http_response head) = 0;
    /// The next piece. A reader too slow for the bounded queue is dropped, and on_gone called.
    virtual void send(std::string_view piece) = 0;
    virtual void end_stream() = 0;
    /// False once the client went away: what is sent then goes nowhere.
    virtual bool open() const = 0;
    /// Called at most once, on the loop and never from inside another member, when the client goes
    /// away before the answer's end.
    virtual void on_gone(std::function<void()> call) = 0;
};

/// The one thread on which connections, handlers and answers live.
class event_loop {
  public:
    virtual ~event_loop() = default;
    /// Runs `call` on the loop's thread, soon. Thread-safe; calls keep their order.
    virtual void post(std::function<void()> call) = 0;
    /// The same, not before `delay` has passed.
    virtual void after(std::chrono::milliseconds delay, std::function<void()> call) = 0;
};

/// What a client may take of the server before it is refused or dropped.
struct http_limits {
    std::size_t header_bytes = 64 << 10;
    std::size_t body_bytes = 16 << 20;
    std::size_t all_bodies_bytes = 512 << 20;   // of all requests that are being read
    std::size_t all_unsent_bytes = 1 << 30;     // of all answers that clients have not taken
    std::size_t unsent_stream_bytes = 1 << 20;  // of one stream, past the kernel's own buffer
    int kernel_send_bytes = 256 << 10;          // of one connection, held by the kernel
    std::size_t pipelined_bytes = 64 << 10;     // that wait behind a running request
    std::size_t connections = 16384;
    std::chrono::milliseconds header_timeout{20'000};  // from first byte to end of the headers
    std::chrono::milliseconds body_pause{15'000};      // between two pieces of a body
    std::chrono::milliseconds body_timeout{60'000};    // in all, plus a second for each 64 KiB
    std::chrono::milliseconds idle_timeout{75'000};    // between two requests of a connection
    std::chrono::milliseconds write_timeout{30'000};   // without a byte taken by the client
};

struct http_options {
    std::string host = "0.0.0.0";  // a name or an address; all it resolves to is bound
    std::uint16_t port = 8000;     // 0: any free one, see http_server::port
    std::string uds;               // path of a UNIX socket, instead of host and port
    http_limits limits;
    logger log;
};

/// Called on the loop for every complete request.
using http_handler = std::function<void(std::shared_ptr<exchange>, http_request&&)>;

/// Makes the body and type of an answer that the HTTP layer gives by itself (a request that is no
/// HTTP, too large, too slow), so that it has the same form as every other error.
using http_refusal = std::function<http_response(int status, const std::string& message)>;

class http_server : public event_loop {
  public:
    /// Connections are taken from now on. Before, the addresses are bound and refuse.
    virtual void listen() = 0;
    /// Runs the loop on the calling thread until stop().
    virtual void run() = 0;
    /// Ends run() after the calls that are under way. Thread-safe.
    virtual void stop() = 0;
    /// No connection outlives its running request any more. On the loop's thread.
    virtual void close_idle() = 0;
    /// Calls `call` on the loop for each SIGTERM and SIGINT instead of ending the process.
    virtual void on_signal(std::function<void(int)> call) = 0;
    /// The bound port; 0 with a UNIX socket.
    virtual std::uint16_t port() const = 0;
    virtual std::size_t open_connections() const = 0;
    /// Requests that were read and not yet answered to the last byte. On the loop's thread.
    virtual std::size_t running_exchanges() const = 0;
};

}  // namespace g4::serve
