// g4-bench: times a model folder beside the limit of the machine's memory, or scores texts with it.
#include "apps/bench/device_read_limit.hpp"
#include "apps/bench/measure_perplexity.hpp"
#include "apps/bench/options.hpp"
#include "apps/bench/read_limit.hpp"
#include "apps/bench/report_sweep.hpp"
#include "apps/kernel_folders.hpp"
#include "apps/start_model.hpp"
#include <cstdio>
#include <fstream>

namespace {
using namespace g4;
using mode = apps::bench_options::mode;

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

/// Twice a second, and at the end.
apps::progress show_now_and_then() {
    return [last = apps::bench_clock::time_point{}](int done, int all) mutable {
        const auto now = apps::bench_clock::now();
        if (done < all && apps::seconds_between(last, now) < 0.5) return;
        last = now;
        show_progress(done, all);
    };
}

apps::sweep_sizes sweep_sizes_of(const apps::bench_options& o) {
    apps::sweep_sizes out;
    out.contexts = o.contexts;
    out.batches = o.batches;
    out.prompts = o.prompts;
    out.repeats = o.num_iters;
    out.seed = o.seed;
    out.max_prefill_tokens = o.max_prefill_tokens;
    return out;
}

apps::run_options run_options_of(const apps::bench_options& o) {
    apps::run_options out;
    out.device = o.device;
    out.dummy_weights = o.load_format == "dummy";
    out.max_model_len = o.input_len + o.output_len;
    out.max_num_seqs = o.runs == mode::latency ? o.batch_size : o.max_num_seqs;
    if (o.runs == mode::latency && o.breakdown)
        *out.max_model_len += apps::step_breakdown::most_steps;
    if (o.runs == mode::sweep) {
        out.max_model_len = sweep_sizes_of(o).longest();
        out.max_num_seqs = *std::max_element(o.batches.begin(), o.batches.end());
        out.max_num_batched_tokens = 8192;
    }
    if (o.max_num_batched_tokens > 0)
        out.max_num_batched_tokens = std::max(o.max_num_batched_tokens, *out.max_num_seqs);
    out.kernel_cache = apps::default_kernel_cache();
    out.toolkits = apps::toolkits_of_environment();
    out.cuda_driver = o.cuda_driver;
    out.threads = o.threads;
    out.activation_bits = o.activations == "int8" ? 8 : 16;
    return out;
}

/// A started model, and what its times are held against.
class bench_run {
  public:
    bench_run(const apps::bench_options& o, const logger& log)
        : o_{o}, log_{log}, model_{apps::start_model(o.model_folder, run_options_of(o), log)} {
        log_.info("measuring the read limit");
        if (on_gpu()) gpu_limit_.emplace(o_.cuda_driver, apps::default_kernel_cache());
        setting_.model = model_.config.folder.string();
        setting_.processor = on_gpu() ? model_.device : processor_name();
        setting_.threads = on_gpu() ? 0 : model_.threads;
        const double middle = o_.input_len + o_.output_len / 2.0;
        setting_.decode_bytes = apps::decode_bytes(*model_.planned, bytes_, o_.batch_size, middle);
        setting_.prefill =
            apps::operations_of(*model_.planned, bytes_, o_.batch_size, o_.input_len);
        setting_.limit_before = measured_limit();
    }

    apps::report_text measure() {
        if (o_.runs == mode::throughput) return throughput();
        if (o_.runs == mode::latency) return latency();
        return o_.breakdown ? sweep_breakdown() : sweep();
    }

  private:
    bool on_gpu() const { return model_.device != "cpu"; }
    int in_flight() const { return on_gpu() ? 2 : 1; }
    double measured_limit() const {
        return gpu_limit_ ? gpu_limit_->measure()
                          : apps::read_limit(static_cast<unsigned>(model_.threads));
    }
    void end(int failed_rows) {
        setting_.limit_behind = measured_limit();
        if (failed_rows > 0)
            log_.warning(failed_rows, " rows had logits that are no numbers: the weights are not ",
                         "those of a model, or this is a bug");
    }
    apps::latency_sizes sizes() const {
        return {.input_len = o_.input_len, .output_len = o_.output_len,
                .batch_size = o_.batch_size, .repeats = o_.num_iters, .in_flight = in_flight(),
                .seed = o_.seed};
    }

