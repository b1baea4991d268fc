// What a client did wrong, in the form of OpenAI's API: a status, the field, and words.
#pragma once
#include "g4/core/error.hpp"
#include "g4/serve/http/message.hpp"
#include "g4/serve/json_writer.hpp"
#include <string>
#include <string_view>

namespace g4::serve {

/// An input_error that knows its HTTP status and the field of the body that it is about.
struct request_error : input_error {
    template <class... Parts>
    request_error(int with_status, std::string field, std::string error_code, const Parts&... parts)
        : input_error{parts...},
          status{with_status},
          param{std::move(field)},
          code{std::move(error_code)} {}
    int status;
    std::string param;  // empty: no single field
    std::string code;   // empty: none; e.g. "model_not_found"
};

/// 400 about one field; the message begins with the field's name.
template <class... Parts> [[noreturn]] void refuse_field(std::string field, const Parts&... parts) {
    const std::string message = concat(field, ": ", parts...);
    throw request_error{400, std::move(field), "", message};
}

/// The error types of OpenAI's API.
/// Source: platform.openai.com/docs/guides/error-codes, as its clients read them.
inline std::string_view error_type(int status) {
    if (status == 401) return "authentication_error";
    if (status == 429) return "rate_limit_error";
    if (status == 503) return "service_unavailable_error";
    if (status >= 500) return "server_error";
    return "invalid_request_error";
}

/// {"error": {"message": …, "type": …, "param": …, "code": …}}
inline void write_error(json_writer& out, int status, std::string_view message,
                        std::string_view param = {}, std::string_view code = {}) {
    const auto text_or_null = [&](std::string_view name, std::string_view value) {
        out.key(name);
        if (value.empty()) out.null();
        else out.text(value);
    };
    out.begin_object().key("error").begin_object();
    out.key("message").text(message).key("type").text(error_type(status));
    text_or_null("param", param);
    text_or_null("code", code);
    out.end_object().end_object();
}

inline http_response error_response(int status, std::string_view message,
                                    std::string_view param = {}, std::string_view code = {}) {
    json_writer out;
    write_error(out, status, message, param, code);
    http_response response;
    response.status = status;
    response.body = out.take();
    if (status == 429 || status == 503) response.headers.push_back({"retry-after", "1"});
    if (status == 401) response.headers.push_back({"www-authenticate", "Bearer"});
    return response;
}

inline http_response error_response(const request_error& wrong) {
    return error_response(wrong.status, wrong.what(), wrong.param, wrong.code);
}

}  // namespace g4::serve
