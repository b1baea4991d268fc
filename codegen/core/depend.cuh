// Where a kernel may overlap with the one before it: programmatic dependent launch.
#pragma once

namespace g4k {

/// What ran before has ended and its writes are seen. Everything that a kernel does before this may
/// touch nothing that an earlier kernel of the step writes: weights only. Every thread calls it
/// once, in every kernel: what runs later relies on it.
__device__ inline void wait_for_inputs() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900 && !defined(G4K_SIMT)
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

/// The next kernel may start up to its own wait. Called early: it orders nothing.
__device__ inline void let_next_start() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900 && !defined(G4K_SIMT)
    asm volatile("griddepcontrol.launch_dependents;");
#endif
}

}  // namespace g4k
