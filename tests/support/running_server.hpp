// A null server on a thread of the test, on a free port, with whatever limits a test wants.
#pragma once
#include "g4/serve/http/beast_server.hpp"
#include "g4/serve/run.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/null_server.hpp"
#include <boost/json.hpp>
#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace g4::testing {

struct running_options {
    null_server_options server{};
    serve::http_limits limits{};
    std::chrono::milliseconds shutdown{2000};
};

class running_server {
  public:
    explicit running_server(running_options options = {}) {
        serve::http_options http;
        http.host = "127.0.0.1";
        http.port = 0;
        http.limits = options.limits;
        options.server.service.log_answers = false;
        http_ = serve::make_http_server(
            http,
            [this](std::shared_ptr<serve::exchange> to, serve::http_request&& request) {
                server_->endpoints().handle(std::move(to), std::move(request));
            },
            [](int status, const std::string& message) {
                return serve::error_response(status, message);
            });
        server_ = std::make_unique<null_server>(*http_, options.server);
        port_ = http_->port();
        thread_ = std::thread{[this, shutdown = options.shutdown] {
            try {
                serve::serve_until_stopped(*http_, server_->service(), shutdown);
            } catch (const device_error& failed) {
                failure_ = failed.what();
            }
        }};
        while (!listens()) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    ~running_server() {
        http_->stop();
        if (thread_.joinable()) thread_.join();
    }

    std::uint16_t port() const { return port_; }
    http_client client() const { return http_client{port_}; }
    /// What the engine says, once it says that nothing runs, or when the time is over.
    engine_stats settled(std::chrono::milliseconds patience = std::chrono::seconds{5}) const {
        const auto until = std::chrono::steady_clock::now() + patience;
        engine_stats now = server_->service().runs.stats();
        while (now.running + now.waiting > 0 && std::chrono::steady_clock::now() < until) {
            std::this_thread::sleep_for(std::chrono::milliseconds{2});
            now = server_->service().runs.stats();
        }
        return now;
    }
    /// Waits until the server has ended by itself.
    void join() { thread_.join(); }
    /// Behind join(): why the process would end with 1; empty when it would end with 0.
    const std::string& failure() const { return failure_; }

  private:
    bool listens() const {
        try {
            http_client{port_};
            return true;
        } catch (const internal_error&) {
            return false;
        }
    }

    // the server's parts end before the loop that they post to
    std::unique_ptr<serve::http_server> http_;
    std::unique_ptr<null_server> server_;
    std::uint16_t port_ = 0;
    std::string failure_;
    std::thread thread_;
};

inline boost::json::object body_of(const http_reply& reply) {
    return boost::json::parse(reply.body).as_object();
}

/// {"messages": [{"role": "user", "content": …}], …more members of JSON}
inline std::string chat_body(std::string_view content, std::string_view more = "") {
    return concat(R"({"messages":[{"role":"user","content":)",
                  boost::json::serialize(boost::json::value(boost::json::string{content})), "}]",
                  more.empty() ? "" : ",", more, '}');
}

/// The joined deltas of a streamed chat answer, "\1reasoning\1content" with its finish.
inline std::string joined_stream(std::string_view events) {
    std::string content, reasoning, finish;
    for (std::size_t at = 0; (at = events.find("data: {", at)) != events.npos;) {
        const std::size_t end = events.find("\n\n", at);
        const auto chunk = boost::json::parse(events.substr(at + 6, end - at - 6)).as_object();
        at = end;
        if (!chunk.contains("choices")) return std::string{events};  // an error says itself
        for (const auto& choice : chunk.at("choices").as_array()) {
            const auto& delta = choice.at("delta").as_object();
            if (const auto* text = delta.if_contains("content")) content += text->as_string();
            if (const auto* text = delta.if_contains("reasoning")) reasoning += text->as_string();
            if (choice.at("finish_reason").is_string())
                finish = choice.at("finish_reason").as_string();
        }
    }
    return concat('\1', reasoning, '\1', content, '\1', finish);
}
inline std::string joined_whole(const boost::json::object& answer) {
    const auto& choice = answer.at("choices").as_array().at(0).as_object();
    const auto& message = choice.at("message").as_object();
    const auto& reasoning = message.at("reasoning");
    return concat('\1', reasoning.is_null() ? "" : reasoning.as_string().c_str(), '\1',
                  std::string_view{message.at("content").as_string()}, '\1',
                  std::string_view{choice.at("finish_reason").as_string()});
}

}  // namespace g4::testing
