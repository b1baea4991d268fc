// Work in order on the device: copies, fills, launches, and their capture.
#pragma once
#include "g4/core/error.hpp"
#include "g4/emit/request.hpp"
#include "g4/runtime/device.hpp"
#include "g4/runtime/event.hpp"
#include "g4/runtime/kernel.hpp"
#include "g4/runtime/replay.hpp"
#include <cstddef>
#include <utility>

namespace g4 {

/// One thread at a time uses a stream; it binds the device first (device::use). Nothing waits but
/// synchronize. A kernel that failed earlier shows as device_error in any later call.
class stream {
  public:
    /// priority: lower numbers go first; 0 is the lowest.
    explicit stream(const device& on, int priority = 0) : device_{on} {
        on.use();
        on.driver().stream_create(&handle_, non_blocking, priority);
    }
    stream(stream&& other) noexcept
        : device_{other.device_}, handle_{std::exchange(other.handle_, nullptr)} {}
    stream& operator=(stream&& other) noexcept {
        std::swap(device_, other.device_);
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~stream() {
        if (handle_ != nullptr) device_.driver().stream_destroy.code(handle_);
    }

    /// `from` must stay until the copy is done, and be pinned for the host not to wait.
    void copy_to_device(void* to, const void* from, std::size_t bytes) const {
        if (bytes > 0) device_.driver().copy_to_device(address(to), from, bytes, handle_);
    }
    void copy_to_host(void* to, const void* from, std::size_t bytes) const {
        if (bytes > 0) device_.driver().copy_to_host(to, address(from), bytes, handle_);
    }
    void copy_on_device(void* to, const void* from, std::size_t bytes) const {
        if (bytes > 0) device_.driver().copy_on_device(address(to), address(from), bytes, handle_);
    }
    void fill(void* to, unsigned char byte, std::size_t bytes) const {
        if (bytes > 0) device_.driver().fill_bytes(address(to), byte, bytes, handle_);
    }

    /// Starts a kernel whose one parameter is the `size` bytes at `args`, copied here.
    ///   programmatic  it may start while the kernel in front of it runs, which it waits for itself
    ///                 (wait_for_inputs); plain order where the device cannot (before 9.0)
    void launch(const kernel& what, const launch_shape& shape, const void* args, std::size_t size,
                bool programmatic = true) const {
        const std::size_t expected = what.resources().argument_bytes;
        if (expected != 0 && expected != size)
            throw internal_error{
                "launch: ", what.name(), ": expected ", expected, " bytes of arguments, got ",
                size};
        cu::launch_attribute overlap{.id = cu::programmatic_stream_serialization};
        overlap.value.number = 1;
        const cu::launch_config config{
            .grid_x = shape.grid_x,
            .grid_y = shape.grid_y,
            .grid_z = shape.grid_z,
            .block_x = shape.threads,
            .shared_bytes = shape.shared_bytes,
            .stream = handle_,
            .attributes = &overlap,
            .attribute_count = programmatic && device_.overlaps_launches() ? 1u : 0u};
        void* parameters[]{const_cast<void*>(args)};
        const auto& start = device_.driver().launch;
        if (const int failed = start.code(&config, what.handle(), parameters, nullptr); failed != 0)
            throw device_error{start.name,
                               ": ",
                               what.name(),
                               " with grid ",
                               shape.grid_x,
                               " x ",
                               shape.grid_y,
                               " x ",
                               shape.grid_z,
                               ", ",
                               shape.threads,
                               " threads, ",
                               shape.shared_bytes,
                               " bytes shared: expected success, got ",
                               start.texts.of(failed)};
    }
    template <class Args>
    void launch(const kernel& what, const launch_shape& shape, const Args& args,
                bool programmatic = true) const {
        launch(what, shape, &args, sizeof(Args), programmatic);
    }
    void launch(const replay& what) const { device_.driver().graph_launch(what.handle(), handle_); }
    /// Brings a replay to the device ahead of its first launch.
    void upload(const replay& what) const { device_.driver().graph_upload(what.handle(), handle_); }

    /// What `body` puts on this stream, and on streams that wait for events of it and are waited
    /// for again, becomes a replay; nothing of it runs now. Allocate nothing in it.
    template <class Body> replay capture(const Body& body) const {
        const auto& driver = device_.driver();
        driver.capture_begin(handle_, of_this_thread);
        cu::graph captured = nullptr;
        try {
            body();
        } catch (...) {
            driver.capture_end.code(handle_, &captured);
            if (captured != nullptr) driver.graph_destroy.code(captured);
            throw;
        }
        driver.capture_end(handle_, &captured);
        return replay{device_, captured};
    }

    void record(const event& at) const { device_.driver().event_record(at.handle(), handle_); }
    /// What follows on this stream comes after `until`; the host does not wait.
    void wait(const event& until) const {
        device_.driver().stream_wait(handle_, until.handle(), 0);
    }
    void synchronize() const { device_.driver().stream_synchronize(handle_); }
    const device& on() const { return device_; }
    cu::stream handle() const { return handle_; }

  private:
    static constexpr unsigned non_blocking = 1;  // CU_STREAM_NON_BLOCKING
    static constexpr int of_this_thread = 1;     // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL

    static cu::address address(const void* pointer) {
        return reinterpret_cast<cu::address>(pointer);
    }

    device device_;
    cu::stream handle_ = nullptr;
};

}  // namespace g4
