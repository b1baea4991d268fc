// How far a long piece of work is, as a line now and then.
#pragma once
#include "apps/quantize/plan.hpp"
#include "g4/core/log.hpp"
#include "g4/passes/plan_print.hpp"
#include <chrono>
#include <cstdint>

namespace g4::apps {

/// "15.99 GB", "4.1 MB"
inline std::string size_text(std::uint64_t bytes) {
    const auto count = static_cast<double>(bytes);
    return count < 1e9 ? fixed(count / 1e6, 1) + " MB" : fixed(count / 1e9, 2) + " GB";
}

/// Reports every other second: tensors, bytes read, and the time that is left if the
/// rest takes as long a byte.
class progress {
  public:
    progress(std::size_t tensors, std::uint64_t bytes, const logger& log)
        : tensors_{tensors}, bytes_{bytes}, log_{log} {}

    void read(std::uint64_t bytes) {
        done_bytes_ += bytes;
        const clock::time_point now = clock::now();
        if (now - last_ < std::chrono::seconds{2} || done_bytes_ == bytes_) return;
        last_ = now;
        const double spent = std::chrono::duration<double>(now - start_).count();
        const double share = static_cast<double>(done_bytes_) / static_cast<double>(bytes_);
        log_.info(fixed(100 * share), " %, ", done_tensors_, " of ", tensors_, " tensors, ",
                  size_text(done_bytes_), " of ", size_text(bytes_), " read, ",
                  fixed(spent / share - spent), " s left");
    }
    void tensor_done() { ++done_tensors_; }
    double seconds() const { return std::chrono::duration<double>(clock::now() - start_).count(); }

  private:
    using clock = std::chrono::steady_clock;
    std::size_t tensors_, done_tensors_ = 0;
    std::uint64_t bytes_, done_bytes_ = 0;
    const logger& log_;
    clock::time_point start_ = clock::now(), last_ = start_;
};

}  // namespace g4::apps
