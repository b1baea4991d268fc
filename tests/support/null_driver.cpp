// A CUDA driver without a GPU: memory is the host's, kernels do nothing. Shows what the host does.
// G4_NULL_DRIVER_LAUNCHES=n: launches behind the n-th fail, as on a device that is lost, and with
// them every call that such a device no longer answers. G4_NULL_DRIVER_LAUNCHES=late:n: the same,
// but the launch itself succeeds and who waits for it hears of it, as when a kernel faults.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#define G4_DRIVER_FUNCTION extern "C" __attribute__((visibility("default"))) int

namespace {
int handle_word;  // what every handle points at
template <class Handle> int give(Handle** to) {
    *to = reinterpret_cast<Handle*>(&handle_word);
    return 0;
}

constexpr int launch_failed = 719;  // CUDA_ERROR_LAUNCH_FAILED
bool capturing;                     // what is put on the stream then does not run
bool lost;

/// What a call answers that needs the device.
int answer() { return lost ? launch_failed : 0; }

/// One more launch that runs.
int launch() {
    static const char* const asked = std::getenv("G4_NULL_DRIVER_LAUNCHES");
    static const bool late = asked != nullptr && std::strncmp(asked, "late:", 5) == 0;
    static long long left = asked == nullptr ? -1 : std::atoll(late ? asked + 5 : asked);
    if (capturing || asked == nullptr) return answer();
    const bool was_lost = lost;
    if (left-- <= 0) lost = true;
    return late && !was_lost ? 0 : answer();
}
}  // namespace

