// What a sweep prints: a section of Markdown for bench/RESULTS.md, and the same figures as JSON.
#pragma once
#include "apps/bench/breakdown.hpp"
#include "apps/bench/report.hpp"
#include "apps/bench/sweep.hpp"
#include <ctime>

namespace g4::apps {

inline std::string today() {
    const std::time_t now = std::time(nullptr);
    char out[16];
    std::strftime(out, sizeof out, "%Y-%m-%d", std::localtime(&now));
    return out;
}

inline std::string sweep_heading(const bench_options& options, const bench_setting& s) {
    const auto rate = [](double bytes) { return fixed(bytes / 1e9, 0); };
    return concat("## ", s.machine(), "\n\n", today(), ", commit COMMIT: `g4-bench sweep ", s.model,
                  "`", options.load_format == "dummy" ? ", weights made up" : "",
                  ". Read limit of the run: ", rate(s.read_limit()), " GB/s (before ",
                  rate(s.limit_before), ", behind ", rate(s.limit_behind), ").\n");
}

inline std::string decode_table(const bench_setting& s, const std::vector<int>& batches,
                                const std::vector<decode_point>& points) {
    std::string out = "\nDecode, greedy: tokens a second of all sequences; milliseconds a step; "
                      "share of the read limit.\n\n| context |", line = "\n|--:|";
    for (const int batch : batches) {
        out += concat(" batch ", batch, " |");
        line += "---|";
    }
    out += line;
    int context = 0;
    for (const decode_point& first : points) {
        if (first.context == context) continue;
        context = first.context;
        out += concat("\n| ", context, " |");
        for (const int batch : batches) {
            const auto at = std::find_if(points.begin(), points.end(), [&](const auto& p) {
                return p.context == context && p.batch == batch; });
            if (at == points.end()) {
                out += " – |";
                continue;
            }
            const double seconds = at->times.decode_seconds;
            out += concat(" ", fixed(batch / seconds, 0), " tok/s, ", fixed(seconds * 1e3, 3),
                          " ms, ", fixed(100 * at->bytes / seconds / s.read_limit(), 1), " % |");
        }
    }
    return out + "\n";
}

inline std::string prefill_table(const std::vector<prefill_point>& points) {
    std::string out = "\nPrefill of one prompt, from its submission to its token. Operations of "
                      "the linears that ran; and as if all rows ran through all layers.\n\n"
                      "| prompt | ms | tok/s | ran | all layers |\n|--:|--:|--:|--:|--:|\n";
    for (const prefill_point& p : points)
        out += concat("| ", p.length, " | ", fixed(p.seconds * 1e3, 2), " | ",
                      fixed(p.length / p.seconds, 0), " | ",
                      operations_a_second(p.work.ran / p.seconds), " | ",
                      operations_a_second(p.work.all_layers / p.seconds), " |\n");
    return out;
}

inline boost::json::object sweep_json(const bench_setting& s, const sweep_result& r) {
    boost::json::array decodes, prefills, left_out;
    for (const decode_point& p : r.decodes)
        decodes.push_back(boost::json::object{
            {"context", p.context}, {"batch", p.batch}, {"seconds", p.times.decode_seconds},
            {"fastest_seconds", p.times.decode_fastest},
            {"slowest_seconds", p.times.decode_slowest}, {"steps", p.times.decode_steps},
            {"tokens_per_second", p.batch / p.times.decode_seconds}, {"bytes_per_step", p.bytes},
            {"share_of_read_limit", p.bytes / p.times.decode_seconds / s.read_limit()}});
    for (const prefill_point& p : r.prefills)
        prefills.push_back(boost::json::object{
            {"length", p.length}, {"seconds", p.seconds}, {"fastest_seconds", p.fastest},
            {"tokens_per_second", p.length / p.seconds},
            {"operations_per_second", p.work.ran / p.seconds},
            {"operations_per_second_all_layers", p.work.all_layers / p.seconds}});
    for (const std::string& words : r.left_out) left_out.push_back(boost::json::string(words));
    return {{"model", s.model}, {"processor", s.processor}, {"date", today()},
            {"read_limit_bytes_per_second", s.read_limit()},
            {"read_limit_before", s.limit_before}, {"read_limit_behind", s.limit_behind},
            {"decode", std::move(decodes)}, {"prefill", std::move(prefills)},
            {"left_out", std::move(left_out)}};
}

inline report_text report_sweep(const bench_options& options, const bench_setting& s,
                                const sweep_result& r) {
    report_text out{sweep_heading(options, s) + decode_table(s, options.batches, r.decodes) +
                        prefill_table(r.prefills), sweep_json(s, r)};
    for (std::size_t i = 0; i < r.left_out.size(); ++i)
        out.table += (i == 0 ? "\nLeft out: " : "; ") + r.left_out[i];
    if (!r.left_out.empty()) out.table += ".\n";
    return out;
}

inline void add_breakdowns(report_text& to, const std::vector<breakdown>& all) {
    boost::json::array list;
    for (const breakdown& one : all) {
        to.table += print(one);
        list.push_back(json_of(one));
    }
    to.json["breakdown"] = std::move(list);
}

}  // namespace g4::apps
