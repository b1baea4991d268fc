// A plain HTTP client over POSIX sockets, for tests that must control every byte and its time.
#pragma once
#include "g4/core/error.hpp"
#include <arpa/inet.h>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace g4::testing {

struct http_reply {
    int status = 0;      // 0: the connection ended before an answer
    std::string head;    // status line and headers
    std::string body;    // without chunking
    bool whole = false;  // the body's end was seen

    bool has(std::string_view header_line) const {
        return head.find(concat("\r\n", header_line, "\r\n")) != std::string::npos;
    }
};

class http_client {
  public:
    explicit http_client(std::uint16_t port) : socket_{::socket(AF_INET, SOCK_STREAM, 0)} {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
            throw internal_error{"http_client: connect: ", std::strerror(errno)};
    }
    ~http_client() { close(); }
    http_client(http_client&& other) noexcept
        : socket_{std::exchange(other.socket_, -1)}, read_{std::move(other.read_)} {}

    void close() {
        if (socket_ >= 0) ::close(std::exchange(socket_, -1));
    }
    /// A small receive buffer, so that a client which does not read soon stops the sender.
    void shrink_window() {
        const int bytes = 4096;
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    }
    /// False when the server closed the connection.
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    bool send(std::string_view method, std::string_view path, std::string_view body,
              std::string_view headers = "") {
        return send(concat(method, ' ', path, " HTTP/1.1\r\nHost: test\r\n", headers,
                           "Content-Length: ", body.size(), "\r\n\r\n", body));
    }
    http_reply ask(std::string_view method, std::string_view path, std::string_view body = "",
                   std::string_view headers = "") {
        if (!send(method, path, body, headers)) return {};
        return receive(method == "HEAD");
    }

    /// The next answer; what of it came before the time was over.
    http_reply receive(bool head_only = false,
                       std::chrono::milliseconds patience = std::chrono::seconds{20}) {
        until_ = std::chrono::steady_clock::now() + patience;
        http_reply out;
        const std::size_t end = wait_for("\r\n\r\n");
        if (end == std::string::npos) return out;
        out.head = read_.substr(0, end + 2);
        read_.erase(0, end + 4);
        std::from_chars(out.head.data() + 9, out.head.data() + out.head.size(), out.status);
        if (out.status == 100) return receive(head_only, patience);
        if (head_only || out.status == 204) {
            out.whole = true;
        } else if (out.has("transfer-encoding: chunked")) {
            while (take_chunk(out)) {}
        } else if (const std::size_t at = out.head.find("\r\ncontent-length: ");
                   at != std::string::npos) {
            std::size_t size = 0;
            std::from_chars(out.head.data() + at + 18, out.head.data() + out.head.size(), size);
            while (read_.size() < size && more()) {}
            out.whole = read_.size() >= size;
            out.body = read_.substr(0, size);
            read_.erase(0, size);
        } else {
            while (more()) {}
            out.whole = ended_;
            out.body = std::exchange(read_, {});
        }
        return out;
    }
    /// Waits until `text` has come, in whatever place; false when the time or the stream ends.
    bool wait_until_seen(std::string_view text,
                         std::chrono::milliseconds patience = std::chrono::seconds{20}) {
        until_ = std::chrono::steady_clock::now() + patience;
        return wait_for(text) != std::string::npos;
    }
    /// Whether the server ends the connection before the time is over.
    bool ends_within(std::chrono::milliseconds patience) {
        until_ = std::chrono::steady_clock::now() + patience;
        while (more()) {}
        return ended_;
    }

  private:
    std::size_t wait_for(std::string_view text) {
        for (std::size_t found; (found = read_.find(text)) != std::string::npos || more();)
            if (found != std::string::npos) return found;
        return std::string::npos;
    }
    bool take_chunk(http_reply& into) {
        const std::size_t line = wait_for("\r\n");
        if (line == std::string::npos) return false;
        std::size_t size = 0;
        std::from_chars(read_.data(), read_.data() + line, size, 16);
        while (read_.size() < line + 4 + size && more()) {}
        if (read_.size() < line + 4 + size) return false;
        into.body += read_.substr(line + 2, size);
        read_.erase(0, line + 4 + size);
        into.whole = size == 0;
        return size != 0;
    }
    /// Reads once; false when the connection or the time has ended.
    bool more() {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            until_ - std::chrono::steady_clock::now());
        pollfd waits{socket_, POLLIN, 0};
        if (ended_ || left.count() <= 0 || ::poll(&waits, 1, static_cast<int>(left.count())) <= 0)
            return false;
        char bytes[65536];
        const ssize_t count = ::recv(socket_, bytes, sizeof bytes, 0);
        ended_ = count <= 0;
        if (!ended_) read_.append(bytes, static_cast<std::size_t>(count));
        return !ended_;
    }

    int socket_;
    std::string read_;
    bool ended_ = false;
    std::chrono::steady_clock::time_point until_{};
};

}  // namespace g4::testing
