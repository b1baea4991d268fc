// Where compiled kernels are kept when the user names no folder.
#pragma once
#include <cstdlib>
#include <filesystem>

namespace g4::apps {

/// g4/kernels in $XDG_CACHE_HOME, else in ~/.cache; empty, which keeps none, without either.
inline std::filesystem::path default_kernel_cache() {
    if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != 0)
        return std::filesystem::path{cache} / "g4/kernels";
    if (const char* home = std::getenv("HOME"); home != nullptr && *home != 0)
        return std::filesystem::path{home} / ".cache/g4/kernels";
    return {};
}

}  // namespace g4::apps
