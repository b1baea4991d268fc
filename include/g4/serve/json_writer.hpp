// Writes JSON straight into a string: an answer is sent piece by piece, fifty times a second for
// each stream, and a tree of values would cost more than the answer.
#pragma once
#include <charconv>
#include <cmath>
#include <concepts>
#include <string>
#include <string_view>
#include <utility>

namespace g4::serve {

/// Members and elements in the order of the calls; the writer sets commas and quotes.
///
///     json_writer out;
///     out.begin_object().key("id").text(id).key("n").number(3).end_object();
class json_writer {
  public:
    json_writer& begin_object() { return open('{'); }
    json_writer& end_object() { return close('}'); }
    json_writer& begin_array() { return open('['); }
    json_writer& end_array() { return close(']'); }
    json_writer& key(std::string_view name) {
        separate();
        quote(name);
        out_ += ':';
        comma_ = false;
        return *this;
    }
    json_writer& text(std::string_view value) {
        separate();
        quote(value);
        return *this;
    }
    json_writer& boolean(bool value) { return raw(value ? "true" : "false"); }
    json_writer& null() { return raw("null"); }
    /// The shortest digits that read back as the same value; not a number becomes null.
    template <std::floating_point T> json_writer& number(T value) {
        if (!std::isfinite(value)) return null();
        return digits(value);
    }
    template <std::integral T> json_writer& number(T value) { return digits(value); }
    /// A value that is JSON already.
    json_writer& raw(std::string_view json) {
        separate();
        out_ += json;
        return *this;
    }

    /// An object whose bracket and first members were written before.
    json_writer& reopen_object(std::string_view beginning) { return raw(beginning); }

    const std::string& view() const { return out_; }
    /// What was written; the writer begins anew.
    std::string take() {
        comma_ = false;
        return std::exchange(out_, {});
    }

  private:
    json_writer& open(char bracket) {
        separate();
        out_ += bracket;
        comma_ = false;
        return *this;
    }
    json_writer& close(char bracket) {
        out_ += bracket;
        comma_ = true;
        return *this;
    }
    void separate() {
        if (comma_) out_ += ',';
        comma_ = true;
    }
    template <class T> json_writer& digits(T value) {
        separate();
        char text[40];
        out_.append(text, std::to_chars(text, text + sizeof text, value).ptr);
        return *this;
    }
    void quote(std::string_view value) {
        constexpr std::string_view hex = "0123456789abcdef";
        out_ += '"';
        std::size_t plain = 0;  // from here on nothing needed an escape
        for (std::size_t i = 0; i < value.size(); ++i) {
            const auto c = static_cast<unsigned char>(value[i]);
            if (c >= 0x20 && c != '"' && c != '\\') continue;
            out_ += value.substr(plain, i - plain);
            plain = i + 1;
            switch (c) {
                case '"': out_ += "\\\""; break;
                case '\\': out_ += "\\\\"; break;
                case '\n': out_ += "\\n"; break;
                case '\r': out_ += "\\r"; break;
                case '\t': out_ += "\\t"; break;
                default: out_.append("\\u00").append(1, hex[c >> 4]).append(1, hex[c & 15]);
            }
        }
        out_ += value.substr(plain);
        out_ += '"';
    }

    std::string out_;
    bool comma_ = false;  // the next member or element needs one before it
};

}  // namespace g4::serve
