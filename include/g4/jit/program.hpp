// What a request is compiled from: its text, the headers it reaches, the options; and so its key.
#pragma once
#include "g4/core/error.hpp"
#include "g4/core/file.hpp"
#include "g4/core/sha256.hpp"
#include "g4/emit/request.hpp"
#include "g4/jit/headers.hpp"
#include "g4/jit/nvrtc.hpp"
#include "g4/jit/toolkit.hpp"
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace g4::jit {

struct compiler_options {
    toolkit_search search = toolkit_search::with();
    /// Lines of the source in profiles: for looking at a kernel, not for serving.
    bool line_info = false;
    /// The newest CUDA that the device's driver knows, 12080 for 12.8; later code does not load
    /// there. 0: any compiler does.
    int driver_version = 0;
};

/// Makes programs of requests. Needs no compiler.
class program_maker {
  public:
    program_maker(header_map headers, const compiler_options& options)
        : headers_{std::move(headers)},
          line_info_{options.line_info},
          cub_folders_{options.search.include_folders()} {}

    /// Errors: device_error when the request wants another architecture, or CUB where there is
    /// none.
    nvrtc_program make(const kernel_request& request, const std::string& arch) const {
        if (request.hopper && arch != "sm_90a")
            throw device_error{"jit: ", request.name,
                               ": expected sm_90a, for which it is written, ", "got ", arch};
        reached_headers found = reach(headers_, request.name, request.text);
        nvrtc_program out{request.name + ".cu", request.text, std::move(found.headers), {}};
        out.options = {"--gpu-architecture=" + arch, "--std=c++20", "-default-device",
                       "--ptxas-options=-v"};
        if (line_info_) out.options.emplace_back("-lineinfo");
        if (!found.uses_cub) return out;
        if (cub_folders_.empty())
            throw device_error{
                "jit: ", request.name, ": expected CUB's headers, got none in the ",
                "toolkits and Python packages looked at: PyPI's nvidia-cuda-cccl or ",
                "a CUDA toolkit brings them; a bundle made by g4-compile needs none"};
        out.options.push_back("-I" + cub_folders_.front().string());
        // The toolkit's own headers, which CUB takes where they are.
        if (cub_folders_.front().filename() == "cccl")
            out.options.push_back("-I" + cub_folders_.front().parent_path().string());
        return out;
    }

    /// Everything that decides what comes out: equal texts, equal machine code.
    static std::string inputs(const nvrtc_program& program, const std::string& nvrtc) {
        std::string out = concat("nvrtc ", nvrtc, "\n");
        const auto add = [&](std::string_view what, std::string_view text) {
            out += concat(what, " ", text.size(), "\n", text, "\n");
        };
        add("name", program.name);
        for (const std::string& option : program.options)
            // Where CUB lies does not matter, which release it is does.
            if (option.starts_with("-I")) add("release", release_of(option.substr(2)));
            else add("option", option);
        add("text", program.text);
        for (const header& one : program.headers) {
            add("header", one.path);
            add("holds", one.text);
        }
        return out;
    }

  private:
    // The hash of the file that names the release of what an include folder holds.
    static std::string release_of(const std::filesystem::path& folder) {
        for (const char* name : {"cub/version.cuh", "cuda.h"})
            if (std::filesystem::exists(folder / name)) return sha256(read_file(folder / name));
        return "unknown";
    }

    header_map headers_;
    bool line_info_;
    std::vector<std::filesystem::path> cub_folders_;
};

}  // namespace g4::jit
