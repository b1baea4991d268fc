// The text that Prometheus reads: families, labels, cumulative buckets.
#include "g4/serve/server_metrics.hpp"
#include <doctest/doctest.h>
#include <set>
#include <sstream>
#include <string>

using namespace g4::serve;

TEST_CASE("metrics: counters and gauges carry common and own labels, escaped") {
    metrics_registry registry{{{"model_name", "a\"b\\c\nd"}}};
    registry.counter("x_total", "Things.", {{"kind", "k"}}).add(2);
    registry.counter("x_total", "Things.", {{"kind", "k"}}).add();
    CHECK(registry.text() ==
          "# HELP x_total Things.\n# TYPE x_total counter\n"
          "x_total{model_name=\"a\\\"b\\\\c\\nd\",kind=\"k\"} 3\n");
}

TEST_CASE("metrics: buckets count all values up to their bound, and the bound itself") {
    metrics_registry registry;
    metric_histogram& seconds = registry.histogram("s", "Seconds.", {0.5, 1});
    for (const double value : {0.25, 0.5, 0.75, 3.0}) seconds.observe(value);
    CHECK(registry.text() ==
          "# HELP s Seconds.\n# TYPE s histogram\ns_bucket{le=\"0.5\"} 2\n"
          "s_bucket{le=\"1\"} 3\ns_bucket{le=\"+Inf\"} 4\ns_sum 4.5\n"
          "s_count 4\n");
}

TEST_CASE("metrics: every name that schedulers and dashboards read is there from the start") {
    server_metrics metrics{"gemma", 18432, "1.0"};
    const std::string text = metrics.text({}, 0);
    for (const char* name : {"vllm:num_requests_running",
                             "vllm:num_requests_waiting",
                             "vllm:kv_cache_usage_perc",
                             "vllm:cache_config_info",
                             "vllm:prompt_tokens_total",
                             "vllm:generation_tokens_total",
                             "vllm:request_success_total",
                             "vllm:num_preemptions_total",
                             "vllm:prefix_cache_queries_total",
                             "vllm:prefix_cache_hits_total",
                             "vllm:time_to_first_token_seconds_bucket",
                             "vllm:inter_token_latency_seconds_bucket",
                             "vllm:e2e_request_latency_seconds_bucket",
                             "vllm:request_queue_time_seconds_bucket",
                             "vllm:request_prefill_time_seconds_bucket",
                             "vllm:request_decode_time_seconds_bucket",
                             "vllm:request_inference_time_seconds_bucket",
                             "vllm:request_prompt_tokens_bucket",
                             "vllm:request_generation_tokens_bucket",
                             "vllm:request_params_n_bucket"}) {
        INFO("name ", name);
        CHECK(text.find(std::string{"\n"} + name + "{") != std::string::npos);
    }
    CHECK(text.find("model_name=\"gemma\"") != std::string::npos);
    CHECK(text.find("finished_reason=\"abort\"} 0\n") != std::string::npos);
}

TEST_CASE("metrics: a family is announced once and a sample stands once") {
    server_metrics metrics{"gemma", 100, "1.0"};
    metrics.answered("GET", "/health", 200);
    metrics.answered("GET", "/health", 200);
    std::istringstream lines{metrics.text({}, 0)};
    std::set<std::string> seen;
    for (std::string line; std::getline(lines, line);) {
        INFO("line ", line);
        CHECK(seen.insert(line.substr(0, line.rfind(' '))).second);
    }
    CHECK(seen.size() > 100);
}
