// What g4-bench perplexity prints, and what it writes for other programs to compare with.
#pragma once
#include "apps/bench/perplexity.hpp"
#include "apps/bench/report_sweep.hpp"

namespace g4::apps {

/// What was run and under which protocol.
struct perplexity_setting {
    std::string model, machine;
    std::int32_t begin_token = 0, context = 0, stride = 0;
};

/// A text with what the model says of it.
struct text_result {
    scored_text text;
    std::vector<float> logprobs;
    double seconds = 0;

    text_figures figures() const { return figures_of(logprobs, text.bytes); }
    double tokens_per_second() const { return static_cast<double>(logprobs.size()) / seconds; }
};

inline std::string perplexity_table(const perplexity_setting& s,
                                    const std::vector<text_result>& results) {
    std::string out;
    add_line(out, "model", s.model);
    add_line(out, "machine", s.machine);
    add_line(out, "protocol",
             concat("windows of <bos> and ", s.context - 1, " tokens, each ", s.stride,
                    " further; every token scored once"));
    out +=
        "\n| text | bytes | tokens | windows | nll | perplexity | bits/byte | tok/s |\n"
        "|---|--:|--:|--:|--:|--:|--:|--:|\n";
    for (const text_result& r : results) {
        const text_figures f = r.figures();
        out += concat("| ", std::filesystem::path{r.text.name}.filename().string(), " | ",
                      r.text.bytes, " | ", r.logprobs.size(), " | ", r.text.windows.size(), " | ",
                      fixed(f.mean_nll, 4), " ± ", fixed(f.standard_error, 4), " | ",
                      fixed(f.perplexity, 3), " | ", fixed(f.bits_per_byte, 4), " | ",
                      fixed(r.tokens_per_second(), 1), " |\n");
    }
    return out;
}

inline boost::json::object perplexity_setting_json(const perplexity_setting& s) {
    return {{"model", s.model},     {"machine", s.machine},
            {"date", today()},      {"begin_token", s.begin_token},
            {"context", s.context}, {"stride", s.stride}};
}

inline report_text report_perplexity(const perplexity_setting& s,
                                     const std::vector<text_result>& results) {
    boost::json::array texts;
    for (const text_result& r : results) {
        const text_figures f = r.figures();
        texts.push_back(boost::json::object{{"text", r.text.name},
                                            {"sha256", r.text.sha256},
                                            {"bytes", r.text.bytes},
                                            {"tokens", r.logprobs.size()},
                                            {"windows", r.text.windows.size()},
                                            {"mean_nll", f.mean_nll},
                                            {"standard_error", f.standard_error},
                                            {"perplexity", f.perplexity},
                                            {"bits_per_byte", f.bits_per_byte},
                                            {"seconds", r.seconds},
                                            {"tokens_per_second", r.tokens_per_second()}});
    }
    report_text out{perplexity_table(s, results), perplexity_setting_json(s)};
    out.json["texts"] = std::move(texts);
    return out;
}

/// Every token with its log-probability; each window as [begin, scored, end].
inline boost::json::object logprobs_json(const perplexity_setting& s,
                                         const std::vector<text_result>& results) {
    boost::json::array texts;
    for (const text_result& r : results) {
        boost::json::array windows;
        for (const text_window& w : r.text.windows)
            windows.push_back(boost::json::array{w.begin, w.scored, w.end});
        texts.push_back(boost::json::object{
            {"text", r.text.name},
            {"sha256", r.text.sha256},
            {"bytes", r.text.bytes},
            {"seconds", r.seconds},
            {"windows", std::move(windows)},
            {"tokens", boost::json::array(r.text.tokens.begin(), r.text.tokens.end())},
            {"logprobs", boost::json::array(r.logprobs.begin(), r.logprobs.end())}});
    }
    boost::json::object out = perplexity_setting_json(s);
    out["texts"] = std::move(texts);
    return out;
}

}  // namespace g4::apps
