// The command line of g4-quantize.
#pragma once
#include "g4/core/error.hpp"
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace g4::apps {

/// The layouts that are published: they differ in their config, and GPTQ's has g_idx.
enum class int4_layout : std::uint8_t { auto_round, gptq };

struct quantize_options {
    std::string model_folder, output, report;
    std::vector<std::string> skip;  // patterns over the names of linears
    int4_layout layout = int4_layout::auto_round;
    std::int32_t group = 128;
    unsigned threads = 0;  // all that the machine has
    bool search = false, overwrite = false, help = false;
};

inline constexpr std::string_view quantize_help =
    R"(g4-quantize: rounds the weights of a model to 4 bits (W4A16), without data and without a GPU.

usage: g4-quantize MODEL_DIR -o OUT [--format auto-round|gptq] [--group 128|32] [--search]
                   [--skip PATTERN]... [--threads N] [--report FILE] [--overwrite]

  MODEL_DIR           a folder with config.json and BF16, F16 or F32 weights (*.safetensors)
  -o OUT              the folder to write: complete, ready for g4-serve, vLLM and transformers
  --format auto-round what AutoRound exports (auto_round:auto_gptq); the default
  --format gptq       what GPTQ files hold: with g_idx
  --group 128         weights that share a scale. 32 is closer to the original and 0.47 bits a
                      weight larger; vLLM and g4 take both
  --search            seeks the scale of each group that changes its weights least: the error falls
                      by 6 % (of groups of 128), the work takes minutes instead of seconds.
                      Without it each group is rounded as `auto-round --iters 0 --disable_opt_rtn`
                      does, bit for bit
  --skip PATTERN      keeps the linears plain in whose name this regular expression is found; may
                      be repeated. vLLM joins q, k, v and gate, up: skip all of them or none
  --threads N         how many to compute with (all that the machine has)
  --report FILE       writes the relative error of every linear, the worst ones last
  --overwrite         replaces OUT when it holds a model

The linears of all layers are rounded. Embeddings, norms, the head, towers and every other file of
the folder are carried over as they are. A linear whose sizes are no multiples of 32, or whose
inputs are none of the group, stays plain too and is named.

OUT appears when it is whole. Until then the work is in OUT.partial, which a killed run leaves
behind and the next one replaces.

examples:
  g4-quantize ~/gemma-4-E4B-it -o ~/gemma-4-E4B-it-int4 --search
  g4-quantize ~/gemma-4-E4B-it -o e4b-gptq --format gptq --group 32 --report e4b.txt
  g4-quantize ~/gemma-4-E4B-it -o e4b --skip 'per_layer_(input_gate|projection)'
)";

namespace detail {

inline std::uint32_t number_flag(std::string_view flag, std::string_view value, std::uint32_t least,
                                 std::uint32_t most) {
    std::uint32_t out = 0;
    const auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), out);
    if (failed != std::errc{} || end != value.data() + value.size() || out < least || out > most)
        throw input_error{flag, ": expected a number from ", least, " to ", most, ", got \"", value,
                          "\""};
    return out;
}

inline void set_quantize_flag(quantize_options& out, std::string_view flag, std::string value) {
    if (flag == "-o") out.output = std::move(value);
    else if (flag == "--report") out.report = std::move(value);
    else if (flag == "--skip") out.skip.push_back(std::move(value));
    else if (flag == "--threads") out.threads = number_flag(flag, value, 1, 1024);
    else if (flag == "--group") {
        if (value != "128" && value != "32")
            throw input_error{"--group: expected 128 or 32, got \"", value, "\""};
        out.group = value == "32" ? 32 : 128;
    } else {
        if (value != "auto-round" && value != "gptq")
            throw input_error{"--format: expected auto-round or gptq, got \"", value, "\""};
        out.layout = value == "gptq" ? int4_layout::gptq : int4_layout::auto_round;
    }
}

}  // namespace detail

/// Errors: input_error naming the argument and what was expected.
inline quantize_options parse_quantize_options(std::span<const char* const> arguments) {
    constexpr std::string_view with_value[]{"-o",        "--report", "--skip",
                                            "--threads", "--group",  "--format"};
    quantize_options out;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view argument = arguments[i];
        const std::size_t equals = argument.starts_with("--") ? argument.find('=') : argument.npos;
        const std::string_view flag = argument.substr(0, equals);
        if (argument == "--help" || argument == "-h") out.help = true;
        else if (argument == "--search") out.search = true;
        else if (argument == "--overwrite") out.overwrite = true;
        else if (std::find(std::begin(with_value), std::end(with_value), flag) !=
                 std::end(with_value)) {
            if (equals == argument.npos && ++i == arguments.size())
                throw input_error{flag, ": expected a value, got none"};
            detail::set_quantize_flag(
                out, flag,
                std::string{equals == argument.npos ? arguments[i] : argument.substr(equals + 1)});
        } else if (argument.starts_with("-")) {
            throw input_error{argument, ": unknown flag; g4-quantize --help lists the flags"};
        } else if (!out.model_folder.empty()) {
            throw input_error{"g4-quantize: expected one MODEL_DIR, got also \"", argument, "\""};
        } else {
            out.model_folder = argument;
        }
    }
    if (out.help) return out;
    if (out.model_folder.empty())
        throw input_error{"g4-quantize: expected MODEL_DIR, got none; --help shows how to call it"};
    if (out.output.empty())
        throw input_error{
            "-o: expected the folder to write, got none; --help shows how to call it"};
    return out;
}

}  // namespace g4::apps
