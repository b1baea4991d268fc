// The routes of the server: who answers which path, and on which thread.
#pragma once
#include "g4/serve/access.hpp"
#include "g4/serve/chat_format.hpp"
#include "g4/serve/completion_format.hpp"
#include "g4/serve/generation.hpp"
#include "g4/serve/tokenize.hpp"
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace g4::serve {

class endpoints {
  public:
    /// The service must outlive the endpoints.
    explicit endpoints(service& of) : service_{of} {
        add("GET", "/health", &endpoints::health);
        add("GET", "/ping", &endpoints::health);
        add("POST", "/ping", &endpoints::health);
        add("GET", "/version", &endpoints::version);
        add("GET", "/metrics", &endpoints::metrics);
        add("GET", "/v1/models", &endpoints::models);
        add("POST", "/v1/chat/completions", &endpoints::chat);
        add("POST", "/v1/completions", &endpoints::completions);
        add("POST", "/tokenize", &endpoints::tokenize);
        add("POST", "/detokenize", &endpoints::detokenize);
    }

    /// Takes one request. On the loop.
    void handle(std::shared_ptr<exchange> to, http_request&& request) {
        call made{std::move(to), std::move(request), {}};
        made.context.arrived = std::chrono::steady_clock::now();
        made.context.path = made.request.path;
        made.context.id = service_.next_id(id_prefix(made.request.path));
        made.context.headers = cors_headers(made.request, service_.options);
        const std::string label = request_label(made.request);
        made.context.headers.push_back({"x-request-id", label.empty() ? made.context.id : label});
        try {
            route(made);
        } catch (const request_error& wrong) {
            answer(made, error_response(wrong));
        }
    }

  private:
    struct call {
        std::shared_ptr<exchange> to;
        http_request request;
        request_context context;
    };
    using handler = void (endpoints::*)(call&);
    struct endpoint {
        std::string method, path;
        handler serve;
    };

    void add(std::string method, std::string path, handler serve) {
        routes_.push_back({std::move(method), std::move(path), serve});
    }
    static std::string_view id_prefix(std::string_view path) {
        if (path == "/v1/chat/completions") return "chatcmpl-";
        return path == "/v1/completions" ? "cmpl-" : "req-";
    }

    void route(call& made) {
        const http_request& request = made.request;
        const std::string_view given = request.method;
        const std::string_view method = given == "HEAD" ? std::string_view{"GET"} : given;
        std::string methods;
        const endpoint* found = nullptr;
        for (const endpoint& each : routes_) {
            if (each.path != request.path) continue;
            methods += concat(methods.empty() ? "" : ", ", each.method,
                              each.method == "GET" ? ", HEAD" : "");
            if (each.method == method) found = &each;
        }
        if (given == "OPTIONS" && !methods.empty()) return options(made, methods);
        if (request.path != "/health" && !authorised(request, service_.options.api_keys))
            throw request_error{401, "", "invalid_api_key", "authorization: expected one of this ",
                                "server's API keys as a bearer token"};
        if (methods.empty()) return unknown_path(made);
        if (found) return (this->*found->serve)(made);
        http_response response =
            error_response(405, concat("request: expected ", methods, " for ", request.path,
                                       ", got ", printable(request.method)));
        response.headers.push_back({"allow", methods + ", OPTIONS"});
        answer(made, std::move(response));
    }
    void unknown_path(call& made) {
        const std::string_view path = made.request.path;
        if (path.starts_with("/v1/models/") &&
            (made.request.method == "GET" || made.request.method == "HEAD"))
            return one_model(made, path.substr(std::string_view{"/v1/models/"}.size()));
        made.context.path = "other";  // a metric's label must not grow with what clients invent
        std::string known;
        for (const endpoint& each : routes_)
            if (known.find(each.path + " ") == std::string::npos) known += each.path + " ";
        throw request_error{
            404, "", "", "request: expected one of ", known, "got ", printable(path)};
    }

    /// Answers and counts.
    void answer(call& made, http_response response) {
        response.headers.insert(response.headers.end(), made.context.headers.begin(),
                                made.context.headers.end());
        service_.metrics.answered(method_label(made.request.method), made.context.path,
                                  response.status);
        made.to->respond(std::move(response));
    }
    static std::string_view method_label(std::string_view method) {
        for (const std::string_view known : {"GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE"})
            if (method == known) return known;
        return "other";
    }

    void options(call& made, const std::string& methods) {
        http_response response;
        response.status = 204;
        response.content_type.clear();
        response.headers.push_back({"allow", methods + ", OPTIONS"});
        if (!cors_headers(made.request, service_.options).empty()) {
            response.headers.push_back({"access-control-allow-methods", methods});
            response.headers.push_back(
                {"access-control-allow-headers", "authorization, content-type, x-request-id"});
            response.headers.push_back({"access-control-max-age", "600"});
        }
        answer(made, std::move(response));
    }
    void health(call& made) {
        if (service_.runs.failed())
            throw request_error{503, "", "", "health: the engine has failed; restart the server"};
        http_response response;
        response.content_type.clear();
        answer(made, std::move(response));
    }
    void version(call& made) {
        json_writer out;
        out.begin_object().key("version").text(service_.options.version).end_object();
        answer(made, {200, "application/json", {}, out.take()});
    }
    void metrics(call& made) {
        answer(made, {200,
                      "text/plain; version=0.0.4; charset=utf-8",
                      {},
                      service_.metrics.text(service_.runs.stats(), service_.open_connections())});
    }

    void check_ready() const {
        if (service_.draining)
            throw request_error{503, "", "", "request: the server is shutting down; ask another"};
        if (service_.runs.failed())
            throw request_error{503, "", "", "request: the engine has failed; ask another server"};
    }
    void write_model(json_writer& out, const std::string& name) const {
        out.begin_object().key("id").text(name).key("object").text("model");
        out.key("created").number(static_cast<std::int64_t>(service_.started));
        out.key("owned_by").text("g4").key("root").text(service_.model.root);
        out.key("parent").null();
        out.key("max_model_len").number(service_.model.bounds.max_model_len);
        out.key("permission").begin_array().end_array().end_object();
    }
    void models(call& made) {
        check_ready();
        json_writer out;
        out.begin_object().key("object").text("list").key("data").begin_array();
        for (const std::string& name : service_.model.names) write_model(out, name);
        out.end_array().end_object();
        answer(made, {200, "application/json", {}, out.take()});
    }
    void one_model(call& made, std::string_view name) {
        made.context.path = "/v1/models/{model}";
        check_ready();
        for (const std::string& known : service_.model.names) {
            if (known != name) continue;
            json_writer out;
            write_model(out, known);
            return answer(made, {200, "application/json", {}, out.take()});
        }
        throw request_error{404,
                            "model",
                            "model_not_found",
                            "model: expected ",
                            service_.model.names.front(),
                            ", got \"",
                            printable(name),
                            "\", which is not served here"};
    }

    /// Runs `work` on a worker, then `then` with its result on the loop; a request_error of
    /// either, or anything else that `work` throws, becomes the answer.
    template <class Work, class Then> void on_worker(call& made, Work work, Then then) {
        using result = decltype(work(std::string{}));
        struct job {
            call made;
            Work work;
            Then then;
            std::optional<result> made_result;
            std::optional<http_response> refused;
        };
        const auto shared =
            std::make_shared<job>(job{std::move(made), std::move(work), std::move(then), {}, {}});
        const std::size_t bytes = shared->made.request.body.size();
        service_.workers.submit(
            bytes > large_body ? worker_pool::lane::large : worker_pool::lane::small,
            [this, shared] {
                try {
                    shared->made_result = shared->work(std::move(shared->made.request.body));
                } catch (const request_error& wrong) {
                    shared->refused = error_response(wrong);
                } catch (const input_error& wrong) {
                    shared->refused = error_response(400, wrong.what());
                } catch (const std::exception& failed) {
                    service_.options.log.error("serve: ", shared->made.context.path, ": ",
                                               failed.what());
                    shared->refused = error_response(500, "request: the server failed to read it");
                }
                service_.loop.post([this, shared] {
                    if (shared->refused) return answer(shared->made, std::move(*shared->refused));
                    if (!shared->made.to->open()) return;  // nobody waits any more
                    try {
                        shared->then(shared->made, std::move(*shared->made_result));
                    } catch (const request_error& wrong) {
                        answer(shared->made, error_response(wrong));
                    }
                });
            });
    }
    template <class Format, class Plan> void generate(call& made, Plan plan) {
        check_ready();
        on_worker(made, std::move(plan), [this](call& of, generation_plan&& planned) {
            check_ready();
            response_head head{of.context.id, service_.model.names.front(),
                               static_cast<std::int64_t>(std::time(nullptr))};
            auto format = std::make_unique<Format>(std::move(head), *service_.model.words, planned);
            std::make_shared<generation>(service_, of.to, of.context, std::move(planned),
                                         std::move(format))
                ->start();
        });
    }
    void chat(call& made) {
        generate<chat_format>(
            made, [this](std::string body) { return plan_chat(service_, parse_body(body)); });
    }
    void completions(call& made) {
        generate<completion_format>(
            made, [this](std::string body) { return plan_completion(service_, parse_body(body)); });
    }
    void tokenize(call& made) {
        on_worker(
            made, [this](std::string body) { return tokenize_answer(service_, parse_body(body)); },
            [this](call& of, std::string&& body) {
                answer(of, {200, "application/json", {}, std::move(body)});
            });
    }
    void detokenize(call& made) {
        on_worker(
            made,
            [this](std::string body) { return detokenize_answer(service_, parse_body(body)); },
            [this](call& of, std::string&& body) {
                answer(of, {200, "application/json", {}, std::move(body)});
            });
    }

    static constexpr std::size_t large_body = 128 << 10;

    service& service_;
    std::vector<endpoint> routes_;
};

}  // namespace g4::serve