G4_DRIVER_FUNCTION cuGetErrorName(int code, const char** name) {
    *name = code == launch_failed ? "CUDA_ERROR_LAUNCH_FAILED" : "CUDA_ERROR";
    return 0;
}
G4_DRIVER_FUNCTION cuGetErrorString(int code, const char** text) {
    *text = code == launch_failed ? "unspecified launch failure" : "error";
    return 0;
}
G4_DRIVER_FUNCTION cuInit(unsigned) { return 0; }
G4_DRIVER_FUNCTION cuGetExportTable(const void**, const void*) { return 1; }  // NVRTC asks for one
G4_DRIVER_FUNCTION cuDriverGetVersion(int* version) { *version = 13000; return 0; }
G4_DRIVER_FUNCTION cuDeviceGetCount(int* count) { *count = 1; return 0; }
G4_DRIVER_FUNCTION cuDeviceGet(int* device, int) { *device = 0; return 0; }
G4_DRIVER_FUNCTION cuDeviceGetName(char* name, int size, int) {
    std::strncpy(name, "null device", static_cast<std::size_t>(size));
    return 0;
}
G4_DRIVER_FUNCTION cuDeviceGetAttribute(int* value, int which, int) {
    switch (which) {
        case 16: *value = 132; break;
        case 75: *value = 9; break;
        case 76: *value = 0; break;
        case 97: *value = 232448; break;
        case 81: *value = 233472; break;
        case 38: *value = 50 << 20; break;
        default: *value = 1; break;
    }
    return 0;
}
constexpr std::size_t memory_bytes = std::size_t{8} << 30;
std::size_t used_bytes;
G4_DRIVER_FUNCTION cuDeviceTotalMem_v2(std::size_t* bytes, int) { *bytes = memory_bytes; return 0; }
G4_DRIVER_FUNCTION cuDevicePrimaryCtxRetain(void** context, int) { return give(context); }
G4_DRIVER_FUNCTION cuDevicePrimaryCtxRelease_v2(int) { return 0; }
G4_DRIVER_FUNCTION cuCtxSetCurrent(void*) { return 0; }
G4_DRIVER_FUNCTION cuCtxSynchronize() { return answer(); }
G4_DRIVER_FUNCTION cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
    *free = memory_bytes - used_bytes;
    *total = memory_bytes;
    return 0;
}
G4_DRIVER_FUNCTION cuMemAlloc_v2(unsigned long long* address, std::size_t bytes) {
    if (bytes > memory_bytes - used_bytes) return 2;  // CUDA_ERROR_OUT_OF_MEMORY
    used_bytes += bytes;
    bytes = (bytes + 255) / 256 * 256;
    void* const memory = std::aligned_alloc(256, bytes);
    std::memset(memory, 0, bytes);  // so that tokens which no kernel chose are tokens
    *address = reinterpret_cast<unsigned long long>(memory);
    return 0;
}
G4_DRIVER_FUNCTION cuMemFree_v2(unsigned long long address) {
    std::free(reinterpret_cast<void*>(address));
    return answer();
}
G4_DRIVER_FUNCTION cuMemHostAlloc(void** memory, std::size_t bytes, unsigned) {
    *memory = std::malloc(bytes);
    return 0;
}
G4_DRIVER_FUNCTION cuMemFreeHost(void* memory) { std::free(memory); return answer(); }
G4_DRIVER_FUNCTION cuMemHostRegister_v2(void*, std::size_t, unsigned) { return 0; }
G4_DRIVER_FUNCTION cuMemHostUnregister(void*) { return 0; }
G4_DRIVER_FUNCTION cuMemcpyHtoDAsync_v2(unsigned long long to, const void* from,
                                        std::size_t bytes, void*) {
    std::memcpy(reinterpret_cast<void*>(to), from, bytes);
    return answer();
}
G4_DRIVER_FUNCTION cuMemcpyDtoHAsync_v2(void* to, unsigned long long from, std::size_t bytes,
                                        void*) {
    std::memcpy(to, reinterpret_cast<void*>(from), bytes);
    return answer();
}
G4_DRIVER_FUNCTION cuMemcpyDtoDAsync_v2(unsigned long long to, unsigned long long from,
                                        std::size_t bytes, void*) {
    std::memmove(reinterpret_cast<void*>(to), reinterpret_cast<void*>(from), bytes);
    return answer();
}
G4_DRIVER_FUNCTION cuMemsetD8Async(unsigned long long to, unsigned char byte, std::size_t bytes,
                                   void*) {
    std::memset(reinterpret_cast<void*>(to), byte, bytes);
    return answer();
}
G4_DRIVER_FUNCTION cuStreamCreateWithPriority(void** stream, unsigned, int) { return give(stream); }
G4_DRIVER_FUNCTION cuStreamDestroy_v2(void*) { return answer(); }
G4_DRIVER_FUNCTION cuStreamSynchronize(void*) { return answer(); }
G4_DRIVER_FUNCTION cuStreamQuery(void*) { return answer(); }
G4_DRIVER_FUNCTION cuStreamWaitEvent(void*, void*, unsigned) { return answer(); }
G4_DRIVER_FUNCTION cuStreamBeginCapture_v2(void*, int) {
    capturing = true;
    return answer();
}
G4_DRIVER_FUNCTION cuStreamEndCapture(void*, void** graph) {
    capturing = false;
    return give(graph);
}
G4_DRIVER_FUNCTION cuEventCreate(void** event, unsigned) { return give(event); }
G4_DRIVER_FUNCTION cuEventDestroy_v2(void*) { return answer(); }
G4_DRIVER_FUNCTION cuEventRecord(void*, void*) { return answer(); }
G4_DRIVER_FUNCTION cuEventSynchronize(void*) { return answer(); }
G4_DRIVER_FUNCTION cuEventQuery(void*) { return answer(); }
G4_DRIVER_FUNCTION cuEventElapsedTime(float* ms, void*, void*) { *ms = 1; return 0; }
G4_DRIVER_FUNCTION cuGraphInstantiateWithFlags(void** exec, void*, unsigned long long) {
    return give(exec);
}
G4_DRIVER_FUNCTION cuGraphGetNodes(void*, void**, std::size_t* count) { *count = 0; return 0; }
G4_DRIVER_FUNCTION cuGraphDestroy(void*) { return 0; }
G4_DRIVER_FUNCTION cuGraphExecDestroy(void*) { return answer(); }
G4_DRIVER_FUNCTION cuGraphLaunch(void*, void*) { return launch(); }
G4_DRIVER_FUNCTION cuGraphUpload(void*, void*) { return answer(); }
G4_DRIVER_FUNCTION cuModuleLoadData(void** module, const void*) { return give(module); }
G4_DRIVER_FUNCTION cuModuleUnload(void*) { return answer(); }
G4_DRIVER_FUNCTION cuModuleGetFunction(void** function, void*, const char*) {
    return give(function);
}
G4_DRIVER_FUNCTION cuFuncSetAttribute(void*, int, int) { return 0; }
G4_DRIVER_FUNCTION cuFuncGetAttribute(int* value, int, void*) { *value = 0; return 0; }
G4_DRIVER_FUNCTION cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void*, int,
                                                               std::size_t) {
    *blocks = 1;
    return 0;
}
G4_DRIVER_FUNCTION cuLaunchKernelEx(const void*, void*, void**, void**) { return launch(); }
G4_DRIVER_FUNCTION cuTensorMapEncodeTiled(void*, int, std::uint32_t, void*, const std::uint64_t*,
                                          const std::uint64_t*, const std::uint32_t*,
                                          const std::uint32_t*, int, int, int, int) {
    return 0;
}
