// The CUDA driver, opened at run time: one program runs with and without a GPU, and building needs
// no toolkit. tests/jit/signatures_test.cpp holds the declarations against cuda.h where it is.
// Source: cuda.h of CUDA 13.0; names with the suffixes that cuda.h adds by macro.
#pragma once
#include "g4/core/error.hpp"
#include <cstddef>
#include <cstdint>
#include <dlfcn.h>
#include <memory>
#include <string>
#include <type_traits>

namespace g4::cu {

// The driver's handles. Never looked into.
using context = struct context_object*;
using module = struct module_object*;
using function = struct function_object*;
using stream = struct stream_object*;
using event = struct event_object*;
using graph = struct graph_object*;
using graph_node = struct graph_node_object*;
using graph_exec = struct graph_exec_object*;
using address = unsigned long long;  // in device memory

enum attribute : int {  // of a device
    shared_bytes_per_block_optin = 97,
    shared_bytes_per_multiprocessor = 81,
    multiprocessor_count = 16,
    compute_capability_major = 75,
    compute_capability_minor = 76,
    l2_cache_bytes = 38,
    memory_clock_khz = 36,
    memory_bus_bits = 37,
    clock_khz = 13,
};
enum function_attribute : int {
    static_shared_bytes = 1,
    local_bytes = 3,
    register_count = 4,
    max_dynamic_shared_bytes = 8,
};
enum launch_attribute_id : int { programmatic_stream_serialization = 6 };

struct launch_attribute {
    int id = 0;
    char gap[4]{};
    union {
        char bytes[64];
        int number;
    } value{};
};
struct launch_config {
    unsigned grid_x = 1, grid_y = 1, grid_z = 1;
    unsigned block_x = 1, block_y = 1, block_z = 1;
    unsigned shared_bytes = 0;
    cu::stream stream = nullptr;
    launch_attribute* attributes = nullptr;
    unsigned attribute_count = 0;
};
/// How the tensor memory accelerator sees an array: 128 bytes that only the driver fills in.
struct alignas(128) tensor_map {
    std::uint64_t words[16]{};
};

// Turns a code into the driver's own words.
struct error_texts {
    int (*name)(int, const char**) = nullptr;
    int (*text)(int, const char**) = nullptr;

    std::string of(int code) const {
        const char *called = nullptr, *meaning = nullptr;
        if (name == nullptr || name(code, &called) != 0 || called == nullptr) called = "unknown";
        if (text == nullptr || text(code, &meaning) != 0 || meaning == nullptr) meaning = "no text";
        return concat(called, " (", code, "): ", meaning);
    }
};

/// One function of the driver. Called, it throws device_error where the driver does not succeed.
template <class... Args> struct call {
    using signature = int(Args...);
    const char* name = nullptr;
    signature* function = nullptr;
    error_texts texts{};

    /// What the driver answers, for those that handle some answers themselves.
    int code(Args... args) const { return function(args...); }
    void operator()(Args... args) const {
        if (const int failed = function(args...); failed != 0)
            throw device_error{name, ": expected success, got ", texts.of(failed)};
    }
    bool found() const { return function != nullptr; }
};

struct driver;
inline std::shared_ptr<const driver> open_driver(const std::string& library = "libcuda.so.1");

// clang-format off
struct driver {
    call<unsigned> initialize{"cuInit"};
    call<int*> driver_version{"cuDriverGetVersion"};
    call<int*> device_count{"cuDeviceGetCount"};
    call<int*, int> device_get{"cuDeviceGet"};
    call<char*, int, int> device_name{"cuDeviceGetName"};
    call<int*, int, int> device_attribute{"cuDeviceGetAttribute"};
    call<std::size_t*, int> device_memory{"cuDeviceTotalMem_v2"};
    call<context*, int> context_retain{"cuDevicePrimaryCtxRetain"};
    call<int> context_release{"cuDevicePrimaryCtxRelease_v2"};
    call<context> context_set{"cuCtxSetCurrent"};
    call<> context_synchronize{"cuCtxSynchronize"};

    call<std::size_t*, std::size_t*> memory_info{"cuMemGetInfo_v2"};
    call<address*, std::size_t> memory_allocate{"cuMemAlloc_v2"};
    call<address> memory_free{"cuMemFree_v2"};
    call<void**, std::size_t, unsigned> host_allocate{"cuMemHostAlloc"};
    call<void*> host_free{"cuMemFreeHost"};
    call<void*, std::size_t, unsigned> host_register{"cuMemHostRegister_v2"};
    call<void*> host_unregister{"cuMemHostUnregister"};
    call<address, const void*, std::size_t, stream> copy_to_device{"cuMemcpyHtoDAsync_v2"};
    call<void*, address, std::size_t, stream> copy_to_host{"cuMemcpyDtoHAsync_v2"};
    call<address, address, std::size_t, stream> copy_on_device{"cuMemcpyDtoDAsync_v2"};
    call<address, unsigned char, std::size_t, stream> fill_bytes{"cuMemsetD8Async"};

