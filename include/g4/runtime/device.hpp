// One GPU: its context, its sizes, and the architecture that kernels are compiled for.
#pragma once
#include "g4/core/error.hpp"
#include "g4/runtime/driver.hpp"
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace g4 {

struct device_info {
    std::string name, arch;  // arch: as the compiler takes it, "sm_90a"
    int ordinal = 0;
    int major = 0, minor = 0;  // compute capability
    int multiprocessors = 0;
    std::size_t shared_bytes_per_block = 0;  // at most, when the kernel asks for it
    std::size_t shared_bytes_per_multiprocessor = 0;
    std::size_t l2_bytes = 0, memory_bytes = 0;
    int memory_gigabytes_per_second = 0;  // by clock and width; 0: the driver does not tell
    int driver_version = 0;  // of the CUDA that the driver knows: 13000
};
struct memory_room {
    std::size_t free_bytes = 0, total_bytes = 0;
};

/// The compiler's name for a compute capability. Those with features of their own get the form
/// with an "a": wgmma and tensor cores that later architectures do not have.
inline std::string arch_name(int major, int minor) {
    const bool own = (major == 9 || major == 10) && minor == 0;
    return concat("sm_", major, minor, own ? "a" : "");
}

/// A GPU's primary context, retained as long as a copy of this lives. Copies share it.
/// Every thread that calls the driver binds it first: use().
class device {
  public:
    /// Errors: device_error when the ordinal names no device.
    explicit device(std::shared_ptr<const cu::driver> driver, int ordinal = 0)
        : state_{std::make_shared<const state>(std::move(driver), ordinal)} {
        use();
    }
    static device open(int ordinal = 0) { return device{cu::open_driver(), ordinal}; }

    /// Binds the device to the calling thread.
    void use() const { state_->driver->context_set(state_->context); }
    /// Waits for everything that was started on the device.
    void synchronize() const {
        use();
        state_->driver->context_synchronize();
    }
    memory_room memory() const {
        memory_room out;
        use();
        state_->driver->memory_info(&out.free_bytes, &out.total_bytes);
        return out;
    }
    const device_info& info() const { return state_->info; }
    const cu::driver& driver() const { return *state_->driver; }
    /// Whether a kernel may start before the one in front of it has ended.
    bool overlaps_launches() const { return state_->info.major >= 9; }

  private:
    struct state {
        state(std::shared_ptr<const cu::driver> from, int ordinal) : driver{std::move(from)} {
            int count = 0;
            driver->device_count(&count);
            if (ordinal < 0 || ordinal >= count)
                throw device_error{"cuda: expected a device below ", count, ", got ", ordinal};
            driver->device_get(&handle, ordinal);
            info = read(*driver, handle, ordinal);
            driver->context_retain(&context, handle);
        }
        state(const state&) = delete;
        state& operator=(const state&) = delete;
        ~state() { driver->context_release.code(handle); }

        static device_info read(const cu::driver& driver, int handle, int ordinal) {
            device_info out;
            const auto number = [&](cu::attribute which) {
                int value = 0;
                driver.device_attribute(&value, which, handle);
                return value;
            };
            const auto bytes = [&](cu::attribute which) {
                return static_cast<std::size_t>(number(which));
            };
            char name[256]{};
            driver.device_name(name, sizeof name, handle);
            out.name = name;
            out.ordinal = ordinal;
            out.major = number(cu::compute_capability_major);
            out.minor = number(cu::compute_capability_minor);
            out.arch = arch_name(out.major, out.minor);
            out.multiprocessors = number(cu::multiprocessor_count);
            out.shared_bytes_per_block = bytes(cu::shared_bytes_per_block_optin);
            out.shared_bytes_per_multiprocessor = bytes(cu::shared_bytes_per_multiprocessor);
            out.l2_bytes = bytes(cu::l2_cache_bytes);
            const double transfers = 2e3 * number(cu::memory_clock_khz);  // two a clock
            out.memory_gigabytes_per_second =
                static_cast<int>(transfers * number(cu::memory_bus_bits) / 8 / 1e9);
            driver.device_memory(&out.memory_bytes, handle);
            driver.driver_version(&out.driver_version);
            return out;
        }

        std::shared_ptr<const cu::driver> driver;
        int handle = 0;
        cu::context context = nullptr;
        device_info info;
    };
    std::shared_ptr<const state> state_;
};

}  // namespace g4
