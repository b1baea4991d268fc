// The writing half of a connection: answers and streams, with a bounded queue.
#pragma once
#include "g4/serve/http/connection.hpp"

namespace g4::serve {

inline void connection::respond(http_response response) {
    if (closed_ || !exchange_running_ || streaming_ || ended_) return;
    if (host_.unsent_bytes + response.body.size() > host_.limits.all_unsent_bytes)
        response = host_.refusal(503, "request: too many large answers wait for their readers");
    keep_alive_ = keep_alive_ && !host_.closing;
    put(head_bytes(response, body_framing::length, keep_alive_, host_.date));
    if (!head_only_) put(response.body);
    ended_ = true;
    flush();
}

inline void connection::start_stream(http_response head) {
    if (closed_ || !exchange_running_ || streaming_ || ended_) return;
    streaming_ = true;
    keep_alive_ = keep_alive_ && !host_.closing && !old_client_;
    const auto framing = old_client_ ? body_framing::close : body_framing::chunked;
    put(head_bytes(head, framing, keep_alive_, host_.date));
    send(head.body);
}

inline void connection::send(std::string_view piece) {
    if (closed_ || !streaming_ || ended_) return;
    if (old_client_) put(piece);
    else append_chunk(out_, piece);
    flush();
    if (!closed_ && out_.size() - sent_ > host_.limits.unsent_stream_bytes)
        drop("the client reads slower than its answer is made");
}

inline void connection::end_stream() {
    if (closed_ || !streaming_ || ended_) return;
    if (!old_client_) put(last_chunk);
    ended_ = true;
    flush();
}

inline void connection::flush() {
    if (writing_ || closed_) return;
    while (sent_ < out_.size()) {
        boost::system::error_code failed;
        sent_ += socket_.write_some(asio::buffer(out_.data() + sent_, out_.size() - sent_), failed);
        if (failed == asio::error::would_block || failed == asio::error::try_again) {
            writing_ = true;
            write_by_ = std::chrono::steady_clock::now() + host_.limits.write_timeout;
            // keep what is unsent at the front, so that a long stream does not grow its buffer
            out_.erase(0, std::exchange(sent_, 0));
            count_unsent();
            socket_.async_wait(client_socket::wait_write,
                               [self = shared_from_this()](boost::system::error_code ended) {
                                   self->writing_ = false;
                                   if (!ended) self->flush();
                               });
            return;
        }
        if (failed) return close();
    }
    out_.clear();
    sent_ = 0;
    count_unsent();
    if (ended_ && exchange_running_) answered();
}

/// The answer's last byte is with the kernel: on to the next request, or to the end.
inline void connection::answered() {
    exchange_running_ = streaming_ = ended_ = false;
    --host_.running;
    gone_ = nullptr;
    out_ = {};
    if (!keep_alive_) {
        // closing now, with bytes unread, would make the kernel throw the answer away
        boost::system::error_code ignored;
        socket_.shutdown(client_socket::shutdown_send, ignored);
        lingering_ = true;
        expect_by(std::chrono::milliseconds{2000});
        return;
    }
    expect_by(host_.limits.idle_timeout);
    if (!input_.empty()) on_input();
}

inline void connection::drop(std::string_view why) {
    host_.log.warning("http: a connection was dropped: ", why);
    // what the kernel still holds for it is thrown away too, not sent for minutes to come
    boost::system::error_code ignored;
    socket_.set_option(asio::socket_base::linger{true, 0}, ignored);
    close();
}

inline void connection::client_left() {
    if (!std::exchange(exchange_running_, false)) return;
    --host_.running;
    // not from here: whoever sends is still inside its own call
    if (gone_) asio::post(host_.loop, std::exchange(gone_, nullptr));
}

}  // namespace g4::serve
