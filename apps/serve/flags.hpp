// Command lines in vLLM's spelling: dashes or underscores, --x=y or --x y, --no-x, lists, JSON.
#pragma once
#include "g4/core/error.hpp"
#include "g4/core/json.hpp"
#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace g4::apps {

/// What stands behind a flag.
enum class flag_form {
    value,   // one word
    list,    // words up to the next flag; the flag may be repeated
    toggle,  // --x, --no-x, --x=true
    object,  // a JSON object, or one of its members: --x.member.member=value
};

struct flag {
    std::string name;  // "max-model-len"
    flag_form form = flag_form::value;
    std::string shows;  // what the value is called in --help
    std::string help;
    std::function<void(const std::string&)> take{};                 // value, and each of a list
    std::function<void(bool)> set{};                                // toggle
    std::function<void(const boost::json::object&)> take_object{};  // once, with all members
};

/// A group of flags under a heading of --help.
struct flag_group {
    std::string heading;
    std::vector<flag> flags;
};

/// "18k" is 18,000 and "18K" is 18 · 1024, as in vLLM; also m and g.
/// Errors: input_error that names the flag.
inline std::int64_t human_size(const std::string& flag_name, const std::string& text,
                               std::int64_t least, std::int64_t most) {
    double number = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number);
    const std::string_view suffix{read.ptr, static_cast<std::size_t>(end - read.ptr)};
    constexpr std::pair<std::string_view, double> scales[] = {
        {"", 1}, {"k", 1e3}, {"K", 1024.0}, {"m", 1e6}, {"M", 1 << 20}, {"g", 1e9}, {"G", 1 << 30}};
    for (const auto& [name, scale] : scales) {
        if (read.ec != std::errc{} || suffix != name) continue;
        const double value = number * scale;
        if (value == std::trunc(value) && value >= static_cast<double>(least) &&
            value <= static_cast<double>(most))
            return static_cast<std::int64_t>(value);
        break;
    }
    throw input_error{"--",   flag_name, ": expected a number from ",     least,
                      " to ", most,      ", such as 2048 or 18k, got \"", printable(text),
                      '"'};
}

/// Above 0 and at most 1. Errors: input_error that names the flag.
inline double fraction(const std::string& flag_name, const std::string& text) {
    double number = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number);
    if (read.ec != std::errc{} || read.ptr != end || !(number > 0) || number > 1)
        throw input_error{"--", flag_name, ": expected a number above 0 and at most 1, such as ",
                          "0.9, got \"", printable(text), '"'};
    return number;
}

/// One of the listed words. Errors: input_error that names the flag and the words.
inline std::string one_of(const std::string& flag_name, const std::string& text,
                          std::initializer_list<std::string_view> words) {
    std::string list;
    for (const std::string_view word : words) {
        if (text == word) return text;
        list += concat(list.empty() ? "" : ", ", word);
    }
    throw input_error{"--", flag_name, ": expected ", list, ", got \"", printable(text), '"'};
}

/// Steps of insertion, removal and exchange between two words.
/// Source: Wagner and Fischer, "The string-to-string correction problem", 1974.
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t corner = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t changed = corner + (a[i] == b[j] ? 0 : 1);
            corner = row[j + 1];
            row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
        }
    }
    return row.back();
}

class flag_parser {
  public:
    /// The groups must outlive the parser. `positional` takes what is no flag.
    flag_parser(const std::vector<flag_group>& groups,
                std::function<void(const std::string&)> positional)
        : groups_{groups}, positional_{std::move(positional)} {}

    /// Errors: input_error that names the flag, what it expects, and for an unknown one its nearest
    /// neighbour.
    void parse(std::span<const std::string> words) {
        for (std::size_t i = 0; i < words.size(); ++i) {
            const std::string& word = words[i];
            if (!is_flag(word)) {
                positional_(word);
                continue;
            }
            const std::size_t equals = word.find('=');
            std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
            std::optional<std::string> value;
            if (equals != std::string::npos) value = word.substr(equals + 1);
            i = take(words, i, std::move(name), std::move(value));
        }
        for (auto& [of, members] : objects_) of->take_object(members);
    }

  private:
    static bool is_flag(std::string_view word) { return word.size() > 2 && word.starts_with("--"); }

    const flag* find(std::string_view name) const {
        for (const flag_group& group : groups_)
            for (const flag& each : group.flags)
                if (each.name == name) return &each;
        return nullptr;
    }

