// The command line of g4-bench.
#pragma once
#include "g4/core/error.hpp"
#include <algorithm>
#include <charconv>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace g4::apps {

struct bench_options {
    enum class mode { latency, throughput, sweep } runs = mode::latency;
    std::string model_folder, json_file;
    std::string device = "auto", activations = "exact", load_format = "auto";
    std::string cuda_driver = "libcuda.so.1";
    int input_len = 512, output_len = 32, batch_size = 1, num_iters = 3;
    int num_prompts = 64, max_num_seqs = 64, threads = 0;
    int max_num_batched_tokens = 0;  // 0: the device's default
    std::vector<int> contexts{128, 1024, 4096, 16384}, batches{1, 8, 32, 64, 128};
    std::vector<int> prompts{128, 512, 2048, 8192, 16384};
    int max_prefill_tokens = 600'000;
    int seed = 0;
    bool breakdown = false, help = false;
};

inline constexpr std::string_view bench_help =
    R"(g4-bench: how fast a model runs here, beside what the machine's memory allows.

usage: g4-bench latency|throughput|sweep MODEL_DIR [flags]

  latency      one batch that runs in step: time of a prefill and of each decoded token
  throughput   many requests through the engine: tokens a second in all
  sweep        one start, then tables in Markdown: decode by context and batch, prefill by length

  --input-len N               tokens of each prompt (512)
  --output-len N              tokens to generate (32)
  --batch-size N              latency: sequences side by side (1)
  --num-iters N               latency, and prompts of a sweep: repeats, of which medians are
                              taken (3)
  --num-prompts N             throughput: requests (64)
  --max-num-seqs N            throughput: requests that run at once (64)
  --contexts N,N,...          sweep: tokens in the caches (128,1024,4096,16384)
  --batches N,N,...           sweep: sequences side by side (1,8,32,64,128)
  --prompts N,N,...           sweep: tokens of a prompt (128,512,2048,8192,16384)
  --max-prefill-tokens N      sweep: leaves out batches of a context that take more to fill
                              (600000)
  --breakdown                 on a GPU, latency and sweep: every launch timed alone, summed by
                              kernel and grid; a sweep prints that in place of its tables
  --max-num-batched-tokens N  rows of a step, as in g4-serve (512, on a GPU 4096; sweep 8192)
  --device auto|cpu|cuda      where to run; auto takes a GPU when there is one
  --threads N                 of the CPU back end; 0: all that this process may use
  --activations exact|int8    what activations keep in int4 linears of the CPU: 16 bits, or 8
                              (exact)
  --load-format auto|dummy    dummy: weights of the config's sizes are made up, none are read
  --cuda-driver FILE          the driver's library (libcuda.so.1)
  --seed N                    of the prompts (0)
  --json FILE                 also writes what was measured

The share of the limit is bytes that the plan says a step must read, over the time that it took,
over the read bandwidth that the same run measures, the better of before and behind: of all
threads on the CPU, of a kernel with 16-byte loads on a GPU.

A decode step is timed as it is served: from one result to the next, on a GPU with two steps in
flight, the second of which takes its tokens from the first. Its contexts are really prefilled.
A prefill is timed from its submission to its token. Operations are those of the linears, counted
as they ran, and as if all rows ran through all layers.

examples:
  g4-bench latency models/gemma4/nano/autoround
  g4-bench latency ~/gemma-4-E4B-it --input-len 1024 --batch-size 64 --breakdown
  g4-bench throughput ~/gemma-4-E4B-it --num-prompts 32 --json result.json
  g4-bench sweep ~/gemma-4-E4B-it --contexts 1024,4096 --batches 1,64 --json sweep.json
)";

