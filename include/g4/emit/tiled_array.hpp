// How a copy engine (TMA) sees an array: what a back end asks for, and the runtime encodes.
#pragma once
#include <array>
#include <cstdint>

namespace g4 {

enum class tile_element { byte, bf16, f32 };
/// Chunks of 16 bytes within rows of so many are permuted in shared memory, against bank conflicts.
enum class tile_swizzle { none, bytes_32, bytes_64, bytes_128 };

/// An array in device memory and the box that one copy takes; the innermost axis first.
///   sizes         in elements; what a box takes beyond them reads as zero and is not written
///   stride_bytes  from one index to the next of axis 1, 2, …: multiples of 16
///   box           in elements, at most 256 each; the innermost at most one row of the swizzle
struct tiled_array {
    tile_element element = tile_element::bf16;
    tile_swizzle swizzle = tile_swizzle::none;
    std::uint32_t rank = 0;  // 1 to 5
    std::array<std::uint64_t, 5> sizes{};
    std::array<std::uint64_t, 4> stride_bytes{};
    std::array<std::uint32_t, 5> box{};
};

}  // namespace g4