    call<stream*, unsigned, int> stream_create{"cuStreamCreateWithPriority"};
    call<stream> stream_destroy{"cuStreamDestroy_v2"};
    call<stream> stream_synchronize{"cuStreamSynchronize"};
    call<stream> stream_query{"cuStreamQuery"};
    call<stream, event, unsigned> stream_wait{"cuStreamWaitEvent"};
    call<stream, int> capture_begin{"cuStreamBeginCapture_v2"};
    call<stream, graph*> capture_end{"cuStreamEndCapture"};
    call<event*, unsigned> event_create{"cuEventCreate"};
    call<event> event_destroy{"cuEventDestroy_v2"};
    call<event, stream> event_record{"cuEventRecord"};
    call<event> event_synchronize{"cuEventSynchronize"};
    call<event> event_query{"cuEventQuery"};
    call<float*, event, event> event_elapsed{"cuEventElapsedTime"};

    call<graph_exec*, graph, unsigned long long> graph_instantiate{"cuGraphInstantiateWithFlags"};
    call<graph, graph_node*, std::size_t*> graph_nodes{"cuGraphGetNodes"};
    call<graph> graph_destroy{"cuGraphDestroy"};
    call<graph_exec> graph_exec_destroy{"cuGraphExecDestroy"};
    call<graph_exec, stream> graph_launch{"cuGraphLaunch"};
    call<graph_exec, stream> graph_upload{"cuGraphUpload"};

    call<module*, const void*> module_load{"cuModuleLoadData"};
    call<module> module_unload{"cuModuleUnload"};
    call<function*, module, const char*> module_function{"cuModuleGetFunction"};
    call<function, int, int> function_set{"cuFuncSetAttribute"};
    call<int*, int, function> function_get{"cuFuncGetAttribute"};
    call<int*, function, int, std::size_t> function_occupancy{
        "cuOccupancyMaxActiveBlocksPerMultiprocessor"};

    // Newer than the oldest driver that serves (12.0 has none of the later two); may be missing.
    call<const launch_config*, function, void**, void**> launch{"cuLaunchKernelEx"};
    call<function, std::size_t, std::size_t*, std::size_t*> function_parameter{
        "cuFuncGetParamInfo"};
    call<tensor_map*, int, std::uint32_t, void*, const std::uint64_t*, const std::uint64_t*,
         const std::uint32_t*, const std::uint32_t*, int, int, int, int>
        tensor_map_tiled{"cuTensorMapEncodeTiled"};

    std::shared_ptr<void> library;  // open as long as this lives

    /// Calls `visit` with each function that every driver has, then with the later ones.
    template <class Driver, class Visit, class Later>
    static void each(Driver& of, const Visit& visit, const Later& later) {
        visit(of.initialize); visit(of.driver_version); visit(of.device_count);
        visit(of.device_get); visit(of.device_name); visit(of.device_attribute);
        visit(of.device_memory); visit(of.context_retain); visit(of.context_release);
        visit(of.context_set); visit(of.context_synchronize);
        visit(of.memory_info); visit(of.memory_allocate); visit(of.memory_free);
        visit(of.host_allocate); visit(of.host_free);
        visit(of.host_register); visit(of.host_unregister);
        visit(of.copy_to_device); visit(of.copy_to_host); visit(of.copy_on_device);
        visit(of.fill_bytes);
        visit(of.stream_create); visit(of.stream_destroy); visit(of.stream_synchronize);
        visit(of.stream_query); visit(of.stream_wait);
        visit(of.capture_begin); visit(of.capture_end);
        visit(of.event_create); visit(of.event_destroy); visit(of.event_record);
        visit(of.event_synchronize); visit(of.event_query); visit(of.event_elapsed);
        visit(of.graph_instantiate); visit(of.graph_nodes); visit(of.graph_destroy);
        visit(of.graph_exec_destroy); visit(of.graph_launch); visit(of.graph_upload);
        visit(of.module_load); visit(of.module_unload); visit(of.module_function);
        visit(of.function_set); visit(of.function_get); visit(of.function_occupancy);
        visit(of.launch);
        later(of.function_parameter); later(of.tensor_map_tiled);
    }
};
// clang-format on

/// Opens the driver and initialises it.
/// Errors: device_error when there is none, when it lacks a function, or when it finds no device.
inline std::shared_ptr<const driver> open_driver(const std::string& library) {
    auto out = std::make_shared<driver>();
    void* const handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr)
        throw device_error{"cuda: expected the driver's library ", library, ", got ", dlerror()};
    out->library = std::shared_ptr<void>{handle, [](void* opened) { dlclose(opened); }};
    error_texts texts;
    const auto look_up = [&](const char* name, auto*& function) {
        function =
            reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(handle, name));
    };
    look_up("cuGetErrorName", texts.name);
    look_up("cuGetErrorString", texts.text);
    const auto find = [&](auto& one) {
        look_up(one.name, one.function);
        one.texts = texts;
    };
    driver::each(
        *out,
        [&](auto& one) {
            find(one);
            if (!one.found())
                throw device_error{"cuda: expected ", one.name, " in ", library,
                                   ", got none: the driver is too old (CUDA 12.0 and later do)"};
        },
        find);
    out->initialize(0);
    return out;
}

}  // namespace g4::cu
