// The command line of g4-compile.
#pragma once
#include "g4/core/error.hpp"
#include "g4/passes/pipeline.hpp"
#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace g4::apps {

struct compile_options {
    std::string model_folder;
    std::vector<std::string> dump_after;  // names of passes
    std::string device = "cpu", arch, output;
    bool emit = false, tensors = false, time = false, help = false;
};

inline constexpr std::string_view compile_help =
    R"(g4-compile: shows what the compiler makes of a model, pass by pass.

usage: g4-compile MODEL_DIR [--dump after=PASS]... [--emit [--device cpu|cuda]] [--tensors] [--time]
       g4-compile MODEL_DIR --arch ARCH -o FILE
       g4-compile MODEL_DIR --arch ARCH --emit

  MODEL_DIR          a folder with config.json; weights are read when they are there, and else
                     taken to be bf16
  --dump after=PASS  prints the state behind a pass: bind, fold, fuse, rows or plan
  --emit             prints what a back end runs for each kind of stage; with --arch the source
                     of every GPU kernel
  --device cpu|cuda  the back end that --emit speaks of (cpu)
  --arch ARCH        a GPU architecture: sm_80, sm_86, sm_89, sm_90a, sm_100a or sm_120
  -o FILE            compiles every GPU kernel of the model for ARCH into FILE, which
                     g4-serve --bundle FILE runs without a compiler; needs NVRTC, and no GPU
  --tensors          prints every tensor that the checkpoint must hold, with its shape
  --time             prints what each pass took

Without any of these it prints a summary of the plan.

examples:
  g4-compile models/gemma4/nano/autoround --dump after=fuse
  g4-compile ~/gemma-4-E4B-it --dump after=plan | less
  g4-compile ~/gemma-4-E4B-it --arch sm_90a -o e4b-h100.g4
)";

inline std::string known_passes() {
    std::string out;
    for (const std::string_view name : pass_names) out += concat(out.empty() ? "" : ", ", name);
    return out;
}

/// Errors: input_error naming the argument and what was expected.
inline compile_options parse_compile_options(std::span<const char* const> arguments) {
    compile_options out;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        std::string_view argument = arguments[i];
        if (argument == "--help" || argument == "-h") out.help = true;
        else if (argument == "--emit") out.emit = true;
        else if (argument == "--tensors") out.tensors = true;
        else if (argument == "--time") out.time = true;
        else if (argument == "-o" || argument == "--arch" || argument == "--device") {
            if (i + 1 == arguments.size())
                throw input_error{argument, ": expected a value, got none"};
            (argument == "-o" ? out.output : argument == "--arch" ? out.arch : out.device) =
                arguments[++i];
        }
        else if (argument == "--dump" || argument.starts_with("--dump=")) {
            std::string_view value =
                argument == "--dump" ? (i + 1 < arguments.size() ? arguments[++i] : "")
                                     : argument.substr(7);
            if (value.starts_with("after=")) value.remove_prefix(6);
            if (std::find(std::begin(pass_names), std::end(pass_names), value) ==
                std::end(pass_names))
                throw input_error{"--dump: expected after= and one of ", known_passes(), ", got \"",
                                  value, "\""};
            out.dump_after.emplace_back(value);
        } else if (argument.starts_with("-")) {
            throw input_error{argument, ": unknown flag; g4-compile --help lists the flags"};
        } else if (!out.model_folder.empty()) {
            throw input_error{"expected one MODEL_DIR, got \"", out.model_folder, "\" and \"",
                              argument, "\""};
        } else {
            out.model_folder = argument;
        }
    }
    if (out.device != "cpu" && out.device != "cuda")
        throw input_error{"--device: expected cpu or cuda, got \"", out.device, "\""};
    if (!out.output.empty() && out.arch.empty())
        throw input_error{"-o: expected --arch beside it, such as --arch sm_90a"};
    if (out.model_folder.empty() && !out.help)
        throw input_error{"expected a MODEL_DIR, got none; g4-compile --help shows the usage"};
    return out;
}

}  // namespace g4::apps
