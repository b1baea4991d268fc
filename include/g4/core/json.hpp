// JSON from outside: parsed under limits, read by typed access whose errors name file and path.
#pragma once
#include "g4/core/error.hpp"
#include "g4/core/file.hpp"
#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace g4 {

struct json_limits {
    std::size_t bytes = std::size_t{64} << 20;
    std::size_t depth = 64;
};

/// Text from outside as an error may show it: control characters escaped, cut after `most` bytes.
inline std::string printable(std::string_view text, std::size_t most = 160) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (const char c : text.substr(0, most)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 32 && byte != 127) out += c;
        else out.append("\\x").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
    }
    if (text.size() <= most) return out;
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xc0) == 0x80) out.pop_back();
    if (!out.empty() && static_cast<unsigned char>(out.back()) >= 0xc0) out.pop_back();
    return out + "…";
}

/// Parses a whole text of strict JSON (RFC 8259, UTF-8; of equal keys the last one counts).
///   where    what the text is, for messages: a file name, "request body"
///   storage  where the values live; by default the heap
/// Errors: input_error with line, column and byte offset.
inline boost::json::value parse_json(std::string_view text, std::string_view where,
                                     json_limits limits = {},
                                     boost::json::storage_ptr storage = {}) {
    if (text.size() > limits.bytes)
        throw input_error{where, ": expected at most ", limits.bytes, " bytes of JSON, got ",
                          text.size()};
    boost::json::parse_options options;
    options.max_depth = limits.depth;
    boost::json::stream_parser parser{std::move(storage), options};
    boost::json::error_code failed;
    std::size_t at = parser.write_some(text.data(), text.size(), failed);
    if (!failed && at < text.size()) failed = boost::json::error::extra_data;
    if (!failed) parser.finish(failed);
    if (!failed) return parser.release();
    at = std::min(at, text.size());
    const std::string_view before = text.substr(0, at);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t column = at - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
    throw input_error{where,
                      ": expected JSON, got ",
                      failed.message(),
                      " at line ",
                      line,
                      ", column ",
                      column,
                      " (byte ",
                      at,
                      ")"};
}

/// The same of a file. Errors: those of read_file and parse_json, naming the file.
inline boost::json::value read_json(const std::filesystem::path& file, json_limits limits = {},
                                    boost::json::storage_ptr storage = {}) {
    return parse_json(read_file(file, limits.bytes), file.string(), limits, std::move(storage));
}

/// A value together with the place where it stands, so that every error can name it.
/// A view: the value must outlive it.
///
///     const json_view config{value, "config.json"};
///     const std::int64_t layers = config["text_config"]["num_hidden_layers"].integer(1, 1000);
///     // config.json: text_config.num_hidden_layers: expected an integer from 1 to 1000, got "x"
class json_view {
  public:
    json_view(const boost::json::value& value, std::string_view where)
        : value_{&value}, where_{where} {}
    json_view(boost::json::value&&, std::string_view) = delete;  // it would dangle

    const boost::json::value& value() const { return *value_; }
    /// "config.json: text_config.layer_types[3]"
    std::string where() const { return path_.empty() ? where_ : where_ + ": " + path_; }

    /// The member of that name. Errors: input_error when this is no object or lacks it.
    json_view operator[](std::string_view key) const {
        if (const auto found = member(key)) return *found;
        throw input_error{where(), ": expected the key ", printable(key), ", got none"};
    }
    /// The member of that name, or nothing when it is absent or null.
    std::optional<json_view> find(std::string_view key) const {
        const auto found = member(key);
        return found && !found->value().is_null() ? found : std::nullopt;
    }
    bool has(std::string_view key) const { return find(key).has_value(); }

    std::vector<json_view> elements() const {
        if (!value_->is_array()) expected("a list");
        std::vector<json_view> out;
        out.reserve(value_->get_array().size());
        for (const boost::json::value& element : value_->get_array())
            out.push_back({element, where_, path_ + concat("[", out.size(), "]")});
        return out;
    }
    /// Name and value, in the order of the text.
    std::vector<std::pair<std::string_view, json_view>> members() const {
        if (!value_->is_object()) expected("an object");
        std::vector<std::pair<std::string_view, json_view>> out;
        out.reserve(value_->get_object().size());
        for (const auto& entry : value_->get_object()) {
            const std::string_view key{entry.key().data(), entry.key().size()};
            out.emplace_back(key, json_view{entry.value(), where_, below(key)});
        }
        return out;
    }

    /// A whole number; 4.0 and 4e0 are the number 4.
    std::int64_t integer(std::int64_t least = std::numeric_limits<std::int64_t>::min(),
                         std::int64_t most = std::numeric_limits<std::int64_t>::max()) const {
        if (const auto found = as_integer(); found && *found >= least && *found <= most)
            return *found;
        expected("an integer from ", least, " to ", most);
    }
    double number() const {
        if (!value_->is_number()) expected("a number");
        return value_->to_number<double>();
    }
    bool boolean() const {
        if (!value_->is_bool()) expected("true or false");
        return value_->get_bool();
    }
    std::string_view text() const {
        if (!value_->is_string()) expected("a text");
        return {value_->get_string().data(), value_->get_string().size()};
    }

    /// Throws "where: expected <parts>, got <this value>".
    template <class... Parts> [[noreturn]] void expected(const Parts&... parts) const {
        throw input_error{where(), ": expected ", parts..., ", got ", shown()};
    }

  private:
    json_view(const boost::json::value& value, const std::string& where, std::string path)
        : value_{&value}, where_{where}, path_{std::move(path)} {}

    std::string below(std::string_view key) const {
        return path_.empty() ? printable(key) : path_ + "." + printable(key);
    }
    std::optional<json_view> member(std::string_view key) const {
        if (!value_->is_object()) expected("an object");
        const boost::json::value* found = value_->get_object().if_contains(key);
        if (found == nullptr) return std::nullopt;
        return json_view{*found, where_, below(key)};
    }
    std::optional<std::int64_t> as_integer() const {
        if (value_->is_int64()) return value_->get_int64();
        if (!value_->is_double()) return std::nullopt;  // of uint64 only those beyond int64
        const double number = value_->get_double();
        constexpr double exact = 0x1p53;  // beyond it a double does not tell integers apart
        if (!(std::abs(number) <= exact) || number != std::trunc(number)) return std::nullopt;
        return static_cast<std::int64_t>(number);
    }
    std::string shown() const {
        if (value_->is_object())
            return concat("an object of ", value_->get_object().size(), " keys");
        if (value_->is_array()) return concat("a list of ", value_->get_array().size());
        if (value_->is_string()) return concat('"', printable(text()), '"');
        return boost::json::serialize(*value_);
    }

    const boost::json::value* value_;
    std::string where_, path_;
};

}  // namespace g4
