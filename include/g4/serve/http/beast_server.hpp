// The HTTP server on Boost.Beast and Asio. Costs ten seconds to compile: one file of a program
// includes it, everyone else g4/serve/http/server.hpp.
#pragma once
#include "g4/core/error.hpp"
#include "g4/serve/http/connection.hpp"
#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace g4::serve {

class beast_server final : public http_server {
  public:
    beast_server(http_options options, http_handler handler, http_refusal refusal)
        : options_{std::move(options)}, signals_{host_.loop}, sweeper_{host_.loop} {
        host_.limits = options_.limits;
        host_.handler = std::move(handler);
        host_.refusal = std::move(refusal);
        host_.log = options_.log;
        host_.date = http_date(std::time(nullptr));
        if (options_.uds.empty()) bind_tcp();
        else bind_uds();
    }
    ~beast_server() override {
        const auto open = std::exchange(connections_, {});
        for (const auto& weak : open)
            if (const auto held = weak.lock()) held->close();
        // what is still posted is dropped with the loop, not run: its owners may be gone
        if (uds_) ::unlink(options_.uds.c_str());
    }

    void listen() override {
        for (tcp::acceptor& bound : tcp_) start(bound);
        if (uds_) start(*uds_);
        sweep();
    }
    void run() override {
        const auto work = asio::make_work_guard(host_.loop);
        while (!host_.loop.stopped()) {
            try {
                host_.loop.run();
            } catch (const std::exception& failed) {  // of one call; the others go on
                host_.log.error("http: a call on the loop threw: ", failed.what());
            }
        }
    }
    void stop() override { host_.loop.stop(); }
    void close_idle() override {
        host_.closing = true;
        const auto open = connections_;
        for (const auto& weak : open)
            if (const auto held = weak.lock(); held && held->idle()) held->close();
    }
    void post(std::function<void()> call) override { asio::post(host_.loop, std::move(call)); }
    void after(std::chrono::milliseconds delay, std::function<void()> call) override {
        const auto timer = std::make_shared<asio::steady_timer>(host_.loop, delay);
        timer->async_wait([timer, call = std::move(call)](boost::system::error_code failed) {
            if (!failed) call();
        });
    }
    void on_signal(std::function<void(int)> call) override {
        signals_.add(SIGTERM);
        signals_.add(SIGINT);
        signalled_ = std::move(call);
        wait_for_signal();
    }
    std::uint16_t port() const override {
        return tcp_.empty() ? std::uint16_t{0} : tcp_.front().local_endpoint().port();
    }
    std::size_t open_connections() const override {
        const auto open = std::count_if(connections_.begin(), connections_.end(),
                                        [](const std::weak_ptr<connection>& weak) {
                                            const auto held = weak.lock();
                                            return held && held->open();
                                        });
        return static_cast<std::size_t>(open);
    }
    std::size_t running_exchanges() const override { return host_.running; }

  private:
    using tcp = asio::ip::tcp;
    using local = asio::local::stream_protocol;

