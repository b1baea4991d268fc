// Where compiled kernels are kept and NVRTC is looked for when the user names no folder.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <vector>

namespace g4::apps {

/// g4/kernels in $XDG_CACHE_HOME, else in ~/.cache; empty, which keeps none, without either.
inline std::filesystem::path default_kernel_cache() {
    if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != 0)
        return std::filesystem::path{cache} / "g4/kernels";
    if (const char* home = std::getenv("HOME"); home != nullptr && *home != 0)
        return std::filesystem::path{home} / ".cache/g4/kernels";
    return {};
}

/// A Python environment's packages, and a toolkit that is not in its usual place.
inline std::vector<std::filesystem::path> toolkits_of_environment() {
    std::vector<std::filesystem::path> out;
    for (const char* name : {"CUDA_HOME", "VIRTUAL_ENV"})
        if (const char* folder = std::getenv(name); folder != nullptr && *folder != 0)
            out.emplace_back(folder);
    return out;
}

}  // namespace g4::apps
