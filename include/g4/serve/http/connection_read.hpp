// The reading half of a connection: bytes to requests, under limits and deadlines.
#pragma once
#include "g4/serve/http/connection.hpp"
#include <boost/beast/core/string.hpp>

namespace g4::serve {

inline asio::awaitable<void> connection::read_all() {
    boost::system::error_code failed;
    while (!closed_) {
        // waiting costs an idle client no buffer: bytes are read into the server's only one
        co_await socket_.async_wait(client_socket::wait_read,
                                    asio::redirect_error(asio::use_awaitable, failed));
        if (failed || closed_) co_return;
        const std::size_t bytes = socket_.read_some(asio::buffer(host_.scratch), failed);
        if (failed == asio::error::would_block || failed == asio::error::try_again) continue;
        if (failed || !take(bytes)) co_return;
    }
}

/// Takes what was read; false when the client is to be dropped.
inline bool connection::take(std::size_t bytes) {
    if (lingering_) return true;
    input_.append(host_.scratch, 0, bytes);
    if (!exchange_running_) on_input();
    return !exchange_running_ || input_.size() <= host_.limits.pipelined_bytes;
}

inline void connection::on_input() {
    if (in_input_) return;  // an answer that was given at once: the loop below goes on
    in_input_ = true;
    while (!exchange_running_ && !input_.empty() && !closed_ && !lingering_) {
        if (!parser_) begin_message();
        boost::system::error_code failed;
        const std::size_t parsed = parser_->put(asio::buffer(input_), failed);
        input_.erase(0, parsed);
        if (failed == beast::http::error::need_more) failed = {};
        if (failed) {
            refuse(failed);
            break;
        }
        if (parser_->is_header_done() && !header_seen_ && !accept_header()) break;
        if (header_seen_) {
            const std::size_t held = parser_->get().body().size();
            host_.body_bytes += held - counted_body_;
            counted_body_ = held;
            if (host_.body_bytes > host_.limits.all_bodies_bytes) {
                refuse(503, "request: the server holds too many large requests now, try again");
                break;
            }
            const auto now = std::chrono::steady_clock::now();
            read_by_ = std::min(
                now + host_.limits.body_pause,
                message_started_ + host_.limits.body_timeout + std::chrono::seconds(held >> 16));
        }
        if (parser_->is_done()) dispatch();
        else if (parsed == 0) break;
    }
    in_input_ = false;
}

inline void connection::begin_message() {
    parser_.emplace();
    parser_->eager(true);
    parser_->header_limit(static_cast<std::uint32_t>(host_.limits.header_bytes));
    parser_->body_limit(host_.limits.body_bytes);
    header_seen_ = false;
    message_started_ = std::chrono::steady_clock::now();
    expect_by(host_.limits.header_timeout);
}

/// Checks what can be refused before a body is read; false when it was.
inline bool connection::accept_header() {
    header_seen_ = true;
    const auto& message = parser_->get();
    old_client_ = message.version() < 11;
    keep_alive_ = message.keep_alive();
    head_only_ = message.method() == beast::http::verb::head;
    if (!old_client_ && message.count(beast::http::field::host) != 1) {
        refuse(400, "host: expected one Host header, as HTTP/1.1 asks");
        return false;
    }
    const auto expectation = message[beast::http::field::expect];
    if (expectation.empty()) return true;
    if (!beast::iequals(expectation, "100-continue")) {
        refuse(417, "expect: expected 100-continue or no such header");
        return false;
    }
    if (!parser_->is_done() && !old_client_) {
        put("HTTP/1.1 100 Continue\r\n\r\n");
        flush();
    }
    return true;
}

inline void connection::dispatch() {
    auto message = parser_->release();
    forget_message();
    http_request request;
    request.method = std::string{message.method_string()};
    const std::string target{message.target()};
    const std::size_t question = target.find('?');
    request.path = target.substr(0, question);
    if (question != std::string::npos) request.query = target.substr(question + 1);
    for (const auto& field : message)
        request.headers.push_back({std::string{field.name_string()}, std::string{field.value()}});
    request.body = std::move(message.body());
    exchange_running_ = true;
    streaming_ = ended_ = false;
    ++host_.running;
    const auto answer = std::make_shared<connection_exchange>(shared_from_this());
    try {
        host_.handler(answer, std::move(request));
    } catch (const std::exception& failed) {
        host_.log.error("http: a handler threw: ", failed.what());
        answer->respond(host_.refusal(500, "request: the server failed to handle it"));
    }
}

inline void connection::forget_message() {
    parser_.reset();
    host_.body_bytes -= std::exchange(counted_body_, 0);
    if (input_.empty()) input_ = {};  // give its memory back
}

inline void connection::refuse(boost::system::error_code why) {
    namespace http = beast::http;
    if (why == http::error::body_limit)
        return refuse(
            413, concat("body: expected at most ", host_.limits.body_bytes, " bytes, got more"));
    if (why == http::error::header_limit || why == http::error::buffer_overflow)
        return refuse(431, concat("headers: expected at most ", host_.limits.header_bytes,
                                  " bytes, got more"));
    if (why == http::error::bad_version)
        return refuse(505, "request: expected HTTP/1.1 or HTTP/1.0");
    refuse(400, concat("request: expected HTTP/1.1, got ", why.message()));
}

/// Answers without a handler and ends the connection: what follows cannot be told apart.
inline void connection::refuse(int status, const std::string& message) {
    forget_message();
    input_.clear();
    keep_alive_ = false;
    exchange_running_ = true;
    streaming_ = ended_ = false;
    ++host_.running;
    respond(host_.refusal(status, message));
}

}  // namespace g4::serve
