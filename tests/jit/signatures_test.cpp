// The driver's functions as runtime/driver.hpp declares them, against cuda.h where it is installed.
#include "g4/runtime/driver.hpp"
#if __has_include(<cuda.h>)
#include <cuda.h>
#endif
#include <cstddef>
#include <doctest/doctest.h>
#include <type_traits>

#ifdef CUDA_VERSION
namespace {

// A type as far as calls care: handles are pointers, enumerations are int.
template <class T> struct plain {
    using type = std::conditional_t<std::is_enum_v<T>, int, T>;
};
template <class T> struct plain<T*> {
    using bare = std::remove_const_t<T>;
    using type =
        std::conditional_t<std::is_class_v<bare> || std::is_union_v<bare> || std::is_void_v<bare>,
                           void*, typename plain<bare>::type*>;
};
template <class Result, class... Args> struct plain<Result(Args...)> {
    using type = typename plain<Result>::type(typename plain<Args>::type...);
};
template <class Ours, class Theirs>
constexpr bool same = std::is_same_v<typename plain<typename Ours::signature>::type,
                                     typename plain<std::remove_pointer_t<Theirs>>::type>;

using d = g4::cu::driver;
#define G4_SAME(ours, theirs) static_assert(same<decltype(d::ours), decltype(&theirs)>)

G4_SAME(initialize, cuInit);
G4_SAME(driver_version, cuDriverGetVersion);
G4_SAME(device_count, cuDeviceGetCount);
G4_SAME(device_get, cuDeviceGet);
G4_SAME(device_name, cuDeviceGetName);
G4_SAME(device_attribute, cuDeviceGetAttribute);
G4_SAME(device_memory, cuDeviceTotalMem);
G4_SAME(context_retain, cuDevicePrimaryCtxRetain);
G4_SAME(context_release, cuDevicePrimaryCtxRelease);
G4_SAME(context_set, cuCtxSetCurrent);
G4_SAME(context_synchronize, cuCtxSynchronize);
G4_SAME(memory_info, cuMemGetInfo);
G4_SAME(memory_allocate, cuMemAlloc);
G4_SAME(memory_free, cuMemFree);
G4_SAME(host_allocate, cuMemHostAlloc);
G4_SAME(host_free, cuMemFreeHost);
G4_SAME(host_register, cuMemHostRegister);
G4_SAME(host_unregister, cuMemHostUnregister);
G4_SAME(copy_to_device, cuMemcpyHtoDAsync);
G4_SAME(copy_to_host, cuMemcpyDtoHAsync);
G4_SAME(copy_on_device, cuMemcpyDtoDAsync);
G4_SAME(fill_bytes, cuMemsetD8Async);
G4_SAME(stream_create, cuStreamCreateWithPriority);
G4_SAME(stream_destroy, cuStreamDestroy);
G4_SAME(stream_synchronize, cuStreamSynchronize);
G4_SAME(stream_query, cuStreamQuery);
G4_SAME(stream_wait, cuStreamWaitEvent);
G4_SAME(capture_begin, cuStreamBeginCapture);
G4_SAME(capture_end, cuStreamEndCapture);
G4_SAME(event_create, cuEventCreate);
G4_SAME(event_destroy, cuEventDestroy);
G4_SAME(event_record, cuEventRecord);
G4_SAME(event_synchronize, cuEventSynchronize);
G4_SAME(event_query, cuEventQuery);
G4_SAME(event_elapsed, cuEventElapsedTime);
G4_SAME(graph_instantiate, cuGraphInstantiateWithFlags);
G4_SAME(graph_nodes, cuGraphGetNodes);
G4_SAME(graph_destroy, cuGraphDestroy);
G4_SAME(graph_exec_destroy, cuGraphExecDestroy);
G4_SAME(graph_launch, cuGraphLaunch);
G4_SAME(graph_upload, cuGraphUpload);
G4_SAME(module_load, cuModuleLoadData);
G4_SAME(module_unload, cuModuleUnload);
G4_SAME(module_function, cuModuleGetFunction);
G4_SAME(function_set, cuFuncSetAttribute);
G4_SAME(function_get, cuFuncGetAttribute);
G4_SAME(function_occupancy, cuOccupancyMaxActiveBlocksPerMultiprocessor);
#if CUDA_VERSION >= 12000
G4_SAME(launch, cuLaunchKernelEx);
G4_SAME(tensor_map_tiled, cuTensorMapEncodeTiled);
static_assert(sizeof(g4::cu::launch_config) == sizeof(CUlaunchConfig));
static_assert(offsetof(g4::cu::launch_config, block_x) == offsetof(CUlaunchConfig, blockDimX));
static_assert(offsetof(g4::cu::launch_config, shared_bytes) ==
              offsetof(CUlaunchConfig, sharedMemBytes));
static_assert(offsetof(g4::cu::launch_config, stream) == offsetof(CUlaunchConfig, hStream));
static_assert(offsetof(g4::cu::launch_config, attributes) == offsetof(CUlaunchConfig, attrs));
static_assert(offsetof(g4::cu::launch_config, attribute_count) ==
              offsetof(CUlaunchConfig, numAttrs));
static_assert(sizeof(g4::cu::launch_attribute) == sizeof(CUlaunchAttribute));
static_assert(offsetof(g4::cu::launch_attribute, value) == offsetof(CUlaunchAttribute, value));
static_assert(sizeof(g4::cu::tensor_map) == sizeof(CUtensorMap));
static_assert(alignof(g4::cu::tensor_map) >= alignof(CUtensorMap));
static_assert(int{g4::cu::programmatic_stream_serialization} ==
              CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION);
static_assert(CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 == 9 && CU_TENSOR_MAP_DATA_TYPE_FLOAT32 == 7);
static_assert(CU_TENSOR_MAP_SWIZZLE_128B == 3 && CU_TENSOR_MAP_L2_PROMOTION_L2_256B == 3);
#endif
#if CUDA_VERSION >= 12040
G4_SAME(function_parameter, cuFuncGetParamInfo);
#endif
static_assert(int{g4::cu::shared_bytes_per_block_optin} ==
              CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
static_assert(int{g4::cu::shared_bytes_per_multiprocessor} ==
              CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR);
static_assert(int{g4::cu::multiprocessor_count} == CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
static_assert(int{g4::cu::compute_capability_major} ==
              CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
static_assert(int{g4::cu::compute_capability_minor} ==
              CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
static_assert(int{g4::cu::l2_cache_bytes} == CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
static_assert(int{g4::cu::memory_clock_khz} == CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE);
static_assert(int{g4::cu::memory_bus_bits} == CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH);
static_assert(int{g4::cu::clock_khz} == CU_DEVICE_ATTRIBUTE_CLOCK_RATE);
static_assert(int{g4::cu::static_shared_bytes} == CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES);
static_assert(int{g4::cu::local_bytes} == CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES);
static_assert(int{g4::cu::register_count} == CU_FUNC_ATTRIBUTE_NUM_REGS);
static_assert(int{g4::cu::max_dynamic_shared_bytes} ==
              CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);

}  // namespace

TEST_CASE("cuda driver: the declarations agree with cuda.h") {
    // Done by the compiler above.
    CHECK(CUDA_VERSION >= 11000);
}
#else
TEST_CASE("cuda driver: the declarations agree with cuda.h") {
    MESSAGE("no cuda.h here: not compared");
}
#endif

TEST_CASE("cuda driver: a library that is not there is told by its name") {
    CHECK_THROWS_WITH_AS(g4::cu::open_driver("libno-such-driver.so.1"),
                         doctest::Contains("expected the driver's library libno-such-driver.so.1"),
                         g4::device_error);
    CHECK_THROWS_WITH_AS(g4::cu::open_driver("libc.so.6"), doctest::Contains("expected cuInit"),
                         g4::device_error);
}
