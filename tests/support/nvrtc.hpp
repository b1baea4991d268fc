// The run-time compiler as tests open it: a toolkit's, or the one that scripts/nvrtc fetched.
#pragma once
#include "apps/kernel_folders.hpp"
#include "g4/jit/compiler.hpp"

namespace g4::testing {

/// Errors: device_error without NVRTC.
inline jit::compiler open_compiler(jit::header_map headers = jit::embedded_headers()) {
    return jit::compiler{std::move(headers),
                         {.search = jit::toolkit_search::with(apps::toolkits_of_environment()),
                          .line_info = false,
                          .driver_version = 0}};
}

}  // namespace g4::testing
