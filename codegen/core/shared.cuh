// The one place that names shared memory: dynamic, as large as the launch says.
#pragma once

namespace g4k {

#ifndef G4K_SIMT
extern __shared__ __align__(1024) char dynamic_shared_memory[];
#endif

/// The block's shared memory: aligned to 1024 bytes on the device, which swizzled copies ask for.
__device__ inline char* shared_memory() {
#ifdef G4K_SIMT
    return simt::shared_memory();
#else
    return dynamic_shared_memory;
#endif
}

}  // namespace g4k
