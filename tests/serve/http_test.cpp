// The server over real sockets: HTTP's corners, timeouts, disconnects, slow readers, shutdown.
#include "tests/support/running_server.hpp"
#include <csignal>
#include <doctest/doctest.h>
#include <string>
#include <vector>

namespace {

using namespace g4;
using namespace g4::testing;
using namespace std::chrono_literals;

running_options slow_steps(std::chrono::milliseconds step) {
    running_options out;
    out.server.step_time = step;
    return out;
}

}  // namespace

TEST_CASE("http: requests that are sent at once are answered one behind the other") {
    const running_server server;
    http_client client = server.client();
    REQUIRE(
        client.send("GET /version HTTP/1.1\r\nHost: x\r\n\r\n"
                    "HEAD /version HTTP/1.1\r\nHost: x\r\n\r\n"
                    "OPTIONS /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"
                    "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    const http_reply version = client.receive();
    CHECK(version.status == 200);
    CHECK(version.body == R"({"version":"unknown"})");
    const http_reply head = client.receive(true);
    CHECK(head.has("content-length: 21"));
    const http_reply options = client.receive();
    CHECK(options.status == 204);
    CHECK(options.has("allow: GET, HEAD, OPTIONS"));
    const http_reply health = client.receive();
    CHECK(health.status == 200);
    CHECK(health.body.empty());
    CHECK(health.has("connection: close"));
    CHECK(client.ends_within(5s));
}

TEST_CASE("http: a body may come in chunks, and after 100 Continue") {
    const running_server server;
    http_client client = server.client();
    REQUIRE(
        client.send("POST /tokenize HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                    "\r\n5\r\n{\"pro\r\nd\r\nmpt\":\"hello\"}\r\n0\r\n\r\n"));
    CHECK(body_of(client.receive()).at("count") == 2);
    REQUIRE(
        client.send("POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Length: 18\r\n"
                    "Expect: 100-continue\r\n\r\n"));
    CHECK(client.wait_until_seen("HTTP/1.1 100 Continue\r\n\r\n"));
    REQUIRE(client.send("{\"prompt\":\"hello\"}"));
    CHECK(body_of(client.receive()).at("count") == 2);
}

TEST_CASE("http: what is no request is refused in words and ends the connection") {
    running_options options;
    options.limits.body_bytes = 1000;
    options.limits.header_bytes = 2000;
    const running_server server{options};
    const std::string long_header = "GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(3000, 'x');
    const std::pair<std::string, int> table[] = {
        {"NONSENSE\r\n\r\n", 400},
        {"GET /health HTTP/3.0\r\nHost: x\r\n\r\n", 505},
        {"GET /health HTTP/1.1\r\n\r\n", 400},
        {"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
        {"GET /health HTTP/1.1\r\nHost : x\r\n\r\n", 400},
        {"GET /health HTTP/1.1\r\nHost: x\r\nX: a\x01z\r\n\r\n", 400},
        {"GET /health\x7f HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400},
        {"POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
         400},
        {"POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
         "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400},
        {"POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
         400},
        {"POST /tokenize HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
        {"POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", 413},
        {"POST /tokenize HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n" +
             std::string(0xfff, ' '),
         413},
        {long_header, 431},
        {"POST /tokenize HTTP/1.1\r\nHost: x\r\nExpect: cake\r\nContent-Length: 1\r\n\r\nx", 417}};
    for (const auto& [bytes, status] : table) {
        http_client client = server.client();
        client.send(bytes);
        const http_reply reply = client.receive();
        INFO("sent ", bytes.substr(0, 90), ", got ", reply.head, reply.body);
        CHECK(reply.status == status);
        CHECK(reply.has("connection: close"));
        CHECK(body_of(reply).at("error").as_object().at("message").as_string().size() > 10);
        CHECK(client.ends_within(5s));
    }
    CHECK(server.client().ask("GET", "/health").status == 200);
}

TEST_CASE("http: whoever sends too slowly gets 408, and an idle connection is closed") {
    running_options options;
    options.limits.header_timeout = 300ms;
    options.limits.body_pause = 300ms;
    options.limits.idle_timeout = 300ms;
    const running_server server{options};
    http_client in_header = server.client(), in_body = server.client(), idle = server.client();
    http_client silent = server.client();
    REQUIRE(in_header.send("GET /health HTTP/1.1\r\nHo"));
    REQUIRE(in_body.send("POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"));
    REQUIRE(idle.ask("GET", "/health").status == 200);
    CHECK(in_header.receive().status == 408);
    CHECK(in_body.receive().status == 408);
    CHECK(idle.ends_within(5s));
    CHECK(silent.ends_within(5s));
}

TEST_CASE("http: a client of HTTP/1.0 gets a stream that ends with the connection") {
    const running_server server;
    http_client client = server.client();
    const std::string body = chat_body("hello", R"("stream":true)");
    REQUIRE(client.send(concat(
        "POST /v1/chat/completions HTTP/1.0\r\nContent-Length: ", body.size(), "\r\n\r\n", body)));
    const http_reply reply = client.receive();
    CHECK(reply.whole);
    CHECK_FALSE(reply.has("transfer-encoding: chunked"));
    CHECK(joined_stream(reply.body) == "\1\1hello\1stop");
}

TEST_CASE("http: a client that leaves a stream, or stops waiting, frees its place") {
    const running_server server{slow_steps(5ms)};
    const std::string endless = R"("max_tokens":1500,"ignore_eos":true,"stream":)";
    http_client streamed = server.client(), waiting = server.client();
    REQUIRE(streamed.send("POST", "/v1/chat/completions", chat_body("a", endless + "true")));
    REQUIRE(waiting.send("POST", "/v1/chat/completions", chat_body("b", endless + "false")));
    REQUIRE(streamed.wait_until_seen("\"content\""));
    const auto before = std::chrono::steady_clock::now();
    streamed.close();
    waiting.close();
    const engine_stats after = server.settled();
    CHECK(after.running == 0);
    CHECK(after.cancelled == 2);
    CHECK(after.kv_usage == 0);
    // a step of 5 ms and its neighbours; far from the 7.5 s that the answers would have taken
    CHECK(std::chrono::steady_clock::now() - before < 1500ms);
    const http_reply metrics = server.client().ask("GET", "/metrics");
    CHECK(metrics.body.find("finished_reason=\"abort\"} 2\n") != std::string::npos);
}

TEST_CASE("http: a reader that is too slow is dropped, and nobody else waits for it") {
    running_options options;
    options.limits.unsent_stream_bytes = 20'000;
    options.limits.kernel_send_bytes = 20'000;
    options.server.for_load = true;
    options.server.max_model_len = 60'000;
    options.server.sequences = 4;
    const running_server server{options};
    http_client slow = server.client();
    slow.shrink_window();
    REQUIRE(slow.send("POST", "/v1/completions",
                      R"({"prompt":[300],"max_tokens":50000,"stream":true})"));
    const http_reply other =
        server.client().ask("POST", "/v1/completions", R"({"prompt":[300],"max_tokens":50})");
    CHECK(other.status == 200);
    CHECK(server.settled(20s).cancelled == 1);
    const http_reply cut = slow.receive();
    CHECK_FALSE(cut.whole);
}

TEST_CASE("http: streamed and whole answers are the same, many at a time") {
    const running_server server;
    const std::string texts[] = {"hello the world", "{thought\nso\n}\n\nyes", "日本🙂 é\n x",
                                 "a { b", "{}x"};
    std::vector<std::thread> threads;
    std::vector<std::string> differences(8);
    for (std::size_t t = 0; t < differences.size(); ++t)
        threads.emplace_back([&, t] {
            http_client client = server.client();
            for (const std::string& text : texts)
                for (const char* more : {"", R"(,"stop":["wor","\n"])", R"(,"max_tokens":3)"}) {
                    const std::string said = text + std::to_string(t);
                    const std::string whole = joined_whole(
                        body_of(client.ask("POST", "/v1/chat/completions",
                                           chat_body(said, concat("\"stream\":false", more)))));
                    const std::string streamed =
                        joined_stream(client
                                          .ask("POST", "/v1/chat/completions",
                                               chat_body(said, concat("\"stream\":true", more)))
                                          .body);
                    if (whole != streamed) differences[t] += whole + " | " + streamed + "\n";
                }
        });
    for (std::thread& thread : threads) thread.join();
    for (const std::string& difference : differences) CHECK(difference == "");
    CHECK(server.settled().kv_usage == 0);
}

TEST_CASE("http: more than the queue holds is told to come back") {
    running_options options = slow_steps(20ms);
    options.server.sequences = 2;
    options.server.max_waiting = 2;
    const running_server server{options};
    std::vector<http_client> clients;
    int refused = 0;
    for (int i = 0; i < 8; ++i) {
        clients.push_back(server.client());
        REQUIRE(clients.back().send("POST", "/v1/chat/completions",
                                    chat_body("a", R"("max_tokens":30,"ignore_eos":true)")));
    }
    for (http_client& client : clients) {
        const http_reply reply = client.receive();
        if (reply.status == 200) continue;
        ++refused;
        CHECK(reply.status == 429);
        CHECK(reply.has("retry-after: 1"));
    }
    CHECK(refused >= 1);
    CHECK(refused <= 4);
}

TEST_CASE("http: a failed engine answers 500 to who waits, in words, and ends the server") {
    running_options options = slow_steps(20ms);
    options.server.fails_at_step = 20;
    running_server server{options};
    http_client streamed = server.client(), whole = server.client(), idle = server.client();
    REQUIRE(idle.ask("GET", "/health").status == 200);
    REQUIRE(streamed.send("POST", "/v1/chat/completions",
                          chat_body(std::string(200, 'a'), R"("stream":true)")));
    REQUIRE(streamed.wait_until_seen("\"content\":\"a"));
    REQUIRE(whole.send("POST", "/v1/completions", R"({"prompt":"x","max_tokens":99})"));
    const http_reply failed = whole.receive(), broken = streamed.receive();
    CHECK(failed.status == 500);
    for (const http_reply& reply : {failed, broken}) {
        CHECK(reply.whole);
        CHECK(reply.body.find("engine: the executor failed and takes no more requests: null: "
                              "step 20 failed") != std::string::npos);
    }
    CHECK(broken.body.ends_with("data: [DONE]\n\n"));
    CHECK(idle.ends_within(2s));
    server.join();
    CHECK(server.failure() ==
          "engine: the executor failed and takes no more requests: null: step 20 failed");
}

TEST_CASE("http: a signal ends readiness at once and the server when its requests are done") {
    running_server server{slow_steps(5ms)};
    http_client streamed = server.client(), probe = server.client();
    REQUIRE(streamed.send("POST", "/v1/chat/completions",
                          chat_body("hello the world hello the world", R"("stream":true)")));
    REQUIRE(streamed.wait_until_seen("\"content\""));
    REQUIRE(probe.ask("GET", "/v1/models").status == 200);
    ::kill(::getpid(), SIGTERM);
    CHECK(probe.ends_within(2s));  // it is idle
    const http_reply ready = server.client().ask("GET", "/v1/models");
    const bool still_there = ready.status != 0;
    if (still_there) {
        CHECK(ready.status == 503);
        CHECK(ready.has("retry-after: 1"));
    }
    const http_reply reply = streamed.receive();
    CHECK(reply.whole);
    CHECK(joined_stream(reply.body) == "\1\1hello the world hello the world\1stop");
    server.join();
}

TEST_CASE("http: what is not done in time at a shutdown is ended in words") {
    running_options options = slow_steps(5ms);
    options.shutdown = 100ms;
    running_server server{options};
    http_client streamed = server.client(), whole = server.client();
    const std::string endless = R"("max_tokens":1500,"ignore_eos":true,"stream":)";
    REQUIRE(streamed.send("POST", "/v1/chat/completions", chat_body("a", endless + "true")));
    REQUIRE(whole.send("POST", "/v1/chat/completions", chat_body("a", endless + "false")));
    REQUIRE(streamed.wait_until_seen("\"content\""));
    ::kill(::getpid(), SIGTERM);
    CHECK(streamed.receive().body.find("shut down before it was finished") != std::string::npos);
    CHECK(whole.receive().status == 503);
    server.join();
}
