// A captured sequence of launches and copies, started as one: a CUDA graph.
#pragma once
#include "g4/runtime/device.hpp"
#include <cstddef>
#include <utility>

namespace g4 {

/// Made by stream::capture, started by stream::launch. The arguments of its kernels are those of
/// the capture; what they point to may change. Moves. Must not run twice at the same time.
class replay {
  public:
    /// Takes over `captured`.
    replay(const device& on, cu::graph captured) : device_{on} {
        const auto& driver = on.driver();
        std::size_t count = 0;
        int failed = driver.graph_nodes.code(captured, nullptr, &count);
        if (failed == 0) failed = driver.graph_instantiate.code(&handle_, captured, 0);
        driver.graph_destroy.code(captured);
        if (failed != 0)
            throw device_error{driver.graph_instantiate.name, ": expected success, got ",
                               driver.graph_instantiate.texts.of(failed)};
        nodes_ = count;
    }
    replay(replay&& other) noexcept
        : device_{other.device_},
          handle_{std::exchange(other.handle_, nullptr)},
          nodes_{other.nodes_} {}
    replay& operator=(replay&& other) noexcept {
        std::swap(device_, other.device_);
        std::swap(handle_, other.handle_);
        std::swap(nodes_, other.nodes_);
        return *this;
    }
    ~replay() {
        if (handle_ != nullptr) device_.driver().graph_exec_destroy.code(handle_);
    }

    std::size_t nodes() const { return nodes_; }
    cu::graph_exec handle() const { return handle_; }

  private:
    device device_;
    cu::graph_exec handle_ = nullptr;
    std::size_t nodes_ = 0;
};

}  // namespace g4
