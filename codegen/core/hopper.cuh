// What only sm_90a has: copies by tensor map, barriers that count bytes, register limits of warps,
// clusters. Source: PTX ISA 9.0, cp.async.bulk.tensor, mbarrier, setmaxnreg, barrier.cluster.
#pragma once
#include "codegen/core/tensor_map.hpp"

namespace g4k {

/// Lies in shared memory. Its phase ends when all arrivals and all expected bytes are in.
using barrier_word = unsigned long long;

__device__ inline unsigned shared_address(const void* shared) {
    return static_cast<unsigned>(__cvta_generic_to_shared(shared));
}

/// One thread makes all barriers, then barriers_made(), then a barrier of the block (of the cluster
/// where a neighbour arrives too).
__device__ inline void barrier_make(barrier_word* barrier, unsigned arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)),
                 "r"(arrivals)
                 : "memory");
}
__device__ inline void barriers_made() {
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
__device__ inline void barrier_arrive(barrier_word* barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier))
                 : "memory");
}
/// Arrives at the barrier that block `rank` of the cluster has at the same place. Tells that shared
/// memory was read there by wgmma; what this thread wrote is not published (.release.cluster would,
/// by a fence that waits for the whole device: 0.5 us each time).
__device__ inline void barrier_arrive_at(barrier_word* barrier, unsigned rank) {
    asm volatile(
        "{\n.reg .b32 there;\nmapa.shared::cluster.u32 there, %0, %1;\n"
        "mbarrier.arrive.shared::cluster.b64 _, [there];\n}" ::"r"(shared_address(barrier)),
        "r"(rank)
        : "memory");
}
/// Arrives, and the phase waits for `bytes` that copies will report.
__device__ inline void barrier_arrive_expecting(barrier_word* barrier, unsigned bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(
                     shared_address(barrier)),
                 "r"(bytes)
                 : "memory");
}
/// Until the phase of this parity has ended. A new barrier is in phase 0: parity 1 passes at once.
__device__ inline void barrier_wait(barrier_word* barrier, unsigned parity) {
    unsigned done = 0;
    while (done == 0)
        asm volatile(
            "{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
            "selp.u32 %0, 1, 0, p;\n}"
            : "=r"(done)
            : "r"(shared_address(barrier)), "r"(parity)
            : "memory");
}
/// The same where a neighbour of the cluster arrives by .release.cluster: what it wrote is seen,
/// and L1 is emptied each time. For barrier_arrive_at, barrier_wait does.
__device__ inline void barrier_wait_cluster(barrier_word* barrier, unsigned parity) {
    unsigned done = 0;
    while (done == 0)
        asm volatile(
            "{\n.reg .pred p;\n"
            "mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 p, [%1], %2;\n"
            "selp.u32 %0, 1, 0, p;\n}"
            : "=r"(done)
            : "r"(shared_address(barrier)), "r"(parity)
            : "memory");
}

/// Which place in L2 a copied line deserves.
enum class keep : unsigned long long {
    normal = 0x1000000000000000ull,
    first_to_go = 0x12f0000000000000ull,
    last_to_go = 0x14f0000000000000ull,
};

__device__ inline void prefetch_map(const tensor_map& map) {
    asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}

/// A box of the map whose first element has coordinates x (innermost), y, z, w. One thread asks;
/// the bytes of the whole box, out-of-bounds ones (zeros) too, are reported to the barrier.
__device__ inline void copy_box(void* shared, const tensor_map& map, int x, int y,
                                barrier_word* barrier, keep hint = keep::normal) {
    asm volatile(
        "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
        ".L2::cache_hint [%0], [%1, {%2, %3}], [%4], %5;" ::"r"(shared_address(shared)),
        "l"(&map), "r"(x), "r"(y), "r"(shared_address(barrier)),
        "l"(static_cast<unsigned long long>(hint))
        : "memory");
}
__device__ inline void copy_box(void* shared, const tensor_map& map, int x, int y, int z,
                                barrier_word* barrier, keep hint = keep::normal) {
    asm volatile(
        "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
        ".L2::cache_hint [%0], [%1, {%2, %3, %4}], [%5], %6;" ::"r"(shared_address(shared)),
        "l"(&map), "r"(x), "r"(y), "r"(z), "r"(shared_address(barrier)),
        "l"(static_cast<unsigned long long>(hint))
        : "memory");
}
__device__ inline void copy_box(void* shared, const tensor_map& map, int x, int y, int z, int w,
                                barrier_word* barrier, keep hint = keep::normal) {
    asm volatile(
        "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
        ".L2::cache_hint [%0], [%1, {%2, %3, %4, %5}], [%6], %7;" ::"r"(shared_address(shared)),
        "l"(&map), "r"(x), "r"(y), "r"(z), "r"(w), "r"(shared_address(barrier)),
        "l"(static_cast<unsigned long long>(hint))
        : "memory");
}
/// To the same place in every block of the cluster whose bit is set, and to its barrier there.
__device__ inline void copy_box_to(unsigned blocks, void* shared, const tensor_map& map, int x,
                                   int y, barrier_word* barrier, keep hint = keep::normal) {
    asm volatile(
        "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
        ".multicast::cluster.L2::cache_hint [%0], [%1, {%2, %3}], [%4], %5, %6;" ::"r"(
            shared_address(shared)),
        "l"(&map), "r"(x), "r"(y), "r"(shared_address(barrier)),
        "h"(static_cast<unsigned short>(blocks)), "l"(static_cast<unsigned long long>(hint))
        : "memory");
}

