// Memory with an owner: on the device, and pinned in the host's for copies that do not wait.
#pragma once
#include "g4/core/error.hpp"
#include "g4/runtime/device.hpp"
#include <cstddef>
#include <optional>
#include <span>
#include <utility>

namespace g4 {

/// Device memory, aligned to 256 bytes. Moves; freed at the end of its life. May be empty.
class device_buffer {
  public:
    device_buffer() = default;
    /// Errors: device_error with what was asked for and what was free.
    device_buffer(const device& on, std::size_t bytes) : device_{on}, bytes_{bytes} {
        if (bytes == 0) return;
        on.use();
        const auto& driver = on.driver();
        if (const int failed = driver.memory_allocate.code(&address_, bytes); failed != 0) {
            memory_room room;
            driver.memory_info.code(&room.free_bytes, &room.total_bytes);
            throw device_error{"cuMemAlloc_v2: expected ",
                               bytes,
                               " bytes on ",
                               on.info().name,
                               ", got ",
                               driver.memory_allocate.texts.of(failed),
                               ", free: ",
                               room.free_bytes,
                               " of ",
                               room.total_bytes};
        }
    }
    device_buffer(device_buffer&& other) noexcept { swap(other); }
    device_buffer& operator=(device_buffer&& other) noexcept {
        device_buffer{std::move(other)}.swap(*this);
        return *this;
    }
    ~device_buffer() {
        if (address_ == 0) return;
        // A failing free has no one to tell; a sticky error shows in the next call.
        const auto& driver = device_->driver();
        try {
            device_->use();
        } catch (const device_error&) {
            return;
        }
        driver.memory_free.code(address_);
    }

    std::byte* data() const {
        return reinterpret_cast<std::byte*>(address_);  // for arguments; not the host's to read
    }
    template <class T> T* as() const { return reinterpret_cast<T*>(address_); }
    std::size_t size() const { return bytes_; }
    bool empty() const { return bytes_ == 0; }

  private:
    void swap(device_buffer& other) noexcept {
        std::swap(device_, other.device_);
        std::swap(address_, other.address_);
        std::swap(bytes_, other.bytes_);
    }
    std::optional<device> device_;
    cu::address address_ = 0;
    std::size_t bytes_ = 0;
};

/// Host memory that the device copies from and to without the host's help. Moves. May be empty.
class pinned_buffer {
  public:
    pinned_buffer() = default;
    pinned_buffer(const device& on, std::size_t bytes) : device_{on}, bytes_{bytes} {
        if (bytes == 0) return;
        on.use();
        on.driver().host_allocate(&memory_, bytes, portable);
    }
    pinned_buffer(pinned_buffer&& other) noexcept { swap(other); }
    pinned_buffer& operator=(pinned_buffer&& other) noexcept {
        pinned_buffer{std::move(other)}.swap(*this);
        return *this;
    }
    ~pinned_buffer() {
        if (memory_ == nullptr) return;
        try {
            device_->use();
        } catch (const device_error&) {
            return;
        }
        device_->driver().host_free.code(memory_);
    }

    std::byte* data() const { return static_cast<std::byte*>(memory_); }
    template <class T> std::span<T> as() const {
        return {static_cast<T*>(memory_), bytes_ / sizeof(T)};
    }
    std::size_t size() const { return bytes_; }
    bool empty() const { return bytes_ == 0; }

  private:
    static constexpr unsigned portable = 1;  // CU_MEMHOSTALLOC_PORTABLE

    void swap(pinned_buffer& other) noexcept {
        std::swap(device_, other.device_);
        std::swap(memory_, other.memory_);
        std::swap(bytes_, other.bytes_);
    }
    std::optional<device> device_;
    void* memory_ = nullptr;
    std::size_t bytes_ = 0;
};

}  // namespace g4
