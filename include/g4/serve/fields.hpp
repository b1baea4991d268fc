// Typed access to the fields of a request body, with errors that name the field.
#pragma once
#include "g4/core/json.hpp"
#include "g4/serve/request_error.hpp"
#include <boost/json.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace g4::serve {

namespace json = boost::json;

/// A value as a message may show it.
inline std::string shown(const json::value& value) {
    if (value.is_object()) return concat("an object of ", value.get_object().size(), " keys");
    if (value.is_array()) return concat("a list of ", value.get_array().size());
    if (value.is_string())
        return concat('"', printable({value.get_string().data(), value.get_string().size()}), '"');
    if (value.is_double()) return concat(value.get_double());
    return json::serialize(value);
}

/// A whole number in range, also written 4.0; nothing for any other value.
inline std::optional<std::int64_t> whole_number(const json::value& value, std::int64_t least,
                                                std::int64_t most) {
    std::int64_t found = 0;
    if (value.is_int64()) found = value.get_int64();
    else if (value.is_double() && std::abs(value.get_double()) <= 0x1p53 &&
             value.get_double() == std::trunc(value.get_double()))
        found = static_cast<std::int64_t>(value.get_double());
    else return std::nullopt;  // of uint64 only those beyond int64 come as such
    if (found < least || found > most) return std::nullopt;
    return found;
}

/// The fields of one object of the body. A field that is null counts as absent, as OpenAI's
/// clients mean it; a field that nobody asks for is ignored.
/// Errors: request_error 400 whose param is the field with its path, "stream_options.foo".
class fields {
  public:
    explicit fields(const json::object& of, std::string path = {})
        : of_{&of}, path_{std::move(path)} {}

    std::string name(std::string_view field) const {
        return path_.empty() ? std::string{field} : concat(path_, '.', field);
    }
    const json::value* find(std::string_view field) const {
        const json::value* found = of_->if_contains(field);
        return found && !found->is_null() ? found : nullptr;
    }
    bool has(std::string_view field) const { return find(field) != nullptr; }

    std::optional<bool> boolean(std::string_view field) const {
        const json::value* found = find(field);
        if (!found) return std::nullopt;
        if (!found->is_bool()) expected(field, "true or false");
        return found->get_bool();
    }
    bool boolean_or(std::string_view field, bool otherwise) const {
        return boolean(field).value_or(otherwise);
    }
    std::optional<std::int64_t> integer(std::string_view field, std::int64_t least,
                                        std::int64_t most) const {
        const json::value* found = find(field);
        if (!found) return std::nullopt;
        if (const auto number = whole_number(*found, least, most)) return number;
        expected(field, "an integer from ", least, " to ", most);
    }
    std::optional<float> number(std::string_view field, double least, double most) const {
        const json::value* found = find(field);
        if (!found) return std::nullopt;
        if (found->is_number()) {
            const double value = found->to_number<double>();
            if (value >= least && value <= most) return static_cast<float>(value);
        }
        expected(field, "a number from ", least, " to ", most);
    }
    std::optional<std::string> text(std::string_view field, std::size_t most_bytes) const {
        const json::value* found = find(field);
        if (!found) return std::nullopt;
        if (!found->is_string()) expected(field, "a text");
        if (found->get_string().size() > most_bytes)
            refuse_field(name(field), "expected at most ", most_bytes, " bytes, got ",
                         found->get_string().size());
        return std::string{found->get_string().data(), found->get_string().size()};
    }
    const json::object* object(std::string_view field) const {
        const json::value* found = find(field);
        if (!found) return nullptr;
        if (!found->is_object()) expected(field, "an object");
        return &found->get_object();
    }
    const json::array* array(std::string_view field, std::size_t most) const {
        const json::value* found = find(field);
        if (!found) return nullptr;
        if (!found->is_array()) expected(field, "a list");
        if (found->get_array().size() > most)
            refuse_field(name(field), "expected at most ", most, " elements, got ",
                         found->get_array().size());
        return &found->get_array();
    }

    /// "field: expected <parts>, got <its value>"
    template <class... Parts>
    [[noreturn]] void expected(std::string_view field, const Parts&... parts) const {
        const json::value* found = of_->if_contains(field);
        refuse_field(name(field), "expected ", parts..., ", got ",
                     found ? shown(*found) : std::string{"nothing"});
    }

  private:
    const json::object* of_;
    std::string path_;
};

/// The body of a request. Errors: request_error 400 with line and column.
inline json::object parse_body(std::string_view body) {
    if (body.empty())
        throw request_error{400, "", "", "request body: expected a JSON object, got nothing"};
    json::value parsed;
    try {
        parsed = parse_json(body, "request body");
    } catch (const input_error& wrong) {
        throw request_error{400, "", "", wrong.what()};
    }
    if (!parsed.is_object())
        throw request_error{400, "", "", "request body: expected a JSON object, got ",
                            shown(parsed)};
    return std::move(parsed.get_object());
}

}  // namespace g4::serve
