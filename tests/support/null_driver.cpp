// A CUDA driver without a GPU: memory is the host's, kernels do nothing. Shows what the host does.
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
}  // namespace

G4_DRIVER_FUNCTION cuGetErrorName(int, const char** name) { *name = "CUDA_ERROR"; return 0; }
G4_DRIVER_FUNCTION cuGetErrorString(int, const char** text) { *text = "error"; return 0; }
G4_DRIVER_FUNCTION cuInit(unsigned) { return 0; }
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
G4_DRIVER_FUNCTION cuCtxSynchronize() { return 0; }
G4_DRIVER_FUNCTION cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
    *free = memory_bytes - used_bytes;
    *total = memory_bytes;
    return 0;
}
G4_DRIVER_FUNCTION cuMemAlloc_v2(unsigned long long* address, std::size_t bytes) {
    if (bytes > memory_bytes - used_bytes) return 2;  // CUDA_ERROR_OUT_OF_MEMORY
    used_bytes += bytes;
    *address = reinterpret_cast<unsigned long long>(std::aligned_alloc(256, (bytes + 255) / 256 * 256));
    return 0;
}
G4_DRIVER_FUNCTION cuMemFree_v2(unsigned long long address) {
    std::free(reinterpret_cast<void*>(address));
    return 0;
}
G4_DRIVER_FUNCTION cuMemHostAlloc(void** memory, std::size_t bytes, unsigned) {
    *memory = std::malloc(bytes);
    return 0;
}
G4_DRIVER_FUNCTION cuMemFreeHost(void* memory) { std::free(memory); return 0; }
G4_DRIVER_FUNCTION cuMemHostRegister_v2(void*, std::size_t, unsigned) { return 0; }
G4_DRIVER_FUNCTION cuMemHostUnregister(void*) { return 0; }
G4_DRIVER_FUNCTION cuMemcpyHtoDAsync_v2(unsigned long long to, const void* from, std::size_t bytes, void*) {
    std::memcpy(reinterpret_cast<void*>(to), from, bytes);
    return 0;
}
G4_DRIVER_FUNCTION cuMemcpyDtoHAsync_v2(void* to, unsigned long long from, std::size_t bytes, void*) {
    std::memcpy(to, reinterpret_cast<void*>(from), bytes);
    return 0;
}
G4_DRIVER_FUNCTION cuMemcpyDtoDAsync_v2(unsigned long long to, unsigned long long from,
                                        std::size_t bytes, void*) {
    std::memmove(reinterpret_cast<void*>(to), reinterpret_cast<void*>(from), bytes);
    return 0;
}
G4_DRIVER_FUNCTION cuMemsetD8Async(unsigned long long to, unsigned char byte, std::size_t bytes, void*) {
    std::memset(reinterpret_cast<void*>(to), byte, bytes);
    return 0;
}
G4_DRIVER_FUNCTION cuStreamCreateWithPriority(void** stream, unsigned, int) { return give(stream); }
G4_DRIVER_FUNCTION cuStreamDestroy_v2(void*) { return 0; }
G4_DRIVER_FUNCTION cuStreamSynchronize(void*) { return 0; }
G4_DRIVER_FUNCTION cuStreamQuery(void*) { return 0; }
G4_DRIVER_FUNCTION cuStreamWaitEvent(void*, void*, unsigned) { return 0; }
G4_DRIVER_FUNCTION cuStreamBeginCapture_v2(void*, int) { return 0; }
G4_DRIVER_FUNCTION cuStreamEndCapture(void*, void** graph) { return give(graph); }
G4_DRIVER_FUNCTION cuEventCreate(void** event, unsigned) { return give(event); }
G4_DRIVER_FUNCTION cuEventDestroy_v2(void*) { return 0; }
G4_DRIVER_FUNCTION cuEventRecord(void*, void*) { return 0; }
G4_DRIVER_FUNCTION cuEventSynchronize(void*) { return 0; }
G4_DRIVER_FUNCTION cuEventQuery(void*) { return 0; }
G4_DRIVER_FUNCTION cuEventElapsedTime(float* ms, void*, void*) { *ms = 1; return 0; }
G4_DRIVER_FUNCTION cuGraphInstantiateWithFlags(void** exec, void*, unsigned long long) { return give(exec); }
G4_DRIVER_FUNCTION cuGraphGetNodes(void*, void**, std::size_t* count) { *count = 0; return 0; }
G4_DRIVER_FUNCTION cuGraphDestroy(void*) { return 0; }
G4_DRIVER_FUNCTION cuGraphExecDestroy(void*) { return 0; }
G4_DRIVER_FUNCTION cuGraphLaunch(void*, void*) { return 0; }
G4_DRIVER_FUNCTION cuGraphUpload(void*, void*) { return 0; }
G4_DRIVER_FUNCTION cuModuleLoadData(void** module, const void*) { return give(module); }
G4_DRIVER_FUNCTION cuModuleUnload(void*) { return 0; }
G4_DRIVER_FUNCTION cuModuleGetFunction(void** function, void*, const char*) { return give(function); }
G4_DRIVER_FUNCTION cuFuncSetAttribute(void*, int, int) { return 0; }
G4_DRIVER_FUNCTION cuFuncGetAttribute(int* value, int, void*) { *value = 0; return 0; }
G4_DRIVER_FUNCTION cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void*, int, std::size_t) {
    *blocks = 1;
    return 0;
}
G4_DRIVER_FUNCTION cuLaunchKernelEx(const void*, void*, void**, void**) { return 0; }
