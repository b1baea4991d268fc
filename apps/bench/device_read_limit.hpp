// How fast the GPU reads its memory right now: the limit that a decode step is held against.
#pragma once
#include "apps/kernel_folders.hpp"
#include "codegen/bench/config.hpp"
#include "g4/jit/build.hpp"
#include "g4/jit/headers.hpp"
#include "g4/runtime/buffer.hpp"
#include "g4/runtime/event.hpp"
#include "g4/runtime/kernel_library.hpp"
#include "g4/runtime/stream.hpp"
#include <algorithm>
#include <filesystem>
#include <optional>
#include <vector>

namespace g4::apps {

inline kernel_request read_request() {
    return {"g4_bench_read",
            "#include \"codegen/bench/read.cuh\"\nusing namespace g4k;\n"
            "extern \"C\" __global__ void __launch_bounds__(512, 4) g4_bench_read("
            "const __grid_constant__ read_args args) { read(args); }\n"};
}

/// Holds up to four GiB of the device's memory, which it reads with 16-byte loads.
class device_read_limit {
  public:
    /// Errors: device_error from the driver or the compiler.
    device_read_limit(const std::string& driver, const std::filesystem::path& kernel_cache)
        : device_{cu::open_driver(driver)}, order_{device_}, kernels_{built(kernel_cache)},
          memory_{device_, room()}, kept_{device_, threads() * sizeof(unsigned)} {
        order_.fill(memory_.data(), 0x5A, memory_.size());
    }

    /// Bytes a second, median of the passes over all of the memory.
    double measure(int passes = 15) const {
        device_.use();
        const event begin{device_, true}, end{device_, true};
        std::vector<double> rates;
        for (int pass = -2; pass < passes; ++pass) {
            order_.record(begin);
            read(order_);
            order_.record(end);
            end.synchronize();
            if (pass >= 0)
                rates.push_back(static_cast<double>(memory_.size()) * 1e3 /
                                double{end.milliseconds_since(begin)});
        }
        std::sort(rates.begin(), rates.end());
        return rates[rates.size() / 2];
    }
    /// Has the device read for some milliseconds, in front of what follows on this stream.
    void occupy(const stream& order) const {
        for (std::size_t read_bytes = 0; read_bytes < occupied_bytes; read_bytes += memory_.size())
            read(order);
    }

  private:
    static constexpr std::size_t occupied_bytes = std::size_t{12} << 30;

    kernel_library built(const std::filesystem::path& folder) const {
        std::optional<jit::kernel_cache> cache;
        if (!folder.empty()) cache.emplace(folder);
        jit::kernel_builder builder{
            jit::compiler{jit::embedded_headers(),
                          {.search = jit::toolkit_search::with(toolkits_of_environment()),
                           .line_info = false,
                           .driver_version = device_.info().driver_version}},
            std::move(cache)};
        const kernel_request request = read_request();
        return {device_, builder.build({&request, 1}, device_.info().arch)};
    }
    std::size_t room() const {
        constexpr std::size_t whole = std::size_t{1} << 20;
        const std::size_t bytes =
            std::min(std::size_t{4} << 30, device_.memory().free_bytes / 2) / whole * whole;
        if (bytes < 4 * device_.info().l2_bytes)
            throw input_error{"bench: expected free memory of four times the L2 cache, ",
                              4 * device_.info().l2_bytes, " bytes, got ", bytes};
        return bytes;
    }
    launch_shape shape() const {
        return {.grid_x = static_cast<unsigned>(g4k::read_blocks * device_.info().multiprocessors),
                .threads = g4k::read_threads};
    }
    std::size_t threads() const { return std::size_t{shape().grid_x} * shape().threads; }
    void read(const stream& order) const {
        const g4k::read_args args{memory_.data(), static_cast<long long>(memory_.size() / 16),
                                  kept_.as<unsigned>()};
        order.launch(kernels_.get(read_request()), shape(), args, false);
    }

    device device_;
    stream order_;
    kernel_library kernels_;
    device_buffer memory_, kept_;
};

}  // namespace g4::apps
