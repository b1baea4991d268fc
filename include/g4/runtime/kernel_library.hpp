// The kernels of a plan on a device: loaded once, handed out by what was asked for.
#pragma once
#include "g4/core/error.hpp"
#include "g4/emit/request.hpp"
#include "g4/jit/build.hpp"
#include "g4/runtime/device.hpp"
#include "g4/runtime/kernel.hpp"
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace g4 {

/// Kernels outlive the library that they came from.
class kernel_library {
  public:
    /// Loads what a builder compiled or a bundle holds.
    kernel_library(const device& on, std::span<const jit::built_kernel> built) : device_{on} {
        add(built);
    }

    /// Loads more. Requests that are there already are passed over.
    void add(std::span<const jit::built_kernel> built) {
        for (const jit::built_kernel& one : built) {
            const auto at = key(one.request);
            if (kernels_.contains(at)) continue;
            kernels_.emplace(at, load(one));
        }
    }

    /// Errors: internal_error when the request was not among those built.
    const kernel& get(const kernel_request& request) const {
        const auto at = kernels_.find(key(request));
        if (at == kernels_.end())
            throw internal_error{"kernels: expected ", request.name,
                                 " among those that were compiled, got none of that text"};
        return at->second;
    }
    std::size_t size() const { return kernels_.size(); }

  private:
    kernel load(const jit::built_kernel& one) const {
        try {
            return kernel{std::make_shared<const kernel_module>(device_, one.cubin),
                          one.request.name};
        } catch (const device_error& error) {
            throw device_error{"kernels: ",
                               one.request.name,
                               " on ",
                               device_.info().name,
                               " (",
                               device_.info().arch,
                               ", driver of CUDA ",
                               device_.info().driver_version / 1000,
                               ".",
                               device_.info().driver_version % 1000 / 10,
                               "): ",
                               error.what()};
        }
    }
    static std::pair<std::string, std::string> key(const kernel_request& request) {
        return {request.name, request.text};
    }

    device device_;
    std::map<std::pair<std::string, std::string>, kernel> kernels_;
};

}  // namespace g4
