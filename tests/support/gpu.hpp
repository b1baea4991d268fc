// A device for tests and benchmarks: opened once for the program, or skipped aloud.
#pragma once
#include "g4/core/log.hpp"
#include "g4/emit/request.hpp"
#include "g4/jit/build.hpp"
#include "g4/jit/headers.hpp"
#include "g4/runtime/buffer.hpp"
#include "g4/runtime/device.hpp"
#include "g4/runtime/event.hpp"
#include "g4/runtime/kernel.hpp"
#include "g4/runtime/kernel_library.hpp"
#include "g4/runtime/stream.hpp"
#include "tests/support/nvrtc.hpp"
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace g4::testing {

/// Device memory that holds so many T.
template <class T> class device_vector {
  public:
    device_vector(const device& on, std::size_t size)
        : memory_{on, size * sizeof(T)}, size_{size} {}
    T* data() const { return memory_.template as<T>(); }
    std::size_t size() const { return size_; }
    std::size_t bytes() const { return size_ * sizeof(T); }

  private:
    device_buffer memory_;
    std::size_t size_;
};

struct kernel_time {
    double median_us = 0, best_us = 0;  // of one call of the body
};

/// Device 0 with a stream and a compiler. Everything waits for its own end: errors show where
/// they arise.
class gpu {
  public:
    gpu()
        : device_{device::open()},
          stream_{device_},
          builder_{open_compiler(),
                   std::nullopt,
                   {.log = logger{[](log_level level, const std::string& line) {
                        if (level >= log_level::warning) std::printf("%s\n", line.c_str());
                    }}}},
          library_{device_, {}} {}

    const device_info& info() const { return device_.info(); }
    const g4::device& device() const { return device_; }
    const g4::stream& stream() const { return stream_; }

    /// Compiles once for each text. Spills are printed.
    const kernel& compile(const kernel_request& request) {
        library_.add(builder_.build({&request, 1}, info().arch));
        return library_.get(request);
    }

    template <class T> device_vector<T> upload(const std::vector<T>& from) const {
        device_vector<T> out{device_, from.size()};
        stream_.copy_to_device(out.data(), from.data(), out.bytes());
        stream_.synchronize();
        return out;
    }
    template <class T> std::vector<T> download(const device_vector<T>& from) const {
        std::vector<T> out(from.size());
        stream_.copy_to_host(out.data(), from.data(), from.bytes());
        stream_.synchronize();
        return out;
    }
    /// Every byte 0xFF: NaN as bf16 and f32, -1 as int. What a kernel does not write, shows.
    template <class T> device_vector<T> poisoned(std::size_t size) const {
        return filled<T>(size, 0xFF);
    }
    template <class T> device_vector<T> filled(std::size_t size, unsigned char byte = 0) const {
        device_vector<T> out{device_, size};
        stream_.fill(out.data(), byte, out.bytes());
        stream_.synchronize();
        return out;
    }

    template <class Args>
    void run(const kernel& what, const launch_shape& shape, const Args& args) const {
        stream_.launch(what, shape, args);
        stream_.synchronize();
    }

    /// Times body(i), i = 0 … calls - 1, which puts work on stream(): captured as one replay, so
    /// that the host's share does not count, and repeated. Bodies that stream weights take another
    /// copy for each i, or the L2 cache serves them.
    template <class Body>
    kernel_time time(const Body& body, int calls = 20, int repeats = 11) const {
        const replay all = stream_.capture([&] {
            for (int i = 0; i < calls; ++i) body(i);
        });
        const event begin{device_, true}, end{device_, true};
        std::vector<double> times;
        for (int i = -2; i < repeats; ++i) {
            stream_.record(begin);
            stream_.launch(all);
            stream_.record(end);
            end.synchronize();
            if (i >= 0) times.push_back(end.milliseconds_since(begin) * 1e3 / calls);
        }
        std::ranges::sort(times);
        return {times[times.size() / 2], times.front()};
    }

  private:
    g4::device device_;
    g4::stream stream_;
    jit::kernel_builder builder_;
    kernel_library library_;
};

/// The program's one device; null, after a line that says so, where there is none:
///   auto* gpu = g4::testing::open_gpu();
///   if (gpu == nullptr) return;
inline gpu* open_gpu() {
    static std::string why;
    static const std::unique_ptr<gpu> only = []() -> std::unique_ptr<gpu> {
        try {
            cu::open_driver();
        } catch (const device_error& error) {
            why = error.what();
            return nullptr;
        }
        return std::make_unique<gpu>();  // a device that is there but does not work is an error
    }();
    if (only == nullptr) std::printf("SKIPPED: no GPU: %s\n", why.c_str());
    else only->device().use();
    return only.get();
}

}  // namespace g4::testing
