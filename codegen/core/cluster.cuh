// Numbers sent to another block of the cluster, counted by a barrier there (sm_90 and later). The
// emulator has no clusters: what takes a cluster of one never comes here.
#pragma once
#ifndef G4K_SIMT
#include "codegen/core/hopper.cuh"
#endif

namespace g4k {

#ifdef G4K_SIMT
using barrier_word = unsigned long long;
__device__ inline void cluster_barrier_make(barrier_word*) {}
__device__ inline void cluster_barrier_expect(barrier_word*, unsigned) {}
__device__ inline void cluster_barrier_wait(barrier_word*) {}
__device__ inline void send_pair(unsigned, float*, float, float, barrier_word*) {}
#else

/// One word for each block, at the same place in all; for one phase. Every thread calls it.
__device__ inline void cluster_barrier_make(barrier_word* barrier) {
    if (threadIdx.x == 0) {
        barrier_make(barrier, 1);
        barriers_made();
    }
    meet_cluster();
}
/// One thread of the block says how many bytes will come.
__device__ inline void cluster_barrier_expect(barrier_word* barrier, unsigned bytes) {
    barrier_arrive_expecting(barrier, bytes);
}
__device__ inline void cluster_barrier_wait(barrier_word* barrier) {
    barrier_wait_cluster(barrier, 0);
}

/// Two neighbours to block `rank`, at the place that `at` has here (8-byte aligned): the barrier
/// there counts 8 bytes. Nothing else orders it.
__device__ inline void send_pair(unsigned rank, float* at, float first, float second,
                                 barrier_word* barrier) {
    asm volatile(
        "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v2.f32 [%0], {%1, %2}, [%3];" ::
            "r"(address_in(rank, at)),
        "f"(first), "f"(second), "r"(address_in(rank, barrier))
        : "memory");
}
#endif

}  // namespace g4k
