// Config structs read from JSON by the names of their members; every error names its path.
#pragma once
#include "g4/core/error.hpp"
#include "g4/core/reflect.hpp"
#include <boost/json.hpp>
#include <limits>
#include <string>

namespace g4 {

/// What a message says of a JSON value: short values as they are, long ones by their kind.
inline std::string brief(const boost::json::value& value) {
    if (value.is_object()) return "an object";
    if (value.is_array()) return "a list";
    std::string out = boost::json::serialize(value);
    return out.size() > 60 ? out.substr(0, 57) + "..." : out;
}

inline void read_config(const boost::json::value& json, bool& value, const std::string& where) {
    if (!json.is_bool())
        throw input_error{where, ": expected true or false, got ", brief(json)};
    value = json.get_bool();
}
template <std::integral T>
void read_config(const boost::json::value& json, T& value, const std::string& where) {
    boost::json::error_code failure;
    value = json.to_number<T>(failure);
    if (failure)
        throw input_error{where, ": expected a whole number up to ",
                          std::numeric_limits<T>::max(), ", got ", brief(json)};
}
template <std::floating_point T>
void read_config(const boost::json::value& json, T& value, const std::string& where) {
    if (!json.is_number()) throw input_error{where, ": expected a number, got ", brief(json)};
    value = static_cast<T>(json.to_number<double>());
}
template <spelled E>
void read_config(const boost::json::value& json, E& value, const std::string& where) {
    const auto names = spellings(E{});
    std::string known;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (json.is_string() && json.get_string() == names[i])
            return static_cast<void>(value = static_cast<E>(i));
        known += (i == 0 ? "" : " or ") + std::string{names[i]};
    }
    throw input_error{where, ": expected ", known, ", got ", brief(json)};
}
template <reflected T>
void read_config(const boost::json::value& json, T& config, const std::string& where);
template <class T>
void read_config(const boost::json::value& json, std::optional<T>& value,
                 const std::string& where) {
    value.reset();
    if (!json.is_null()) read_config(json, value.emplace(), where);
}
template <class T, std::size_t Max>
void read_config(const boost::json::value& json, list<T, Max>& values, const std::string& where) {
    if (!json.is_array()) throw input_error{where, ": expected a list, got ", brief(json)};
    values = {};
    for (const boost::json::value& entry : json.get_array()) {
        if (values.count == Max)
            throw input_error{where, ": expected at most ", Max, " entries, got ",
                              json.get_array().size()};
        T item{};
        read_config(entry, item, concat(where, "[", values.count, "]"));
        values.push_back(item);
    }
}

template <class T> inline constexpr bool is_optional = false;
template <class T> inline constexpr bool is_optional<std::optional<T>> = true;

/// Reads every member of `config` from the key of its name; keys without a member are left alone.
/// Errors: input_error "where: key: expected …, got …" for a missing or misfit value.
template <reflected T>
void read_config(const boost::json::value& json, T& config, const std::string& where) {
    if (!json.is_object()) throw input_error{where, ": expected an object, got ", brief(json)};
    hana::for_each(hana::accessors<T>(), hana::fuse([&](auto name, auto get) {
        auto& member = get(config);
        const std::string path = where + ": " + name.c_str();
        if (const auto* found = json.get_object().if_contains(name.c_str()))
            read_config(*found, member, path);
        else if (!is_optional<std::remove_reference_t<decltype(member)>>)
            throw input_error{path, ": expected a value, got none"};
    }));
}

}  // namespace g4
