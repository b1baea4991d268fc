// The errors of the project, each built from parts that carry values.
#pragma once
#include <charconv>
#include <concepts>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace g4 {

namespace detail {

inline void append_part(std::string& out, std::string_view part) { out += part; }
inline void append_part(std::string& out, char part) { out += part; }
template <std::same_as<bool> T>  // a template, or a text literal would become a bool
void append_part(std::string& out, T part) {
    out += part ? "true" : "false";
}
template <class T>
    requires(std::is_arithmetic_v<T> && !std::same_as<T, char> && !std::same_as<T, bool>)
void append_part(std::string& out, T part) {
    char digits[40];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, part).ptr);
}

}  // namespace detail

/// The parts one behind the other: text as it is, numbers as the shortest text that reads back.
template <class... Parts> std::string concat(const Parts&... parts) {
    std::string out;
    (detail::append_part(out, parts), ...);
    return out;
}

/// What came from outside is wrong: a file, a flag, a request. The user can mend it.
///   form: "where: expected what, got what", and the fix when it is known
struct input_error : std::runtime_error {
    template <class... Parts>
    explicit input_error(const Parts&... parts) : std::runtime_error{concat(parts...)} {}
};

/// A device, driver, or compiler failed; the text holds the call, its code and its log.
struct device_error : std::runtime_error {
    template <class... Parts>
    explicit device_error(const Parts&... parts) : std::runtime_error{concat(parts...)} {}
};

/// Our own bug, found by a check; the text names the pass or part that found it.
struct internal_error : std::logic_error {
    template <class... Parts>
    explicit internal_error(const Parts&... parts) : std::logic_error{concat(parts...)} {}
};

}  // namespace g4

/// Throws internal_error with file, line, condition and the parts behind it when `condition` fails.
#define G4_ASSERT(condition, ...)                                                              \
    do {                                                                                       \
        if (!(condition))                                                                      \
            throw g4::internal_error{__FILE__, ":", __LINE__, ": " #condition " "              \
                                     __VA_OPT__(,) __VA_ARGS__};                               \
    } while (false)
