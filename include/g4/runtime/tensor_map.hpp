// Encodes tiled arrays for the copy engine (TMA) of devices that have one, from 9.0 on.
#pragma once
#include "g4/core/error.hpp"
#include "g4/emit/tiled_array.hpp"
#include "g4/runtime/device.hpp"
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace g4 {

/// The map of the array at `memory`, as the kernel's arguments hold it (g4k::tensor_map).
/// Errors: device_error when the driver takes the shape for wrong, or has no such function.
template <class Map>
Map encode_map(const device& on, const tiled_array& array, const void* memory) {
    static_assert(sizeof(Map) == sizeof(cu::tensor_map) && std::is_trivially_copyable_v<Map>);
    constexpr int elements[]{0, 9, 7};  // CU_TENSOR_MAP_DATA_TYPE_UINT8, BFLOAT16, FLOAT32
    constexpr std::uint32_t steps[]{1, 1, 1, 1, 1};
    constexpr int no_interleave = 0, promote_to_256_bytes = 3, zeros_outside = 0;
    const auto& encode = on.driver().tensor_map_tiled;
    if (!encode.found()) throw device_error{encode.name, ": expected it in the driver, got none"};
    cu::tensor_map map;
    const int failed = encode.code(
        &map, elements[static_cast<int>(array.element)], array.rank, const_cast<void*>(memory),
        array.sizes.data(), array.stride_bytes.data(), array.box.data(), steps, no_interleave,
        static_cast<int>(array.swizzle), promote_to_256_bytes, zeros_outside);
    if (failed != 0)
        throw device_error{encode.name,
                           ": array of ",
                           array.sizes[0],
                           " x ",
                           array.sizes[1],
                           " x ",
                           array.sizes[2],
                           ", rank ",
                           array.rank,
                           ", box ",
                           array.box[0],
                           " x ",
                           array.box[1],
                           " x ",
                           array.box[2],
                           ", stride ",
                           array.stride_bytes[0],
                           ": expected success, got ",
                           encode.texts.of(failed)};
    Map out;
    std::memcpy(&out, &map, sizeof out);
    return out;
}

}  // namespace g4