/// A box from shared memory to the map; what lies out of bounds is not written. The writers call
/// fence_shared_for_copies() and meet at a barrier before one thread asks.
__device__ inline void store_box(const tensor_map& map, int x, int y, const void* shared) {
    asm volatile(
        "cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%0, {%1, %2}], [%3];" ::"l"(
            &map),
        "r"(x), "r"(y), "r"(shared_address(shared))
        : "memory");
}
__device__ inline void store_commit() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }
/// All groups of this thread but the latest `Pending` have read their shared memory.
template <int Pending> __device__ inline void store_wait_read() {
    asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(Pending) : "memory");
}
/// ... have written global memory. Before a block ends its shared memory must have been read.
template <int Pending> __device__ inline void store_wait() {
    asm volatile("cp.async.bulk.wait_group %0;" ::"n"(Pending) : "memory");
}

/// Ordinary stores of this thread to shared memory come before what wgmma and copies do there
/// behind the next barrier.
__device__ inline void fence_shared_for_copies() {
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

/// Four 8 x 8 matrices of 16-bit elements to shared memory: load_matrix_x4 backwards.
__device__ inline void store_matrix_x4(void* shared, const unsigned (&r)[4]) {
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(
                     shared_address(shared)),
                 "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3])
                 : "memory");
}

/// Registers of each thread of this warpgroup from here on: multiples of 8 from 24 to 240. All four
/// warps call it; the kernel needs __launch_bounds__(threads, 1).
template <int Count> __device__ inline void fewer_registers() {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Count));
}
template <int Count> __device__ inline void more_registers() {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Count));
}

/// Barriers 1 to 15 among `threads` threads of the block (0 is __syncthreads). A warp that only
/// arrives does not wait.
__device__ inline void meet(int barrier, int threads) {
    asm volatile("bar.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}
__device__ inline void meet_arrive(int barrier, int threads) {
    asm volatile("bar.arrive %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

__device__ inline unsigned cluster_rank() {
    unsigned rank;
    asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    return rank;
}
/// All threads of the cluster; shared memory written before is seen by all blocks behind it.
__device__ inline void meet_cluster() {
    asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::
                     : "memory");
}
/// Where block `rank` of the cluster has what lies at `shared` here: for load_from, store_to.
__device__ inline unsigned address_in(unsigned rank, const void* shared) {
    unsigned there;
    asm volatile("mapa.shared::cluster.u32 %0, %1, %2;"
                 : "=r"(there)
                 : "r"(shared_address(shared)), "r"(rank));
    return there;
}
__device__ inline float4 load_from(unsigned address) {
    float4 v;
    asm volatile("ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [%4];"
                 : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
                 : "r"(address)
                 : "memory");
    return v;
}

/// copy_box_to with three coordinates.
__device__ inline void copy_box_to(unsigned blocks, void* shared, const tensor_map& map, int x,
                                   int y, int z, barrier_word* barrier, keep hint = keep::normal) {
    asm volatile(
        "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
        ".multicast::cluster.L2::cache_hint [%0], [%1, {%2, %3, %4}], [%5], %6, %7;" ::"r"(
            shared_address(shared)),
        "l"(&map), "r"(x), "r"(y), "r"(z), "r"(shared_address(barrier)),
        "h"(static_cast<unsigned short>(blocks)), "l"(static_cast<unsigned long long>(hint))
        : "memory");
}

}  // namespace g4k