    /// Takes one flag and its words; returns the place of the last word it took.
    std::size_t take(std::span<const std::string> words, std::size_t at, std::string name,
                     std::optional<std::string> value) {
        std::string member;
        if (const std::size_t dot = name.find('.'); dot != std::string::npos) {
            member = name.substr(dot + 1);
            name.resize(dot);
        }
        std::replace(name.begin(), name.end(), '_', '-');
        const flag* found = find(name);
        if (!found && name.starts_with("no-")) {
            const flag* opposite = find(std::string_view{name}.substr(3));
            if (opposite && opposite->form == flag_form::toggle && !value) {
                opposite->set(false);
                return at;
            }
        }
        if (!found) unknown(name);
        if (!member.empty() && found->form != flag_form::object)
            throw input_error{"--", name, ": expected no member behind the name, got .", member};
        if (found->form == flag_form::toggle) {
            found->set(!value || read_bool(name, *value));
            return at;
        }
        if (found->form == flag_form::list) return take_list(*found, words, at, value);
        if (!value) {
            if (at + 1 >= words.size() || is_flag(words[at + 1]))
                throw input_error{"--", name, ": expected ", found->shows, ", got nothing"};
            value = words[++at];
        }
        if (found->form == flag_form::object) add_members(*found, member, *value);
        else found->take(*value);
        return at;
    }

    std::size_t take_list(const flag& of, std::span<const std::string> words, std::size_t at,
                          const std::optional<std::string>& value) {
        if (value) {
            of.take(*value);
            return at;
        }
        const std::size_t first = at + 1;
        while (at + 1 < words.size() && !is_flag(words[at + 1])) of.take(words[++at]);
        if (at + 1 == first)
            throw input_error{"--", of.name, ": expected ", of.shows, ", got nothing"};
        return at;
    }

    static bool read_bool(const std::string& name, const std::string& text) {
        return one_of(name, text, {"true", "false", "True", "False", "1", "0"})
                   .find_first_of("tT1") == 0;
    }

    void add_members(const flag& of, const std::string& path, const std::string& text) {
        const std::string where = "--" + of.name;
        boost::json::object& into = objects_[&of];
        if (path.empty()) {
            const boost::json::value parsed = parse_json(text, where);
            if (!parsed.is_object())
                throw input_error{where, ": expected a JSON object, got ", printable(text)};
            for (const auto& entry : parsed.get_object()) into[entry.key()] = entry.value();
            return;
        }
        boost::json::value leaf;
        try {
            leaf = parse_json(text, where);
        } catch (const input_error&) {
            leaf = boost::json::string{text};  // a word without quotes, as a shell leaves it
        }
        boost::json::object* object = &into;
        std::string_view rest = path;
        for (std::size_t dot = rest.find('.'); dot != rest.npos; dot = rest.find('.')) {
            boost::json::value& next = (*object)[rest.substr(0, dot)];
            if (!next.is_object()) next = boost::json::object{};
            object = &next.get_object();
            rest.remove_prefix(dot + 1);
        }
        (*object)[rest] = std::move(leaf);
    }

    [[noreturn]] void unknown(const std::string& name) const {
        const flag* nearest = nullptr;
        std::size_t best = name.size() / 2 + 1;  // farther ones are no help
        for (const flag_group& group : groups_)
            for (const flag& each : group.flags)
                if (const std::size_t steps = edit_distance(name, each.name); steps < best) {
                    best = steps;
                    nearest = &each;
                }
        throw input_error{"--", printable(name), ": unknown flag",
                          nearest ? concat("; did you mean --", nearest->name, '?') : std::string{},
                          " (--help lists all)"};
    }

    const std::vector<flag_group>& groups_;
    std::function<void(const std::string&)> positional_;
    std::map<const flag*, boost::json::object> objects_;
};

/// The groups as --help shows them, wrapped to 80 columns.
inline std::string help_text(const std::vector<flag_group>& groups) {
    std::string out;
    for (const flag_group& group : groups) {
        out += concat('\n', group.heading, ":\n");
        for (const flag& each : group.flags) {
            std::string left = concat("  --", each.form == flag_form::toggle ? "[no-]" : "",
                                      each.name, each.shows.empty() ? "" : " ", each.shows);
            constexpr std::size_t column = 34, width = 96;
            if (left.size() + 2 > column) {
                out += left + '\n';
                left.clear();
            }
            std::string line = left + std::string(column - left.size(), ' ');
            for (std::size_t at = 0; at < each.help.size();) {
                const std::size_t end = std::min(each.help.find(' ', at), each.help.size());
                const std::string word = each.help.substr(at, end - at);
                if (line.size() + word.size() > width) {
                    out += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
                    line = std::string(column, ' ');
                }
                line += word + ' ';
                at = end + 1;
            }
            out += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
        }
    }
    return out;
}

}  // namespace g4::apps
