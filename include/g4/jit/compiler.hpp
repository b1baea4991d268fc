// A kernel request becomes machine code for one architecture, with what the assembler says of it.
#pragma once
#include "g4/core/error.hpp"
#include "g4/emit/request.hpp"
#include "g4/jit/headers.hpp"
#include "g4/jit/nvrtc.hpp"
#include "g4/jit/program.hpp"
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

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

/// Compiles one request at a time; any thread may call.
class compiler {
  public:
    /// Opens NVRTC. Errors: device_error when there is none.
    explicit compiler(header_map headers, const compiler_options& options = {})
        : programs_{std::move(headers), options},
          nvrtc_{nvrtc::open(options.search, nvrtc_names(options.driver_version))} {}

    const nvrtc& with() const { return nvrtc_; }
    nvrtc_program program(const kernel_request& request, const std::string& arch) const {
        return programs_.make(request, arch);
    }

    /// Errors: device_error with the compiler's log.
    compiled_kernel compile(const nvrtc_program& program, const std::string& name) const {
        nvrtc_result result = nvrtc_.compile(program);
        compiled_kernel out{std::move(result.cubin), std::move(result.log), {}};
        out.report = parse_report(out.log, name);
        return out;
    }

  private:
    program_maker programs_;
    nvrtc nvrtc_;
};

}  // namespace g4::jit