namespace detail {

inline int bench_number(std::string_view flag, std::string_view value, int least) {
    int out = 0;
    const auto end = value.data() + value.size();
    if (const auto read = std::from_chars(value.data(), end, out);
        value.empty() || read.ptr != end || read.ec != std::errc{} || out < least)
        throw input_error{flag, ": expected a whole number from ", least, " on, got \"", value,
                          "\""};
    return out;
}
/// Numbers from 1 on, with commas in between.
inline std::vector<int> bench_numbers(std::string_view flag, std::string_view value) {
    std::vector<int> out;
    for (std::size_t begin = 0; begin <= value.size();) {
        const std::size_t end = std::min(value.find(',', begin), value.size());
        out.push_back(bench_number(flag, value.substr(begin, end - begin), 1));
        begin = end + 1;
    }
    return out;
}
inline std::string bench_choice(std::string_view flag, std::string_view value,
                                std::string_view first, std::string_view second) {
    if (value != first && value != second)
        throw input_error{flag, ": expected ", first, " or ", second, ", got \"", value, "\""};
    return std::string{value};
}

/// Whether the flag takes a number, which it then has taken.
inline bool take_bench_number(bench_options& out, std::string_view flag, std::string_view value) {
    struct number_flag { std::string_view name; int bench_options::*member; int least; };
    constexpr number_flag numbers[]{
        {"--input-len", &bench_options::input_len, 1},
        {"--output-len", &bench_options::output_len, 1},
        {"--batch-size", &bench_options::batch_size, 1},
        {"--num-iters", &bench_options::num_iters, 1},
        {"--num-prompts", &bench_options::num_prompts, 1},
        {"--max-num-seqs", &bench_options::max_num_seqs, 1},
        {"--max-num-batched-tokens", &bench_options::max_num_batched_tokens, 1},
        {"--max-prefill-tokens", &bench_options::max_prefill_tokens, 1},
        {"--threads", &bench_options::threads, 0},
        {"--seed", &bench_options::seed, 0}};
    for (const number_flag& n : numbers)
        if (flag == n.name) {
            out.*n.member = bench_number(flag, value, n.least);
            return true;
        }
    return false;
}

inline void take_bench_flag(bench_options& out, std::string_view flag, std::string_view value) {
    if (take_bench_number(out, flag, value)) return;
    if (flag == "--contexts") {
        out.contexts = bench_numbers(flag, value);
    } else if (flag == "--batches") {
        out.batches = bench_numbers(flag, value);
    } else if (flag == "--prompts") {
        out.prompts = bench_numbers(flag, value);
    } else if (flag == "--cuda-driver") {
        out.cuda_driver = value;
    } else if (flag == "--device") {
        if (value != "auto" && value != "cpu" && value != "cuda")
            throw input_error{"--device: expected auto, cpu or cuda, got \"", value, "\""};
        out.device = value;
    } else if (flag == "--activations") {
        out.activations = bench_choice(flag, value, "exact", "int8");
    } else if (flag == "--load-format") {
        out.load_format = bench_choice(flag, value, "auto", "dummy");
    } else if (flag == "--json") {
        out.json_file = value;
    } else {
        throw input_error{flag, ": unknown flag; g4-bench --help lists the flags"};
    }
}

}  // namespace detail

/// Flags with dashes or underscores, `--x=y` or `--x y`. Errors: input_error naming the flag.
inline bench_options parse_bench_options(std::span<const char* const> arguments) {
    bench_options out;
    std::string mode;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view argument = arguments[i];
        if (argument == "--help" || argument == "-h") {
            out.help = true;
            return out;
        }
        if (!argument.starts_with("--")) {
            std::string& place = mode.empty() ? mode : out.model_folder;
            if (!place.empty())
                throw input_error{"expected one MODEL_DIR, got also \"", argument, "\""};
            place = argument;
            continue;
        }
        const std::size_t equals = argument.find('=');
        std::string flag{argument.substr(0, equals)};
        for (char& c : flag) c = c == '_' ? '-' : c;
        if (flag == "--breakdown") {
            out.breakdown = true;
            continue;
        }
        if (equals == argument.npos && i + 1 == arguments.size())
            throw input_error{flag, ": expected a value, got none"};
        detail::take_bench_flag(out, flag, equals == argument.npos ? arguments[++i]
                                                                   : argument.substr(equals + 1));
    }
    if (mode == "throughput") out.runs = bench_options::mode::throughput;
    else if (mode == "sweep") out.runs = bench_options::mode::sweep;
    else if (mode != "latency")
        throw input_error{"expected latency, throughput or sweep, got \"", mode,
                          "\"; g4-bench --help shows the usage"};
    if (out.model_folder.empty()) throw input_error{"expected a MODEL_DIR, got none"};
    if (out.breakdown && out.runs == bench_options::mode::throughput)
        throw input_error{"--breakdown: expected latency or sweep, got throughput"};
    return out;
}

}  // namespace g4::apps
