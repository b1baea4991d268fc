// The warp's matrix instructions and asynchronous copies, as the wrappers of codegen/core call
// them. Source: PTX ISA, fragments of mma.m16n8k16, mma.m16n8k32 (s8) and ldmatrix.
#pragma once
#include "tests/support/simt_warp.hpp"
#include <cstring>

namespace g4k::simt {

inline void check_aligned(const void* address, std::size_t bytes, std::string_view what) {
    if (reinterpret_cast<std::uintptr_t>(address) % bytes != 0)
        machine::the().raise(std::string{what} + ": expected an address that is a multiple of " +
                             std::to_string(bytes));
}

/// The operands of one mma: [lane] of its fragments.
template <class T> struct fragments {
    T* d;
    const unsigned *a, *b;
};

/// Element `Element` of a fragment's registers, `Size` bytes each.
template <class T> T element(const unsigned* registers, int i) {
    T out;
    std::memcpy(&out, reinterpret_cast<const char*>(registers) + i * static_cast<int>(sizeof(T)),
                sizeof(T));
    return out;
}

/// d[16, 8] += a[16, K] · b[K, 8]; K fills 32 bytes of each row. Registers hold `Per` elements:
/// lane l has rows l / 4 and l / 4 + 8 of a, column l / 4 of b, and `Per` neighbours at
/// (l % 4) · Per and the same in the second half of K. `read` makes a number of an element.
template <class Element, class T, class Sum, class Read>
void multiply(void* const* lanes, Read read) {
    constexpr int per = 4 / sizeof(Element), depth = 32 / sizeof(Element);
    static Sum a[16][depth], b[8][depth];
    for (int l = 0; l < 32; ++l) {
        const auto& f = *static_cast<const fragments<T>*>(lanes[l]);
        for (int half = 0; half < 2; ++half)
            for (int e = 0; e < per; ++e) {
                const int k = half * depth / 2 + l % 4 * per + e;
                a[l / 4][k] = read(element<Element>(f.a + half * 2, e));
                a[l / 4 + 8][k] = read(element<Element>(f.a + half * 2 + 1, e));
                b[l / 4][k] = read(element<Element>(f.b + half, e));
            }
    }
    for (int l = 0; l < 32; ++l)
        for (int i = 0; i < 4; ++i) {
            T& d = static_cast<const fragments<T>*>(lanes[l])->d[i];
            Sum sum = d;
            for (int k = 0; k < depth; ++k)
                sum += a[l / 4 + i / 2 * 8][k] * b[l % 4 * 2 + i % 2][k];
            d = static_cast<T>(sum);
        }
}

inline void mma_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2],
                     const place& where = place::current()) {
    fragments<float> mine{d, a, b};
    machine::the().meet(~0u, "mma_bf16", where, &mine, [](unsigned, void* const* lanes) {
        multiply<std::uint16_t, float, double>(lanes, [](std::uint16_t bits) {
            return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
        });
    });
}
inline void mma_s8(int (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2],
                   const place& where = place::current()) {
    fragments<int> mine{d, a, b};
    machine::the().meet(~0u, "mma_s8", where, &mine, [](unsigned, void* const* lanes) {
        multiply<std::int8_t, int, int>(lanes, [](std::int8_t value) { return int{value}; });
    });
}

struct matrix_rows {
    const char* row;  // of matrix lane / 8
    unsigned* r;
};

/// Lane l gets of matrix i the elements 2 (l % 4), 2 (l % 4) + 1 of row l / 4.
template <int Matrices, bool Transposed> void load_matrix(unsigned, void* const* lanes) {
    const auto at = [&](int matrix, int row, int column) {
        std::uint16_t out;
        const auto& source = *static_cast<const matrix_rows*>(lanes[matrix * 8 + row]);
        std::memcpy(&out, source.row + 2 * column, 2);
        return unsigned{out};
    };
    for (int l = 0; l < 32; ++l)
        for (int i = 0; i < Matrices; ++i) {
            const int row = l / 4, column = l % 4 * 2;
            static_cast<const matrix_rows*>(lanes[l])->r[i] =
                Transposed ? at(i, column, row) | at(i, column + 1, row) << 16
                           : at(i, row, column) | at(i, row, column + 1) << 16;
        }
}
template <int Matrices, bool Transposed>
void load_matrix(unsigned* r, const void* shared, const place& where) {
    if (machine::the().lane() < 8 * Matrices) check_aligned(shared, 16, "load_matrix");
    matrix_rows mine{static_cast<const char*>(shared), r};
    machine::the().meet(~0u, "load_matrix", where, &mine, &load_matrix<Matrices, Transposed>);
}
inline void load_matrix_x4(unsigned (&r)[4], const void* shared,
                           const place& where = place::current()) {
    load_matrix<4, false>(r, shared, where);
}
inline void load_matrix_x4_transposed(unsigned (&r)[4], const void* shared,
                                      const place& where = place::current()) {
    load_matrix<4, true>(r, shared, where);
}
inline void load_matrix_x2(unsigned (&r)[2], const void* shared,
                           const place& where = place::current()) {
    load_matrix<2, false>(r, shared, where);
}
inline void load_matrix_x2_transposed(unsigned (&r)[2], const void* shared,
                                      const place& where = place::current()) {
    load_matrix<2, true>(r, shared, where);
}

/// Arrives at once: a missing wait is not found here.
inline void copy_async_16(void* shared, const void* global, bool valid) {
    check_aligned(shared, 16, "copy_async_16 to");
    check_aligned(global, 16, "copy_async_16 from");
    if (valid) std::memcpy(shared, global, 16);
    else std::memset(shared, 0, 16);
}
inline void copy_async_commit() {}
inline void copy_async_wait(int) {}

}  // namespace g4k::simt
