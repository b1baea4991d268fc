// A kernel request becomes machine code for one architecture, with what the assembler says of it.
#pragma once
#include "g4/core/error.hpp"
#include "g4/core/file.hpp"
#include "g4/core/sha256.hpp"
#include "g4/emit/request.hpp"
#include "g4/jit/headers.hpp"
#include "g4/jit/nvrtc.hpp"
#include <charconv>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace g4::jit {

/// What ptxas reports of one kernel.
struct kernel_report {
    int registers = 0;
    std::size_t stack_bytes = 0, spill_store_bytes = 0, spill_load_bytes = 0;
    std::size_t static_shared_bytes = 0;
    bool spills() const { return spill_store_bytes + spill_load_bytes > 0; }
};

struct compiled_kernel {
    std::string cubin, log;
    kernel_report report;
};

/// Reads the report of the kernel `name` in the log of --ptxas-options=-v; zeros where it is
/// silent.
inline kernel_report parse_report(std::string_view log, std::string_view name) {
    // The number in front of `word` in a line, as in "16 bytes stack frame".
    const auto before = [](std::string_view line, std::string_view word) {
        const std::size_t at = line.find(word);
        std::size_t value = 0;
        if (at == line.npos || at == 0) return value;
        std::size_t from = at;
        while (from > 0 && line[from - 1] >= '0' && line[from - 1] <= '9') --from;
        std::from_chars(line.data() + from, line.data() + at, value);
        return value;
    };
    kernel_report out;
    bool inside = false;
    while (!log.empty()) {
        const std::size_t end = std::min(log.find('\n'), log.size());
        const std::string_view line = log.substr(0, end);
        log.remove_prefix(std::min(end + 1, log.size()));
        if (line.find("Compiling entry function") != line.npos)
            inside = line.find(concat("'", name, "'")) != line.npos;
        if (!inside) continue;
        if (line.find("bytes stack frame") != line.npos) {
            out.stack_bytes = before(line, " bytes stack frame");
            out.spill_store_bytes = before(line, " bytes spill stores");
            out.spill_load_bytes = before(line, " bytes spill loads");
        } else if (line.find(" registers") != line.npos) {
            out.registers = static_cast<int>(before(line, " registers"));
            out.static_shared_bytes = before(line, " bytes smem");
        }
    }
    return out;
}

struct compiler_options {
    toolkit_search search = toolkit_search::with();
    /// Lines of the source in profiles: for looking at a kernel, not for serving.
    bool line_info = false;
};

/// Compiles one request at a time; any thread may call.
class compiler {
  public:
    /// Opens NVRTC. Errors: device_error when there is none.
    compiler(header_map headers, compiler_options options = {})
        : headers_{std::move(headers)},
          options_{std::move(options)},
          nvrtc_{nvrtc::open(options_.search)},
          cub_folders_{options_.search.include_folders()} {}

    const nvrtc& with() const { return nvrtc_; }

    /// Everything that decides what comes out: equal texts, equal machine code.
    std::string inputs(const kernel_request& request, const std::string& arch) const {
        const nvrtc_program program = prepare(request, arch);
        std::string out = concat("nvrtc ", nvrtc_.version(), "\n");
        const auto add = [&](std::string_view what, std::string_view text) {
            out += concat(what, " ", text.size(), "\n", text, "\n");
        };
        add("name", request.name);
        for (const std::string& option : program.options)
            // Where CUB lies does not matter, which one it is does.
            if (!option.starts_with("-I")) add("option", option);
            else add("cub", cub_version(option.substr(2)));
        add("text", program.text);
        for (const header& one : program.headers) {
            add("header", one.path);
            add("holds", one.text);
        }
        return out;
    }

    /// Errors: device_error with the compiler's log, or when the request wants another
    /// architecture.
    compiled_kernel compile(const kernel_request& request, const std::string& arch) const {
        nvrtc_result result = nvrtc_.compile(prepare(request, arch));
        compiled_kernel out{std::move(result.cubin), std::move(result.log), {}};
        out.report = parse_report(out.log, request.name);
        return out;
    }

  private:
    nvrtc_program prepare(const kernel_request& request, const std::string& arch) const {
        if (request.hopper && arch != "sm_90a")
            throw device_error{"jit: ", request.name,
                               ": expected sm_90a, for which it is written, ", "got ", arch};
        reached_headers found = reach(headers_, request.name, request.text);
        nvrtc_program out{request.name + ".cu", request.text, std::move(found.headers), {}};
        out.options = {"--gpu-architecture=" + arch, "--std=c++20", "--ptxas-options=-v"};
        if (options_.line_info) out.options.emplace_back("-lineinfo");
        if (!found.uses_cub) return out;
        if (cub_folders_.empty())
            throw device_error{
                "jit: ", request.name, ": expected CUB's headers, got none in the ",
                "toolkits and Python packages looked at: PyPI's nvidia-cuda-cccl or ",
                "a CUDA toolkit brings them; a bundle of g4-compile needs none"};
        out.options.push_back("-I" + cub_folders_.front().string());
        // The toolkit's own headers, which CUB asks for where they are.
        if (const auto toolkit = cub_folders_.front().parent_path();
            cub_folders_.front().filename() == "cccl")
            out.options.push_back("-I" + toolkit.string());
        return out;
    }
    // The text that names the release of CUB, or of the toolkit's header, in an include folder.
    static std::string cub_version(const std::filesystem::path& folder) {
        for (const char* name : {"cub/version.cuh", "cuda.h"})
            if (std::filesystem::exists(folder / name)) return sha256(read_file(folder / name));
        return "unknown";
    }

    header_map headers_;
    compiler_options options_;
    nvrtc nvrtc_;
    std::vector<std::filesystem::path> cub_folders_;
};

}  // namespace g4::jit
