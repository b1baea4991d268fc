// Tensor cores as every architecture since sm_80 has them: one warp, 16 x 8 x 16, bf16 into f32.
// Source: PTX ISA, matrix fragments for mma.m16n8k16 and ldmatrix.
#pragma once

namespace g4k {

/// d[16, 8] += a[16, 16] · b[16, 8]. With g = lane / 4, t = lane % 4:
///   a  [0] row g, columns 2t, 2t + 1; [1] row g + 8; [2], [3] the same at columns 8 + 2t, 9 + 2t
///   b  [0] rows 2t, 2t + 1 of column g; [1] rows 8 + 2t, 9 + 2t
///   d  [0], [1] row g, columns 2t, 2t + 1; [2], [3] row g + 8
__device__ inline void mma_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
#ifdef G4K_SIMT
    simt::mma_bf16(d, a, b);
#else
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

/// Four 8 x 8 matrices of 16-bit elements. Lane l names row l % 8 of matrix l / 8 (16 bytes,
/// aligned) and gets of matrix i in r[i] the elements 2t, 2t + 1 of row g.
__device__ inline void load_matrix_x4(unsigned (&r)[4], const void* shared) {
#ifdef G4K_SIMT
    simt::load_matrix_x4(r, shared);
#else
    const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(shared));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
#endif
}

/// The same with each matrix transposed: rows 2t, 2t + 1 of column g.
__device__ inline void load_matrix_x4_transposed(unsigned (&r)[4], const void* shared) {
#ifdef G4K_SIMT
    simt::load_matrix_x4_transposed(r, shared);
#else
    const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(shared));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
#endif
}

}  // namespace g4k
