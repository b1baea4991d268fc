// Every flag of g4-serve: what works, what is accepted and not there yet, what is refused and why.
// Source: vLLM 0.19, `vllm serve --help`, for names and meaning.
#pragma once
#include "apps/serve/flags.hpp"
#include "apps/serve/options.hpp"
#include "g4/serve/conversation_fields.hpp"
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace g4::apps {

namespace detail {

using serve::check_media_kwargs;

/// Builds the table: each flag writes into one serve_options.
class flag_maker {
  public:
    explicit flag_maker(serve_options& into) : into_{into} {}

    template <class Take>
    flag value(std::string name, std::string shows, std::string help, Take take) const {
        return {std::move(name), flag_form::value, std::move(shows), std::move(help), take};
    }
    template <class Take>
    flag list(std::string name, std::string shows, std::string help, Take take) const {
        return {std::move(name), flag_form::list, std::move(shows), std::move(help), take};
    }
    template <class Set> flag toggle(std::string name, std::string help, Set set) const {
        return {std::move(name), flag_form::toggle, "", std::move(help), {}, set};
    }
    template <class Take>
    flag object(std::string name, std::string help, Take take) const {
        return {std::move(name), flag_form::object, "JSON", std::move(help), {}, {}, take};
    }
    flag text(std::string name, std::string shows, std::string help,
              std::string serve_options::* to) const {
        return value(std::move(name), std::move(shows), std::move(help),
                     [this, to](const std::string& text) { into_.*to = text; });
    }
    /// A count with an optional k, K, m, M, g or G behind it.
    template <class Number>
    flag count(std::string name, std::string help, Number serve_options::* to, std::int64_t least,
               std::int64_t most) const {
        const std::string copy = name;
        return value(std::move(name), "N", std::move(help),
                     [this, to, copy, least, most](const std::string& text) {
                         into_.*to =
                             static_cast<typed<Number>>(human_size(copy, text, least, most));
                     });
    }

    /// Accepted, with one line in the log.
    flag noted(std::string name, std::string shows, std::string why) const {
        const std::string line = concat("--", name, ": accepted; ", why);
        return {std::move(name), flag_form::value, std::move(shows), "Accepted: " + why + ".",
                [this, line](const std::string&) { note(line); }};
    }
    flag noted_list(std::string name, std::string shows, std::string why) const {
        flag out = noted(std::move(name), std::move(shows), std::move(why));
        out.form = flag_form::list;
        return out;
    }
    flag noted_toggle(std::string name, std::string why) const {
        const std::string line = concat("--", name, ": accepted; ", why);
        return toggle(std::move(name), "Accepted: " + why + ".", [this, line](bool on) {
            if (on) note(line);
        });
    }
    flag noted_object(std::string name, std::string why) const {
        const std::string line = concat("--", name, ": accepted; ", why);
        return object(std::move(name), "Accepted: " + why + ".",
                      [this, line](const boost::json::object&) { note(line); });
    }
    /// One value works, which is what this server does; all others are refused.
    flag fixed(std::string name, std::string only, std::string why) const {
        const std::string copy = name;
        return value(std::move(name), only, "Only " + only + ": " + why + ".",
                     [copy, only, why](const std::string& text) {
                         if (text != only)
                             throw input_error{"--",   copy,       ": expected ",
                                               only,   ", got \"", printable(text),
                                               "\": ", why};
                     });
    }
    flag refused(std::string name, std::string why) const {
        const std::string copy = name;
        return value(std::move(name), "VALUE", "Refused: " + why + ".",
                     [copy, why](const std::string&) {
                         throw input_error{"--", copy, ": not supported: ", why};
                     });
    }
    void note(std::string line) const { into_.notes.push_back(std::move(line)); }
    serve_options& into() const { return into_; }

  private:
    template <class T> struct inside {
        using type = T;
    };
    template <class T> struct inside<std::optional<T>> {
        using type = T;
    };
    template <class T> using typed = typename inside<T>::type;

    serve_options& into_;
};

}  // namespace detail
}  // namespace g4::apps
