// Shared memory by 32-bit address: what a pointer into it costs in a loop, the compiler computes
// anew each time round (a special register and two instructions), an address it keeps.
#pragma once

namespace g4k {

#ifdef G4K_SIMT
using shared_address = char*;
#else
using shared_address = unsigned;
#endif

__device__ inline shared_address address_of(void* shared) {
#ifdef G4K_SIMT
    return static_cast<char*>(shared);
#else
    unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(shared));
    asm volatile("" : "+r"(address));
    return address;
#endif
}

__device__ inline uint4 load_shared_16(shared_address from) {
#ifdef G4K_SIMT
    return *reinterpret_cast<const uint4*>(from);
#else
    uint4 v;
    asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "r"(from));
    return v;
#endif
}
__device__ inline uint2 load_shared_8(shared_address from) {
#ifdef G4K_SIMT
    return *reinterpret_cast<const uint2*>(from);
#else
    uint2 v;
    asm volatile("ld.shared.v2.u32 {%0, %1}, [%2];" : "=r"(v.x), "=r"(v.y) : "r"(from));
    return v;
#endif
}
__device__ inline unsigned load_shared_4(shared_address from) {
#ifdef G4K_SIMT
    return *reinterpret_cast<const unsigned*>(from);
#else
    unsigned v;
    asm volatile("ld.shared.u32 %0, [%1];" : "=r"(v) : "r"(from));
    return v;
#endif
}
__device__ inline void store_shared_16(shared_address to, uint4 v) {
#ifdef G4K_SIMT
    *reinterpret_cast<uint4*>(to) = v;
#else
    asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(v.x), "r"(v.y),
                 "r"(v.z), "r"(v.w)
                 : "memory");
#endif
}

#ifndef G4K_SIMT
/// As copy_async_16 of async_copy.cuh.
__device__ inline void copy_async_16(unsigned shared, const void* global, bool valid) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(global),
                 "r"(valid ? 16 : 0)
                 : "memory");
}
#endif
/// The same, always valid.
__device__ inline void copy_async_16(shared_address shared, const void* global) {
#ifdef G4K_SIMT
    simt::copy_async_16(shared, global, true);
#else
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared), "l"(global)
                 : "memory");
#endif
}

}  // namespace g4k
