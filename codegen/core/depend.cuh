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

/// Has the value in a register here: an argument's first use waits for constant memory, which a
/// kernel had better do ahead of wait_for_inputs().
template <class T> __device__ inline void read_early([[maybe_unused]] const T& value) {
#if defined(__CUDA_ARCH__) && !defined(G4K_SIMT)
    if constexpr (sizeof(T) == 8) asm volatile("" ::"l"(value));
    else asm volatile("" ::"r"(value));
#endif
}

}  // namespace g4k
