// A compiled kernel on the device, ready to be launched.
#pragma once
#include "g4/core/error.hpp"
#include "g4/runtime/device.hpp"
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

namespace g4 {

struct kernel_resources {
    int registers = 0;
    std::size_t local_bytes = 0;  // of a thread, in device memory: spills and indexed arrays
    std::size_t static_shared_bytes = 0;
    std::size_t argument_bytes = 0;  // of the one parameter; 0 when the driver cannot tell
};

/// Device code as the driver loaded it; the kernels that it gave keep it loaded.
class kernel_module {
  public:
    kernel_module(const device& on, const std::string& cubin) : device_{on} {
        on.use();
        on.driver().module_load(&handle_, cubin.data());
    }
    kernel_module(const kernel_module&) = delete;
    kernel_module& operator=(const kernel_module&) = delete;
    ~kernel_module() {
        try {
            device_.use();
        } catch (const device_error&) {
            return;
        }
        device_.driver().module_unload.code(handle_);
    }
    const device& on() const { return device_; }
    cu::module handle() const { return handle_; }

  private:
    device device_;
    cu::module handle_ = nullptr;
};

/// A handle that is cheap to copy. It may take all the shared memory that the device grants.
class kernel {
  public:
    kernel(std::shared_ptr<const kernel_module> from, std::string name)
        : module_{std::move(from)}, name_{std::move(name)} {
        const auto& driver = module_->on().driver();
        driver.module_function(&handle_, module_->handle(), name_.c_str());
        const auto read = [&](cu::function_attribute which) {
            int value = 0;
            driver.function_get(&value, which, handle_);
            return value;
        };
        resources_.registers = read(cu::register_count);
        resources_.local_bytes = static_cast<std::size_t>(read(cu::local_bytes));
        resources_.static_shared_bytes = static_cast<std::size_t>(read(cu::static_shared_bytes));
        const std::size_t most = module_->on().info().shared_bytes_per_block;
        driver.function_set(handle_, cu::max_dynamic_shared_bytes,
                            static_cast<int>(most - resources_.static_shared_bytes));
        std::size_t offset = 0;
        if (driver.function_parameter.found())
            driver.function_parameter(handle_, 0, &offset, &resources_.argument_bytes);
    }

    /// How many blocks of this size a multiprocessor holds at a time.
    int blocks_per_multiprocessor(unsigned threads, std::size_t shared_bytes) const {
        int out = 0;
        module_->on().driver().function_occupancy(&out, handle_, static_cast<int>(threads),
                                                  shared_bytes);
        return out;
    }
    const std::string& name() const { return name_; }
    const kernel_resources& resources() const { return resources_; }
    cu::function handle() const { return handle_; }

  private:
    std::shared_ptr<const kernel_module> module_;
    std::string name_;
    cu::function handle_ = nullptr;
    kernel_resources resources_;
};

}  // namespace g4
