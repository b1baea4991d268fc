// The command line of g4-bench.
#pragma once
#include "apps/bench/help.hpp"
#include "g4/core/error.hpp"
#include <algorithm>
#include <charconv>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace g4::apps {

struct bench_options {
    enum class mode { latency, throughput, sweep, perplexity } runs = mode::latency;
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
    std::vector<std::string> texts;    // these four: perplexity
    int context = 0, stride = 0;       // 0: the default
    std::string logprobs_file;
    bool breakdown = false, help = false;
};

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
        {"--context", &bench_options::context, 2},
        {"--stride", &bench_options::stride, 1},
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
    } else if (flag == "--logprobs") {
        out.logprobs_file = value;
    } else if (flag == "--text") {
        out.texts.emplace_back(value);
    } else {
        throw input_error{flag, ": unknown flag; g4-bench --help lists the flags"};
    }
}

inline void check_bench_mode(bench_options& out, std::string_view mode) {
    using modes = bench_options::mode;
    if (mode == "throughput") out.runs = modes::throughput;
    else if (mode == "sweep") out.runs = modes::sweep;
    else if (mode == "perplexity") out.runs = modes::perplexity;
    else if (mode != "latency")
        throw input_error{"expected latency, throughput, sweep or perplexity, got \"", mode,
                          "\"; g4-bench --help shows the usage"};
    if (out.model_folder.empty()) throw input_error{"expected a MODEL_DIR, got none"};
    if (out.breakdown && out.runs != modes::latency && out.runs != modes::sweep)
        throw input_error{"--breakdown: expected latency or sweep, got ", mode};
    if (out.runs != modes::perplexity) {
        for (const auto& [flag, given] :
             {std::pair{"--text", !out.texts.empty()}, {"--context", out.context != 0},
              {"--stride", out.stride != 0}, {"--logprobs", !out.logprobs_file.empty()}})
            if (given) throw input_error{flag, ": expected perplexity, got ", mode};
        return;
    }
    if (out.texts.empty())
        throw input_error{"--text: expected a file, got none; g4-bench perplexity --help says ",
                          "what is measured"};
    if (out.load_format == "dummy")
        throw input_error{"--load-format: expected auto, since weights that are made up predict ",
                          "nothing, got dummy"};
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
            if (mode == "perplexity") out.runs = bench_options::mode::perplexity;
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
    detail::check_bench_mode(out, mode);
    return out;
}

}  // namespace g4::apps