    apps::report_text latency() {
        const apps::latency_result result =
            apps::measure_latency(*model_.runs, sizes(), show_progress);
        end(result.failed_rows);
        apps::report_text out = apps::report_latency(o_, setting_, result);
        if (!o_.breakdown) return out;
        apps::step_breakdown taken = breakdown();
        apps::add_breakdowns(out, {taken.decode(o_.input_len, o_.batch_size),
                                   taken.prefill(o_.batch_size, o_.input_len)});
        return out;
    }
    apps::report_text throughput() {
        engine runs{*model_.runs, {.max_model_len = model_.max_model_len,
                                   .max_num_batched_tokens = model_.runs->reserved().rows,
                                   .max_num_seqs = o_.max_num_seqs,
                                   .steps_in_flight = in_flight()}};
        const apps::throughput_result result = apps::measure_throughput(
            runs, o_.num_prompts, sizes(), model_.runs->reserved().vocabulary, show_progress);
        return apps::report_throughput(o_, setting_, result);
    }
    apps::report_text sweep() {
        apps::sweep_sizes sizes = sweep_sizes_of(o_);
        sizes.in_flight = in_flight();
        const apps::sweep_result result =
            apps::sweep{*model_.runs, {*model_.planned, bytes_}, sizes}.run(show_progress);
        end(result.failed_rows);
        return apps::report_sweep(o_, setting_, result);
    }
    apps::report_text sweep_breakdown() {
        apps::step_breakdown taken = breakdown();
        std::vector<apps::breakdown> all;
        for (const int context : o_.contexts)
            for (const int batch : o_.batches) all.push_back(taken.decode(context, batch));
        for (const int length : o_.prompts) all.push_back(taken.prefill(1, length));
        end(0);
        apps::report_text out{apps::sweep_heading(o_, setting_), {}};
        apps::add_breakdowns(out, all);
        return out;
    }
    apps::step_breakdown breakdown() {
        return {*model_.runs, [this](const stream& order) { gpu_limit_->occupy(order); },
                in_flight(), o_.seed};
    }

    apps::bench_options o_;
    logger log_;
    apps::running_model model_;
    stored_bytes bytes_ = apps::bytes_in(model_.table());
    std::optional<apps::device_read_limit> gpu_limit_;
    apps::bench_setting setting_;
};

/// Before long work, not behind it. Errors: input_error naming the flag.
void check_writable(std::string_view flag, const std::string& to) {
    if (!to.empty() && !std::ofstream{to, std::ios::app})
        throw input_error{flag, ": cannot write ", to};
}
void write_json(std::string_view flag, const std::string& to, const boost::json::object& value) {
    if (to.empty()) return;
    std::ofstream file{to};
    file << boost::json::serialize(value) << "\n";
    if (!file) throw input_error{flag, ": cannot write ", to};
}

apps::report_text measure_perplexity(const apps::bench_options& o, const logger& log) {
    apps::perplexity_work work = apps::prepare_perplexity(o);
    apps::run_options how = run_options_of(o);
    how.max_model_len = work.setting.context;
    how.max_num_seqs = work.most_windows();
    how.max_num_batched_tokens.reset();
    if (o.max_num_batched_tokens > 0) how.max_num_batched_tokens = o.max_num_batched_tokens;
    how.max_wanted_rows = apps::wanted_rows_of_a_step;
    const apps::running_model model = apps::start_model(o.model_folder, how, log);
    const bool on_gpu = model.device != "cpu";
    work.setting.machine = on_gpu ? model.device
                                  : concat(processor_name(), ", ", model.threads, " threads");
    const auto results = apps::score_texts(*model.runs, work, on_gpu ? 2 : 1, show_now_and_then());
    write_json("--logprobs", o.logprobs_file, apps::logprobs_json(work.setting, results));
    return apps::report_perplexity(work.setting, results);
}

void run(const apps::bench_options& options) {
    const logger log{[](log_level level, const std::string& line) {
        if (level != log_level::debug) std::fprintf(stderr, "g4-bench: %s\n", line.c_str());
    }};
    check_writable("--json", options.json_file);
    check_writable("--logprobs", options.logprobs_file);
    const apps::report_text report = options.runs == mode::perplexity
                                         ? measure_perplexity(options, log)
                                         : bench_run{options, log}.measure();
    std::printf("%s", report.table.c_str());
    write_json("--json", options.json_file, report.json);
}
}  // namespace

int main(int argc, char** argv) try {
    const auto options = apps::parse_bench_options({argv + 1, argv + std::max(argc, 1)});
    const bool of_perplexity = options.runs == mode::perplexity;
    if (options.help)
        std::printf("%s", of_perplexity ? apps::perplexity_help.data() : apps::bench_help.data());
    else run(options);
    return 0;
} catch (const input_error& error) {
    std::fprintf(stderr, "g4-bench: %s\n", error.what());
    return 2;
} catch (const std::exception& error) {
    std::fprintf(stderr, "g4-bench: %s\n", error.what());
    return 1;
}
