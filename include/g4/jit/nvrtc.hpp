// NVRTC, opened at run time: text becomes machine code for one architecture; needs no GPU.
#pragma once
#include "g4/core/error.hpp"
#include "g4/jit/toolkit.hpp"
#include <cstddef>
#include <dlfcn.h>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace g4::jit {

struct header {
    std::string path, text;  // path: as an include names it
};
struct nvrtc_program {
    std::string name;  // stands in messages
    std::string text;
    std::vector<header> headers;
    std::vector<std::string> options;
};
struct nvrtc_result {
    std::string cubin, log;
};

/// The libraries whose code a driver loads that knows this CUDA (12080: 12.8), newest first; 0:
/// all.
inline std::vector<std::string> nvrtc_names(int driver_version = 0) {
    if (driver_version != 0 && driver_version < 13000) return {"libnvrtc.so.12"};
    return {"libnvrtc.so.13", "libnvrtc.so.12"};
}

/// The compiler's functions, declared here so that building needs no toolkit. Any thread may call.
class nvrtc {
  public:
    /// The first of `names` that the system's search finds, then that `where` does.
    /// Errors: device_error that lists where it looked.
    static nvrtc open(const toolkit_search& where, std::vector<std::string> names = nvrtc_names()) {
        std::vector<std::string> candidates = names;
        std::string looked = "the system's search", why;
        for (const auto& folder : where.library_folders()) {
            looked += ", " + folder.string();
            for (const std::string& name : names)
                if (std::filesystem::exists(folder / name))
                    candidates.push_back((folder / name).string());
        }
        for (const std::string& candidate : candidates) {
            void* const handle = dlopen(candidate.c_str(), RTLD_NOW | RTLD_LOCAL);
            if (handle != nullptr) return nvrtc{handle, candidate};
            if (candidate.starts_with('/')) why += concat("\n  ", dlerror());
        }
        throw device_error{"jit: expected NVRTC (",
                           names.front(),
                           "), got none in ",
                           looked,
                           why,
                           "\nPyPI's nvidia-cuda-nvrtc or a CUDA toolkit of 12.0 or later brings ",
                           "it; a bundle made by g4-compile needs none"};
    }
    /// The file that was opened, and its version: "13.0".
    const std::string& file() const { return file_; }
    const std::string& version() const { return version_; }
    /// Tells builds of one version apart: they may make different code.
    std::string identity() const {
        std::error_code failed;
        const auto bytes = std::filesystem::file_size(file_, failed);
        return concat(version_, ", ", failed ? 0 : bytes, " bytes");
    }

    /// Errors: device_error with the compiler's log.
    nvrtc_result compile(const nvrtc_program& from) const {
        std::vector<const char*> texts, names, options;
        for (const header& one : from.headers) {
            texts.push_back(one.text.c_str());
            names.push_back(one.path.c_str());
        }
        for (const std::string& option : from.options) options.push_back(option.c_str());
        void* program = nullptr;
        check(create_(&program, from.text.c_str(), from.name.c_str(),
                      static_cast<int>(texts.size()), texts.data(), names.data()),
              "nvrtcCreateProgram", from.name);
        const std::unique_ptr<void, program_end> owner{program, program_end{destroy_}};
        const int failed = compile_(program, static_cast<int>(options.size()), options.data());
        nvrtc_result out;
        std::size_t size = 0;
        check(log_size_(program, &size), "nvrtcGetProgramLogSize", from.name);
        out.log.resize(size);
        check(log_(program, out.log.data()), "nvrtcGetProgramLog", from.name);
        while (out.log.ends_with('\0')) out.log.pop_back();
        if (failed != 0)
            throw device_error{
                "jit: ", from.name, ": expected machine code, got ", error_text_(failed),
                "\n",    out.log};
        check(cubin_size_(program, &size), "nvrtcGetCUBINSize", from.name);
        out.cubin.resize(size);
        check(cubin_(program, out.cubin.data()), "nvrtcGetCUBIN", from.name);
        return out;
    }

  private:
    struct program_end {
        int (*destroy)(void**);
        void operator()(void* program) const { destroy(&program); }
    };

    nvrtc(void* handle, std::string file)
        : library_{handle, [](void* opened) { dlclose(opened); }}, file_{std::move(file)} {
        find(create_, "nvrtcCreateProgram");
        find(compile_, "nvrtcCompileProgram");
        find(destroy_, "nvrtcDestroyProgram");
        find(log_size_, "nvrtcGetProgramLogSize");
        find(log_, "nvrtcGetProgramLog");
        find(cubin_size_, "nvrtcGetCUBINSize");
        find(cubin_, "nvrtcGetCUBIN");
        find(error_text_, "nvrtcGetErrorString");
        find(version_of_, "nvrtcVersion");
        int major = 0, minor = 0;
        check(version_of_(&major, &minor), "nvrtcVersion", file_);
        version_ = concat(major, ".", minor);
        if (void* const found = dlsym(handle, "nvrtcVersion"); found != nullptr) {
            Dl_info where{};
            if (dladdr(found, &where) != 0 && where.dli_fname != nullptr) file_ = where.dli_fname;
        }
    }

    template <class Function> void find(Function*& function, const char* name) const {
        function = reinterpret_cast<Function*>(dlsym(library_.get(), name));
        if (function == nullptr)
            throw device_error{"jit: expected ", name, " in ", file_, ", got none"};
    }
    void check(int code, const char* call, const std::string& about) const {
        if (code != 0)
            throw device_error{call, ": ", about, ": expected success, got ", error_text_(code),
                               " (", code, ")"};
    }

    std::shared_ptr<void> library_;
    std::string file_, version_;
    int (*create_)(void**, const char*, const char*, int, const char* const*,
                   const char* const*) = nullptr;
    int (*compile_)(void*, int, const char* const*) = nullptr;
    int (*destroy_)(void**) = nullptr;
    int (*log_size_)(void*, std::size_t*) = nullptr;
    int (*log_)(void*, char*) = nullptr;
    int (*cubin_size_)(void*, std::size_t*) = nullptr;
    int (*cubin_)(void*, char*) = nullptr;
    const char* (*error_text_)(int) = nullptr;
    int (*version_of_)(int*, int*) = nullptr;
};

}  // namespace g4::jit
