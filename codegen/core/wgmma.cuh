// Tensor cores of sm_90a: one warpgroup (four warps from a multiple of four), 64 x N x 16, bf16
// into f32. Source: PTX ISA 9.0, wgmma: register fragments, matrix descriptors, canonical layouts.
#pragma once
#include "codegen/core/hopper.cuh"

namespace g4k {

/// Around the products: fence() before the first one after registers of theirs were written,
/// commit() ends a group, wait<N>() until all groups but the latest N are done. Between, neither
/// accumulators nor A registers may be touched.
__device__ inline void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ inline void wgmma_commit() {
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
template <int Pending> __device__ inline void wgmma_wait() {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory");
}
/// The compiler moves nothing of these registers across here.
template <int Count> __device__ inline void hold(float (&d)[Count]) {
#pragma unroll
    for (int i = 0; i < Count; ++i) asm volatile("" : "+f"(d[i])::"memory");
}

/// A matrix in shared memory, 128-byte swizzle as the copy engine writes it, from a multiple of
/// 1024 bytes. Add `bytes >> 4` to step to another piece.
using matrix_descriptor = unsigned long long;

/// Rows (of M or N) of 64 elements of K: 128 bytes a row, eight rows 1024. The next 16 of K: 32
/// bytes.
__device__ inline matrix_descriptor k_major(const void* shared) {
    return (shared_address(shared) >> 4 & 0x3fffu) | 1ull << 16 | 64ull << 32 | 1ull << 62;
}
/// Rows of K, 64 elements of N each: 128 bytes a row. The next 64 of N lie in the next panel,
/// panel_bytes further. The next 16 of K: 2048 bytes. wgmma is told by TransposeB.
__device__ inline matrix_descriptor n_major(const void* shared, unsigned panel_bytes) {
    return (shared_address(shared) >> 4 & 0x3fffu) |
           static_cast<unsigned long long>(panel_bytes >> 4) << 16 | 64ull << 32 | 1ull << 62;
}

// The text of the instruction names every register: lists of 16 by their tens.
#define G4K_R16(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p)                                   \
    "%" #a ", %" #b ", %" #c ", %" #d ", %" #e ", %" #f ", %" #g ", %" #h ", %" #i ", %" #j      \
    ", %" #k ", %" #l ", %" #m ", %" #n ", %" #o ", %" #p
#define G4K_R0 G4K_R16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#define G4K_R1 G4K_R16(16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31)
#define G4K_R2 G4K_R16(32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47)
#define G4K_R3 G4K_R16(48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63)
#define G4K_R4 G4K_R16(64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79)
#define G4K_R5 G4K_R16(80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95)
#define G4K_R6 G4K_R16(96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111)
#define G4K_R7                                                                                    \
    G4K_R16(112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127)
#define G4K_R_32 G4K_R0
#define G4K_R_64 G4K_R_32 ", " G4K_R1
#define G4K_R_96 G4K_R_64 ", " G4K_R2
#define G4K_R_128 G4K_R_96 ", " G4K_R3
#define G4K_R_160 G4K_R_128 ", " G4K_R4
#define G4K_R_192 G4K_R_160 ", " G4K_R5
#define G4K_R_224 G4K_R_192 ", " G4K_R6
#define G4K_R_256 G4K_R_224 ", " G4K_R7
#define G4K_D4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define G4K_D16(i) G4K_D4(i), G4K_D4(i + 4), G4K_D4(i + 8), G4K_D4(i + 12)
#define G4K_D_32 G4K_D16(0)
#define G4K_D_64 G4K_D_32, G4K_D16(16)
#define G4K_D_96 G4K_D_64, G4K_D16(32)
#define G4K_D_128 G4K_D_96, G4K_D16(48)
#define G4K_D_160 G4K_D_128, G4K_D16(64)
#define G4K_D_192 G4K_D_160, G4K_D16(80)
#define G4K_D_224 G4K_D_192, G4K_D16(96)
#define G4K_D_256 G4K_D_224, G4K_D16(112)

// A, B, P, T (and A's four registers) are numbers of operands behind the N / 2 accumulators.
#define G4K_WGMMA(N, A, B, P, T)                                                                  \
    if constexpr (Count == N / 2)                                                                 \
        asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #P                                      \
                     ", 0;\nwgmma.mma_async.sync.aligned.m64n" #N "k16.f32.bf16.bf16 {" G4K_R_##N \
                     "}, %" #A ", %" #B ", p, 1, 1, 0, %" #T ";\n}"                               \
                     : G4K_D_##N                                                                  \
                     : "l"(a), "l"(b), "r"(accumulate ? 1 : 0), "n"(TransposeB ? 1 : 0));
#define G4K_WGMMA_R(N, A0, A1, A2, A3, B, P, T)                                                   \
    if constexpr (Count == N / 2)                                                                 \
        asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #P                                      \
                     ", 0;\nwgmma.mma_async.sync.aligned.m64n" #N "k16.f32.bf16.bf16 {" G4K_R_##N \
                     "}, {%" #A0 ", %" #A1 ", %" #A2 ", %" #A3 "}, %" #B ", p, 1, 1, %" #T ";\n}" \
                     : G4K_D_##N                                                                  \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b),                        \
                       "r"(accumulate ? 1 : 0), "n"(TransposeB ? 1 : 0));

