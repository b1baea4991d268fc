// Where NVIDIA's run-time compiler and CUB's headers lie: toolkits, and the packages of PyPI.
#pragma once
#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace g4::jit {

namespace detail {

// The entries of `folder` whose name starts with `prefix`, later versions first.
inline std::vector<std::filesystem::path> entries(const std::filesystem::path& folder,
                                                  std::string_view prefix) {
    std::vector<std::filesystem::path> found;
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator{folder, failed})
        if (entry.path().filename().string().starts_with(prefix)) found.push_back(entry.path());
    std::ranges::sort(found, std::ranges::greater{});
    return found;
}

// The nvidia folders of a Python installation's packages: <root>/lib/python3.x/*-packages/nvidia.
inline std::vector<std::filesystem::path> package_folders(const std::filesystem::path& root) {
    std::vector<std::filesystem::path> found;
    for (const char* lib : {"lib", "lib64"})
        for (const auto& python : entries(root / lib, "python3"))
            for (const char* packages : {"site-packages", "dist-packages"})
                if (const auto folder = python / packages / "nvidia";
                    std::filesystem::is_directory(folder))
                    found.push_back(folder);
    return found;
}

}  // namespace detail

/// Where to look, in this order. A root is a toolkit (it has lib64 and include), or a Python
/// environment whose packages hold parts of one.
struct toolkit_search {
    std::vector<std::filesystem::path> roots;

    /// Toolkits in /usr/local and /opt, and the system's Python, behind what is given.
    static toolkit_search with(std::vector<std::filesystem::path> first = {}) {
        toolkit_search out{std::move(first)};
        for (const char* folder : {"/usr/local", "/opt"})
            for (const auto& toolkit : detail::entries(folder, "cuda"))
                out.roots.push_back(toolkit);
        for (const char* python : {"/usr/local", "/usr"}) out.roots.emplace_back(python);
        return out;
    }

    /// Folders that may hold the libraries.
    std::vector<std::filesystem::path> library_folders() const {
        std::vector<std::filesystem::path> found;
        const auto add = [&](const std::filesystem::path& folder) {
            if (std::filesystem::is_directory(folder)) found.push_back(folder);
        };
        for (const auto& root : roots) {
            for (const char* lib : {"lib64", "lib"}) add(root / lib);
            for (const auto& nvidia : detail::package_folders(root)) {
                for (const auto& toolkit : detail::entries(nvidia, "cu1")) add(toolkit / "lib");
                add(nvidia / "cuda_nvrtc" / "lib");
            }
        }
        return found;
    }
    /// Folders that may hold cub/cub.cuh, then the toolkit's own headers beside it.
    std::vector<std::filesystem::path> include_folders() const {
        std::vector<std::filesystem::path> found;
        const auto add = [&](const std::filesystem::path& include) {
            for (const auto& folder : {include / "cccl", include})
                if (std::filesystem::is_directory(folder / "cub")) found.push_back(folder);
        };
        for (const auto& root : roots) {
            add(root / "include");
            for (const auto& nvidia : detail::package_folders(root)) {
                for (const auto& toolkit : detail::entries(nvidia, "cu1")) add(toolkit / "include");
                add(nvidia / "cuda_cccl" / "include");
            }
        }
        return found;
    }
};

}  // namespace g4::jit
