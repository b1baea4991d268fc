// The metrics of a model server under vLLM's names, so that its dashboards and schedulers work.
// Source: vLLM 0.19 v1/metrics/loggers.py for names, labels and bounds; the Gateway API Inference
// Extension's model server protocol for those that a scheduler reads. Bounds below 10 ms are added.
#pragma once
#include "g4/engine/engine.hpp"
#include "g4/serve/metrics.hpp"
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace g4::serve {

class server_metrics {
  public:
    server_metrics(const std::string& model_name, std::int32_t max_model_len,
                   std::string_view version)
        : registry_{{{"engine", "0"}, {"model_name", model_name}}},
          tokens_{token_bounds(max_model_len)} {
        // families exist from the start: a dashboard must tell zero from missing
        for (const std::string_view reason : {"stop", "length", "abort", "error"}) finished(reason);
        registry_
            .gauge("g4:build_info", "Version of the server.", {{"version", std::string{version}}})
            .set(1);
    }

    metric_value& finished(std::string_view reason) {
        return registry_.counter("vllm:request_success_total", "Requests that ended, by reason.",
                                 {{"finished_reason", std::string{reason}}});
    }
    void answered(std::string_view method, std::string_view path, int status) {
        registry_
            .counter("http_requests_total", "HTTP requests by method, path and status.",
                     {{"method", std::string{method}},
                      {"handler", std::string{path}},
                      {"status", std::to_string(status)}})
            .add();
    }

    /// All of it, with the engine's state as it is now.
    std::string text(const engine_stats& now, std::size_t connections) {
        running_.set(static_cast<double>(now.running));
        waiting_.set(static_cast<double>(now.waiting));
        usage_.set(now.kv_usage);
        steps_.set(static_cast<double>(now.steps));
        connections_.set(static_cast<double>(connections));
        registry_
            .gauge("vllm:cache_config_info", "Form of the key-value cache.",
                   {{"block_size", std::to_string(now.page_tokens)},
                    {"num_gpu_blocks", std::to_string(now.pages)}})
            .set(1);
        return registry_.text() + process_text();
    }

  private:
    static std::vector<double> latency_bounds() {
        return {0.3, 0.5, 0.8, 1,  1.5, 2,   2.5, 5,   10,   15,  20,
                30,  40,  50,  60, 120, 240, 480, 960, 1920, 7680};
    }
    static std::vector<double> token_bounds(std::int32_t most) {
        std::vector<double> out;
        for (double power = 1; power <= most; power *= 10)
            for (const double part : {1.0, 2.0, 5.0})
                if (part * power <= most) out.push_back(part * power);
        return out;
    }
    /// What the standard clients report about a process.
    /// Source: proc(5); prometheus.io, "Process metrics".
    static std::string process_text() {
        std::ifstream stat{"/proc/self/statm"};
        std::int64_t pages = 0, resident = 0;
        stat >> pages >> resident;
        std::timespec cpu{};
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
        return concat(
            "# HELP process_resident_memory_bytes Resident memory size in bytes.\n"
            "# TYPE process_resident_memory_bytes gauge\n"
            "process_resident_memory_bytes ",
            resident * ::sysconf(_SC_PAGESIZE),
            "\n# HELP process_cpu_seconds_total User and system CPU time in seconds.\n"
            "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total ",
            static_cast<double>(cpu.tv_sec) + 1e-9 * static_cast<double>(cpu.tv_nsec), '\n');
    }

    metrics_registry registry_;
    std::vector<double> tokens_;
    metric_value& running_ =
        registry_.gauge("vllm:num_requests_running", "Requests that the engine works on.");
    metric_value& waiting_ = registry_.gauge("vllm:num_requests_waiting",
                                             "Requests that wait for a place in the engine.");
    metric_value& usage_ = registry_.gauge("vllm:kv_cache_usage_perc",
                                           "Used part of the key-value cache, from 0 to 1.");
    metric_value& steps_ = registry_.counter("g4:engine_steps_total", "Steps that the engine ran.");
    metric_value& connections_ = registry_.gauge("g4:open_connections", "Open HTTP connections.");

  public:
    metric_value& prompt_tokens =
        registry_.counter("vllm:prompt_tokens_total", "Tokens of prompts.");
    metric_value& generated_tokens =
        registry_.counter("vllm:generation_tokens_total", "Tokens generated.");
    metric_value& preemptions = registry_.counter(
        "vllm:num_preemptions_total", "Requests put back to make room; never with reservation.");
    metric_value& prefix_queries = registry_.counter("vllm:prefix_cache_queries_total",
                                                     "Tokens looked up in the prefix cache.");
    metric_value& prefix_hits =
        registry_.counter("vllm:prefix_cache_hits_total", "Tokens found in the prefix cache.");
    metric_histogram& first_token =
        registry_.histogram("vllm:time_to_first_token_seconds", "From arrival to the first token.",
                            {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75,
                             1,     2.5,   5,    7.5,  10,   20,   40,   80,  160,  640, 2560});
    metric_histogram& between_tokens =
        registry_.histogram("vllm:inter_token_latency_seconds", "Between two tokens of an answer.",
                            {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3,
                             0.4,   0.5,    0.75,  1,    2.5,   5,    7.5,   10,  20,   40,  80});
    metric_histogram& whole_request = registry_.histogram(
        "vllm:e2e_request_latency_seconds", "From arrival to the end.", latency_bounds());
    metric_histogram& queued = registry_.histogram(
        "vllm:request_queue_time_seconds", "From arrival to the first step.", latency_bounds());
    metric_histogram& inference = registry_.histogram(
        "vllm:request_inference_time_seconds", "From the first step to the end.", latency_bounds());
    metric_histogram& prefill =
        registry_.histogram("vllm:request_prefill_time_seconds",
                            "From the first step to the first token.", latency_bounds());
    metric_histogram& decode = registry_.histogram(
        "vllm:request_decode_time_seconds", "From the first token to the last.", latency_bounds());
    metric_histogram& prompt_size =
        registry_.histogram("vllm:request_prompt_tokens", "Tokens of each prompt.", tokens_);
    metric_histogram& answer_size =
        registry_.histogram("vllm:request_generation_tokens", "Tokens of each answer.", tokens_);
    metric_histogram& asked_size = registry_.histogram("vllm:request_params_max_tokens",
                                                       "The max_tokens of each request.", tokens_);
    metric_histogram& asked_answers =
        registry_.histogram("vllm:request_params_n", "The n of each request.", {1, 2, 5, 10, 20});
};

}  // namespace g4::serve
