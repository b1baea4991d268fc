// Element types of tensors: their sizes and names, and the conversions that the host needs.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace g4 {

enum class dtype : std::uint8_t { bf16, f16, f32, i32 };

constexpr int bytes_of(dtype t) { return t == dtype::bf16 || t == dtype::f16 ? 2 : 4; }

/// As safetensors spells it.
constexpr std::string_view name_of_dtype(dtype t) {
    constexpr std::string_view names[]{"BF16", "F16", "F32", "I32"};
    return names[static_cast<std::size_t>(t)];
}

constexpr float bf16_to_float(std::uint16_t bits) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// Nearest, ties to even; NaN stays NaN.
constexpr std::uint16_t float_to_bf16(float value) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>(bits >> 16 | 64);
    return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

/// The nearest bf16, as a float.
constexpr float round_to_bf16(float value) { return bf16_to_float(float_to_bf16(value)); }

/// Exact, subnormals included: W4A16 scales go down to 1e-5.
constexpr float f16_to_float(std::uint16_t bits) {
    const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
    const std::uint32_t exponent = bits >> 10 & 31u, fraction = bits & 1023u;
    if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
    if (exponent == 0) {
        const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
        return sign != 0 ? -magnitude : magnitude;
    }
    return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

/// Nearest, ties to even; beyond 65504 becomes infinity, below 2^-24 a subnormal or zero.
constexpr std::uint16_t float_to_f16(float value) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);
    if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);
    if (magnitude < 0x38800000u) {  // a multiple of 2^-24: adding 0.5 lets the FPU round
        const float aligned = std::bit_cast<float>(magnitude) + 0.5f;
        const std::uint32_t multiple = std::bit_cast<std::uint32_t>(aligned) - 0x3f000000u;
        return static_cast<std::uint16_t>(sign | multiple);
    }
    return static_cast<std::uint16_t>(
        sign | ((magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1u)) >> 13));
}

/// One element of an array of `type` as a float; i32 is not a number type here and gives 0.
inline float element_to_float(const std::byte* data, dtype type, std::size_t index) {
    if (type == dtype::f32) {
        float out;
        std::memcpy(&out, data + index * 4, 4);
        return out;
    }
    if (type == dtype::i32) return 0;
    std::uint16_t bits;
    std::memcpy(&bits, data + index * 2, 2);
    return type == dtype::bf16 ? bf16_to_float(bits) : f16_to_float(bits);
}

}  // namespace g4
