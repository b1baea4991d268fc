// Copies from global to shared memory that pass by the registers (sm_80 and later), and loads that
// tell the caches what is read once.
#pragma once

namespace g4k {

/// 16 bytes, both sides aligned to 16; zeros when not valid, and nothing is read then. Seen by the
/// thread itself after copy_async_wait, by others after a barrier that follows.
__device__ inline void copy_async_16(void* shared, const void* global, bool valid) {
#ifdef G4K_SIMT
    simt::copy_async_16(shared, global, valid);
#else
    const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(shared));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(global),
                 "r"(valid ? 16 : 0)
                 : "memory");
#endif
}

/// What this thread has asked for since the last commit becomes one group.
__device__ inline void copy_async_commit() {
#ifdef G4K_SIMT
    simt::copy_async_commit();
#else
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/// All groups of this thread but the latest `Pending` have arrived.
template <int Pending> __device__ inline void copy_async_wait() {
#ifdef G4K_SIMT
    simt::copy_async_wait(Pending);
#else
    asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
#endif
}

/// 16 bytes that a launch reads once: kept out of L1. Global memory that the kernel does not write.
__device__ inline uint4 load_streaming(const void* global) {
#ifdef G4K_SIMT
    return *static_cast<const uint4*>(global);
#else
    uint4 v;
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(global));
    return v;
#endif
}

}  // namespace g4k