    void bind_tcp() {
        boost::system::error_code failed;
        tcp::resolver resolver{host_.loop};
        const auto found = resolver.resolve(options_.host, std::to_string(options_.port),
                                            tcp::resolver::passive, failed);
        if (failed)
            throw input_error{"--host ", options_.host, ": expected a name or address of this ",
                              "machine, got ", failed.message()};
        std::uint16_t port = options_.port;
        for (const auto& entry : found) {
            tcp::endpoint endpoint = entry.endpoint();
            endpoint.port(port);  // the first free one for all addresses when 0 was asked for
            tcp::acceptor acceptor{host_.loop, endpoint.protocol()};
            acceptor.set_option(tcp::acceptor::reuse_address{true});
            if (endpoint.protocol() == tcp::v6())
                acceptor.set_option(asio::ip::v6_only{found.size() > 1}, failed);
            acceptor.bind(endpoint, failed);
            if (failed)
                throw input_error{"--port ",
                                  options_.port,
                                  " on ",
                                  options_.host,
                                  ": expected a free address, got ",
                                  failed.message()};
            port = acceptor.local_endpoint().port();
            tcp_.push_back(std::move(acceptor));
        }
    }
    void bind_uds() {
        struct stat status{};
        if (::lstat(options_.uds.c_str(), &status) == 0) {
            if (!S_ISSOCK(status.st_mode))
                throw input_error{"--uds ", options_.uds,
                                  ": expected a free path or an old socket, got another file"};
            ::unlink(options_.uds.c_str());
        }
        if (options_.uds.size() > 107)  // sockaddr_un::sun_path
            throw input_error{"--uds: expected at most 107 characters, got ", options_.uds.size()};
        local::acceptor acceptor{host_.loop, local{}};
        boost::system::error_code failed;
        acceptor.bind(local::endpoint{options_.uds}, failed);
        if (failed)
            throw input_error{"--uds ", options_.uds, ": expected a path for a socket, got ",
                              failed.message()};
        uds_.emplace(std::move(acceptor));
    }
    template <class Acceptor> void start(Acceptor& bound) {
        bound.listen(4096);
        asio::co_spawn(host_.loop, accept(bound), asio::detached);
    }

    template <class Acceptor> asio::awaitable<void> accept(Acceptor& from) {
        for (;;) {
            while (connections_.size() >= host_.limits.connections) co_await pause();
            boost::system::error_code failed;
            auto socket =
                co_await from.async_accept(asio::redirect_error(asio::use_awaitable, failed));
            if (failed == asio::error::operation_aborted) co_return;
            if (failed) {  // out of descriptors: those that are open go on, new ones wait
                host_.log.warning("http: no connection could be taken: ", failed.message());
                co_await pause();
                continue;
            }
            if constexpr (std::is_same_v<Acceptor, tcp::acceptor>) {
                socket.set_option(tcp::no_delay{true}, failed);
                socket.set_option(asio::socket_base::keep_alive{true}, failed);
            }
            const auto client =
                std::make_shared<connection>(host_, client_socket{std::move(socket)});
            connections_.push_back(client);
            client->start();
        }
    }

    asio::awaitable<void> pause() {
        boost::system::error_code ignored;
        asio::steady_timer timer{host_.loop, std::chrono::milliseconds{50}};
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }

    void sweep() {
        host_.date = http_date(std::time(nullptr));
        const auto now = std::chrono::steady_clock::now();
        std::erase_if(connections_, [](const auto& weak) {
            const auto held = weak.lock();
            return !held || !held->open();
        });
        const auto open = connections_;  // a callback may add one
        for (const auto& weak : open) {
            const auto held = weak.lock();
            if (!held) continue;
            held->sweep(now);
            if (host_.closing && held->idle()) held->close();
        }
        sweeper_.expires_after(std::chrono::milliseconds{250});
        sweeper_.async_wait([this](boost::system::error_code failed) {
            if (!failed) sweep();
        });
    }

    void wait_for_signal() {
        signals_.async_wait([this](boost::system::error_code failed, int number) {
            if (failed) return;
            signalled_(number);
            wait_for_signal();
        });
    }

    http_options options_;
    connection_host host_;
    std::vector<tcp::acceptor> tcp_;
    std::optional<local::acceptor> uds_;
    std::vector<std::weak_ptr<connection>> connections_;
    asio::signal_set signals_;
    std::function<void(int)> signalled_;
    asio::steady_timer sweeper_;
};

/// A server whose addresses are bound: a port that is taken shows before a model is loaded.
/// It must outlive whatever its handler and its loop's calls use.
/// Errors: input_error when an address cannot be bound.
inline std::unique_ptr<http_server> make_http_server(http_options options, http_handler handler,
                                                     http_refusal refusal) {
    return std::make_unique<beast_server>(std::move(options), std::move(handler),
                                          std::move(refusal));
}

}  // namespace g4::serve
