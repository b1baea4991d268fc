// Refuses JSON in which one object has a key twice: readers disagree on which one counts.
#pragma once
#include "g4/core/error.hpp"
#include "g4/core/json.hpp"
#include <boost/json/basic_parser_impl.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace g4 {

namespace detail {

/// Walks a text by the events of a Boost.JSON parser and keeps the keys of the open objects.
class key_watcher {
    using text = boost::json::string_view;
    using code = boost::json::error_code;

  public:
    static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

    bool on_document_begin(code&) { return true; }
    bool on_document_end(code&) { return true; }
    bool on_object_begin(code&) {
        open_.emplace_back();
        return true;
    }
    bool on_object_end(std::size_t, code&) {
        open_.pop_back();
        return true;
    }
    bool on_array_begin(code&) { return true; }
    bool on_array_end(std::size_t, code&) { return true; }
    bool on_key_part(text part, std::size_t, code&) {
        key_.append(part.data(), part.size());
        return true;
    }
    bool on_key(text part, std::size_t, code& failed) {
        key_.append(part.data(), part.size());
        if (!open_.back().insert(key_).second) {
            twice_ = key_;
            failed = boost::json::error::syntax;
        }
        key_.clear();
        return !failed;
    }
    bool on_string_part(text, std::size_t, code&) { return true; }
    bool on_string(text, std::size_t, code&) { return true; }
    bool on_number_part(text, code&) { return true; }
    bool on_int64(std::int64_t, text, code&) { return true; }
    bool on_uint64(std::uint64_t, text, code&) { return true; }
    bool on_double(double, text, code&) { return true; }
    bool on_bool(bool, code&) { return true; }
    bool on_null(code&) { return true; }
    bool on_comment_part(text, code&) { return true; }
    bool on_comment(text, code&) { return true; }

    /// The key that stood twice.
    const std::optional<std::string>& twice() const { return twice_; }

  private:
    std::vector<std::unordered_set<std::string>> open_;
    std::string key_;
    std::optional<std::string> twice_;
};

}  // namespace detail

/// Throws input_error naming the key when an object of `text`, which parse_json takes, has it
/// twice. For files in which a second entry would hide the first: headers, indices.
inline void refuse_duplicate_keys(std::string_view text, std::string_view where) {
    boost::json::basic_parser<detail::key_watcher> parser{boost::json::parse_options{}};
    boost::json::error_code failed;
    parser.write_some(false, text.data(), text.size(), failed);
    if (const auto& twice = parser.handler().twice())
        throw input_error{where, ": expected each key once, got ", printable(*twice), " twice"};
}

}  // namespace g4
