// One client: reads requests with Beast's parser, hands them on, writes answers, keeps deadlines.
// One coroutine reads all the time, also while a request runs: that is how a disconnect is seen.
#pragma once
#include "g4/serve/http/reply_bytes.hpp"
#include "g4/serve/http/server.hpp"
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace g4::serve {

namespace asio = boost::asio;
namespace beast = boost::beast;
using client_socket = asio::generic::stream_protocol::socket;
using time_point = std::chrono::steady_clock::time_point;

class connection;

/// What the connections of one server share. On the loop's thread only.
struct connection_host {
    asio::io_context loop{1};
    http_limits limits;
    http_handler handler;
    http_refusal refusal;
    logger log;
    std::string date;                                   // of now, made anew by the sweep
    std::string scratch = std::string(64 << 10, '\0');  // what a socket is read into
    std::size_t body_bytes = 0;                         // of requests that are being read
    std::size_t unsent_bytes = 0;                       // of answers that clients have not taken
    std::size_t running = 0;  // exchanges that are not answered to the last byte
    bool closing = false;     // connections end with their running request
};

class connection : public std::enable_shared_from_this<connection> {
  public:
    connection(connection_host& host, client_socket socket)
        : host_{host}, socket_{std::move(socket)} {}

    void start() {
        boost::system::error_code ignored;
        socket_.non_blocking(true, ignored);
        socket_.set_option(asio::socket_base::send_buffer_size{host_.limits.kernel_send_bytes},
                           ignored);
        expect_by(host_.limits.header_timeout);
        asio::co_spawn(host_.loop, read(shared_from_this()), asio::detached);
    }

    /// Ends what took too long. Called by the server every quarter of a second.
    void sweep(time_point now) {
        if (writing_ && now > write_by_) return drop("the client took no bytes in time");
        if (lingering_ && now > read_by_) return close();
        if (exchange_running_ || now <= read_by_) return;
        if (!parser_ && input_.empty()) return close();  // idle between two requests
        refuse(408, "request: expected the whole request in time, got a part of it");
    }

    bool idle() const { return !exchange_running_ && !parser_ && input_.empty() && !writing_; }
    void close() {
        if (closed_) return;
        closed_ = true;
        forget_message();
        out_ = {};
        sent_ = 0;
        count_unsent();
        boost::system::error_code ignored;
        socket_.close(ignored);
        client_left();
    }

    // what the exchange calls
    void respond(http_response response);
    void start_stream(http_response head);
    void send(std::string_view piece);
    void end_stream();
    bool open() const { return !closed_; }
    void on_gone(std::function<void()> call) { gone_ = std::move(call); }
    asio::io_context& loop() { return host_.loop; }

  private:
    using parser = beast::http::request_parser<beast::http::string_body>;

    static asio::awaitable<void> read(std::shared_ptr<connection> self) {
        co_await self->read_all();
        self->close();
    }
    asio::awaitable<void> read_all();
    bool take(std::size_t bytes);
    void on_input();
    void begin_message();
    bool accept_header();
    void dispatch();
    void forget_message();
    void refuse(boost::system::error_code why);
    void refuse(int status, const std::string& message);

    void put(std::string_view bytes) { out_ += bytes; }
    void flush();
    void count_unsent() {
        host_.unsent_bytes += out_.size() - sent_ - counted_unsent_;
        counted_unsent_ = out_.size() - sent_;
    }
    void answered();
    void drop(std::string_view why);
    void client_left();
    void expect_by(std::chrono::milliseconds time) {
        read_by_ = std::chrono::steady_clock::now() + time;
    }

    connection_host& host_;
    client_socket socket_;
    std::string input_;             // read and not yet parsed
    std::optional<parser> parser_;  // of the message that is being read
    bool header_seen_ = false;
    std::size_t counted_body_ = 0;  // this message's share of host_.body_bytes
    time_point message_started_{}, read_by_{}, write_by_{};

    std::string out_;  // not yet taken by the kernel from sent_ on
    std::size_t sent_ = 0;
    std::size_t counted_unsent_ = 0;  // this connection's share of host_.unsent_bytes
    bool writing_ = false;            // waits until the socket takes more
    bool in_input_ = false, closed_ = false, lingering_ = false;

    bool exchange_running_ = false, streaming_ = false, ended_ = false;
    bool keep_alive_ = true, head_only_ = false, old_client_ = false;
    std::function<void()> gone_;
};

/// The exchange that a handler holds. It keeps the connection alive.
class connection_exchange final : public exchange {
  public:
    explicit connection_exchange(std::shared_ptr<connection> to) : to_{std::move(to)} {}
    ~connection_exchange() override {
        if (done_) return;
        // dropped without an answer, perhaps on another thread: only the loop may touch to_
        asio::post(to_->loop(), [to = to_, started = started_] {
            if (!to->open()) return;
            if (started) return to->close();
            http_response failed;
            failed.status = 500;
            to->respond(std::move(failed));
        });
    }
    void respond(http_response response) override {
        if (std::exchange(done_, true)) return;
        to_->respond(std::move(response));
    }
    void start_stream(http_response head) override {
        started_ = true;
        to_->start_stream(std::move(head));
    }
    void send(std::string_view piece) override {
        if (!done_) to_->send(piece);
    }
    void end_stream() override {
        if (!std::exchange(done_, true)) to_->end_stream();
    }
    bool open() const override { return to_->open(); }
    void on_gone(std::function<void()> call) override { to_->on_gone(std::move(call)); }

  private:
    std::shared_ptr<connection> to_;
    bool done_ = false, started_ = false;
};

}  // namespace g4::serve

#include "g4/serve/http/connection_read.hpp"
#include "g4/serve/http/connection_write.hpp"
