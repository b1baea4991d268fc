// g4-bench: times a model folder on this machine and holds it against the memory's limit.
#include "apps/bench/options.hpp"
#include "apps/bench/read_limit.hpp"
#include "apps/bench/report.hpp"
#include "apps/kernel_cache_folder.hpp"
#include "apps/start_model.hpp"
#include <cstdio>
#include <fstream>

namespace {
using namespace g4;

/// "model name" of the first processor, as the system names it.
std::string processor_name() {
    std::ifstream file{"/proc/cpuinfo"};
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("model name"))
            if (const std::size_t colon = line.find(": "); colon != line.npos)
                return line.substr(colon + 2);
    return "unknown processor";
}

void show_progress(int done, int all) {
    std::fprintf(stderr, "\rg4-bench: %d of %d%s", done, all, done == all ? "\n" : "");
    std::fflush(stderr);
}

apps::run_options run_options_of(const apps::bench_options& o) {
    apps::run_options out;
    out.device = o.device;
    out.dummy_weights = o.load_format == "dummy";
    out.max_model_len = o.input_len + o.output_len;
    out.max_num_seqs = o.runs == apps::bench_options::mode::latency ? o.batch_size : o.max_num_seqs;
    if (o.max_num_batched_tokens > 0)
        out.max_num_batched_tokens = std::max(o.max_num_batched_tokens, o.batch_size);
    out.kernel_cache = apps::default_kernel_cache();
    out.threads = o.threads;
    out.activation_bits = o.activations == "int8" ? 8 : 16;
    return out;
}

apps::bench_setting setting_of(const apps::running_model& m, const apps::bench_options& o) {
    const stored_bytes bytes = apps::bytes_in(m.table());
    const double sequences = o.batch_size, prompt = o.input_len * sequences;
    apps::bench_setting out{.model = m.config.folder.string(), .processor = processor_name()};
    out.threads = m.threads;
    out.read_limit = apps::read_limit(static_cast<unsigned>(out.threads));
    out.decode = traffic_of(*m.planned, bytes, {sequences, sequences}, sequences,
                            o.input_len + o.output_len / 2.0);
    out.prefill = traffic_of(*m.planned, bytes, {prompt, prompt}, sequences, o.input_len);
    // the head runs for wanted rows alone in every implementation: it is no part of "all layers"
    const double head = traffic_of(*m.planned, m.planned->stages.back(), bytes, {0, 1}, 0, 0).flops;
    out.prefill.flops -= (prompt - sequences) * head;
    out.prefill_skipped_flops =
        traffic_of(*m.planned, bytes, {prompt, sequences}, sequences, o.input_len).flops;
    return out;
}

apps::report_text measure(const apps::bench_options& o, const logger& log) {
    apps::running_model m = apps::start_model(o.model_folder, run_options_of(o), log);
    log.info("measuring the read limit");
    apps::bench_setting setting = setting_of(m, o);
    apps::latency_sizes size{.input_len = o.input_len, .output_len = o.output_len,
                             .batch_size = o.batch_size, .repeats = o.num_iters,
                             .step_rows = m.runs->reserved().rows, .seed = o.seed};
    if (o.runs == apps::bench_options::mode::latency) {
        const apps::latency_result result =
            apps::measure_latency(*m.runs, size, show_progress);
        // shared hosts change their mind within a run: the better of before and behind counts
        setting.read_limit = std::max(setting.read_limit,
                                      apps::read_limit(static_cast<unsigned>(m.threads)));
        return apps::report_latency(o, setting, result);
    }
    engine runs{*m.runs, {.max_model_len = m.max_model_len,
                          .max_num_batched_tokens = m.runs->reserved().rows,
                          .max_num_seqs = o.max_num_seqs,
                          .steps_in_flight = m.device == "cpu" ? 1 : 2}};
    return apps::report_throughput(
        o, setting,
        apps::measure_throughput(runs, o.num_prompts, size, m.runs->reserved().vocabulary,
                                 show_progress));
}

void run(const apps::bench_options& options) {
    const logger log{[](log_level level, const std::string& line) {
        if (level != log_level::debug) std::fprintf(stderr, "g4-bench: %s\n", line.c_str());
    }};
    const apps::report_text report = measure(options, log);
    std::printf("%s", report.table.c_str());
    if (options.json_file.empty()) return;
    std::ofstream file{options.json_file};
    file << boost::json::serialize(report.json) << "\n";
    if (!file) throw input_error{"--json: cannot write ", options.json_file};
}
}  // namespace

int main(int argc, char** argv) try {
    const auto options = apps::parse_bench_options({argv + 1, argv + std::max(argc, 1)});
    if (options.help) std::printf("%s", std::string{apps::bench_help}.c_str());
    else run(options);
    return 0;
} catch (const input_error& error) {
    std::fprintf(stderr, "g4-bench: %s\n", error.what());
    return 2;
} catch (const std::exception& error) {
    std::fprintf(stderr, "g4-bench: %s\n", error.what());
    return 1;
}
