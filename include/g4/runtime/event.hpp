// A point in a stream that can be waited for and timed.
#pragma once
#include "g4/runtime/device.hpp"
#include <utility>

namespace g4 {

/// Recorded by stream::record. Moves; must not be used after it was moved from.
class event {
  public:
    /// timed: milliseconds_since may be asked; costs the device a time stamp.
    explicit event(const device& on, bool timed = false) : device_{on} {
        on.use();
        on.driver().event_create(&handle_, timed ? 0u : disable_timing);
    }
    event(event&& other) noexcept
        : device_{other.device_}, handle_{std::exchange(other.handle_, nullptr)} {}
    event& operator=(event&& other) noexcept {
        std::swap(device_, other.device_);
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~event() {
        if (handle_ != nullptr) device_.driver().event_destroy.code(handle_);
    }

    /// Waits until what was recorded has happened.
    void synchronize() const { device_.driver().event_synchronize(handle_); }
    /// Whether it has happened. Errors: device_error when work in front of it failed.
    bool happened() const {
        const auto& query = device_.driver().event_query;
        const int code = query.code(handle_);
        if (code == not_ready) return false;
        if (code != 0)
            throw device_error{query.name, ": expected success, got ", query.texts.of(code)};
        return true;
    }
    /// Between two timed events that have happened.
    float milliseconds_since(const event& start) const {
        float out = 0;
        device_.driver().event_elapsed(&out, start.handle_, handle_);
        return out;
    }
    cu::event handle() const { return handle_; }

  private:
    static constexpr unsigned disable_timing = 2;  // CU_EVENT_DISABLE_TIMING
    static constexpr int not_ready = 600;          // CUDA_ERROR_NOT_READY

    device device_;
    cu::event handle_ = nullptr;
};

}  // namespace g4