/// d[64, N] = a[64, 16] · b[16, N] (+ d when accumulate), N = 2 Count: multiples of 32 up to 256.
/// Warp w of the warpgroup has rows 16w to 16w + 15. With g = lane / 4, t = lane % 4:
///   d  [4j], [4j + 1] row g, columns 8j + 2t, 8j + 2t + 1; [4j + 2], [4j + 3] row g + 8
template <bool TransposeB = false, int Count>
__device__ inline void wgmma_bf16(float (&d)[Count], matrix_descriptor a, matrix_descriptor b,
                                  bool accumulate) {
    static_assert(Count % 16 == 0 && Count <= 128, "N is a multiple of 32 up to 256");
    G4K_WGMMA(32, 16, 17, 18, 19)
    G4K_WGMMA(64, 32, 33, 34, 35)
    G4K_WGMMA(96, 48, 49, 50, 51)
    G4K_WGMMA(128, 64, 65, 66, 67)
    G4K_WGMMA(160, 80, 81, 82, 83)
    G4K_WGMMA(192, 96, 97, 98, 99)
    G4K_WGMMA(224, 112, 113, 114, 115)
    G4K_WGMMA(256, 128, 129, 130, 131)
}
/// The same with A from registers: per warp as mma_bf16's a (row g, row g + 8, columns + 8).
template <bool TransposeB = false, int Count>
__device__ inline void wgmma_bf16(float (&d)[Count], const unsigned (&a)[4], matrix_descriptor b,
                                  bool accumulate) {
    static_assert(Count % 16 == 0 && Count <= 128, "N is a multiple of 32 up to 256");
    G4K_WGMMA_R(32, 16, 17, 18, 19, 20, 21, 22)
    G4K_WGMMA_R(64, 32, 33, 34, 35, 36, 37, 38)
    G4K_WGMMA_R(96, 48, 49, 50, 51, 52, 53, 54)
    G4K_WGMMA_R(128, 64, 65, 66, 67, 68, 69, 70)
    G4K_WGMMA_R(160, 80, 81, 82, 83, 84, 85, 86)
    G4K_WGMMA_R(192, 96, 97, 98, 99, 100, 101, 102)
    G4K_WGMMA_R(224, 112, 113, 114, 115, 116, 117, 118)
    G4K_WGMMA_R(256, 128, 129, 130, 131, 132, 133, 134)
}

#undef G4K_WGMMA
#undef G4K_WGMMA_R

}  // namespace g4k
