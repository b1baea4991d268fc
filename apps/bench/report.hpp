// What g4-bench prints: a table for people, and the same figures as JSON.
#pragma once
#include "apps/bench/latency.hpp"
#include "apps/bench/options.hpp"
#include "apps/bench/throughput.hpp"
#include "apps/bench/work.hpp"
#include "g4/core/json.hpp"
#include "g4/passes/plan_print.hpp"
#include <boost/json.hpp>
#include <cstdio>
#include <string>

namespace g4::apps {

/// The machine and the work of a run, in every report.
struct bench_setting {
    std::string model, processor;
    int threads = 0;        // 0: a GPU
    double limit_before = 0, limit_behind = 0;  // bytes a second that were read
    double decode_bytes = 0;       // of one decode step at half of the answer
    prefill_operations prefill{};  // of all prompts

    /// Shared hosts change their mind within a run: the better one counts.
    double read_limit() const { return std::max(limit_before, limit_behind); }
    std::string machine() const {
        return threads > 0 ? concat(processor, ", ", threads, " threads") : processor;
    }
};

inline boost::json::object setting_json(const bench_options& options, const bench_setting& s) {
    return {{"model", s.model}, {"processor", s.processor}, {"threads", s.threads},
            {"input_len", options.input_len}, {"output_len", options.output_len},
            {"batch_size", options.batch_size}, {"activations", options.activations},
            {"read_limit_bytes_per_second", s.read_limit()}};
}

struct report_text {
    std::string table;
    boost::json::object json;
};

inline void add_line(std::string& table, std::string_view name, const std::string& value) {
    table += concat("  ", name, std::string(name.size() < 28 ? 28 - name.size() : 1, ' '), value,
                    "\n");
}

/// In the unit that people use for such a machine.
inline std::string operations_a_second(double rate) {
    return rate >= 1e13 ? fixed(rate / 1e12, 1) + " TFLOP/s" : fixed(rate / 1e9, 0) + " GOP/s";
}

inline report_text report_latency(const bench_options& options, const bench_setting& s,
                                  const latency_result& r) {
    report_text out{"", setting_json(options, s)};
    const double prompt = static_cast<double>(options.input_len) * options.batch_size;
    const double prefill_rate = prompt / r.prefill_seconds;
    add_line(out.table, "model", s.model);
    add_line(out.table, "machine", s.machine());
    add_line(out.table, "read limit, this run", fixed(s.read_limit() / 1e9, 1) + " GB/s");
    add_line(out.table, "prefill", concat(fixed(prefill_rate, 1), " tok/s (", options.input_len,
                                          " tokens x ", options.batch_size, ", ",
                                          fixed(r.prefill_seconds * 1e3, 1), " ms)"));
    add_line(out.table, "  operations, all layers",
             operations_a_second(s.prefill.all_layers / r.prefill_seconds));
    add_line(out.table, "  operations that ran",
             operations_a_second(s.prefill.ran / r.prefill_seconds));
    out.json["prefill_seconds"] = r.prefill_seconds;
    out.json["prefill_tokens_per_second"] = prefill_rate;
    out.json["prefill_operations_per_second_all_layers"] =
        s.prefill.all_layers / r.prefill_seconds;
    out.json["prefill_operations_per_second"] = s.prefill.ran / r.prefill_seconds;
    if (r.decode_steps == 0) return out;
    const double rate = options.batch_size / r.decode_seconds;
    const double bytes = s.decode_bytes / r.decode_seconds;
    const auto milliseconds = [](double seconds) { return fixed(seconds * 1e3, 2); };
    add_line(out.table, "decode",
             concat(fixed(rate, 2), " tok/s (", milliseconds(r.decode_seconds), " ms a step; ",
                    milliseconds(r.decode_fastest), " to ", milliseconds(r.decode_slowest), ", ",
                    r.decode_steps, " steps)"));
    add_line(out.table, "  bytes a step, by the plan", megabytes(s.decode_bytes));
    add_line(out.table, "  read", concat(fixed(bytes / 1e9, 1), " GB/s = ",
                                         fixed(100 * bytes / s.read_limit(), 1),
                                         " % of the read limit"));
    out.json["decode_seconds"] = r.decode_seconds;
    out.json["decode_tokens_per_second"] = rate;
    out.json["decode_bytes_per_step"] = s.decode_bytes;
    out.json["decode_share_of_read_limit"] = bytes / s.read_limit();
    return out;
}

inline report_text report_throughput(const bench_options& options, const bench_setting& s,
                                     const throughput_result& r) {
    report_text out{"", setting_json(options, s)};
    add_line(out.table, "model", s.model);
    add_line(out.table, "machine", s.machine());
    add_line(out.table, "requests", concat(options.num_prompts, " of ", options.input_len, " + ",
                                           options.output_len, " tokens, at most ",
                                           options.max_num_seqs, " at once"));
    add_line(out.table, "took", fixed(r.seconds, 2) + " s");
    const double generated = static_cast<double>(r.generated_tokens) / r.seconds;
    const double all = static_cast<double>(r.prompt_tokens + r.generated_tokens) / r.seconds;
    add_line(out.table, "generated", fixed(generated, 1) + " tok/s");
    add_line(out.table, "prompt and generated", fixed(all, 1) + " tok/s");
    add_line(out.table, "first token", concat(fixed(r.first_token_median, 2), " s median, ",
                                              fixed(r.first_token_slowest, 2), " s slowest"));
    out.json["seconds"] = r.seconds;
    out.json["generated_tokens_per_second"] = generated;
    out.json["total_tokens_per_second"] = all;
    out.json["first_token_seconds_median"] = r.first_token_median;
    out.json["first_token_seconds_slowest"] = r.first_token_slowest;
    return out;
}

}  // namespace g4::apps
