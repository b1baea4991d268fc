// Logits as integers in the same order, and what a logit weighs as an integer: sums of integers are
// the same in any order.
#pragma once
#include "codegen/core/exp2.cuh"
#include "codegen/sample/config.hpp"

namespace g4k {

/// a < b exactly when their keys are; -0 has the key of 0; NaN that of nothing else, above all.
__device__ inline unsigned key_of(float value) {
    if (!(value == value)) return ~0u;
    const unsigned bits = value == 0 ? 0u : __float_as_uint(value);
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}
__device__ inline float value_of(unsigned key) {
    return __uint_as_float(key >> 31 ? key & 0x7fffffffu : ~key);
}
inline constexpr unsigned key_of_infinity = 0xff800000u, key_of_minus_infinity = 0x007fffffu;

/// Whether a row with this greatest key has a distribution: no NaN, the greatest finite.
__device__ inline bool sound(unsigned greatest) {
    return greatest > key_of_minus_infinity && greatest < key_of_infinity;
}

/// Below e^-87 a mass is 0, as on the host.
__device__ inline float exp_or_zero(float x) { return x > -87.0f ? exp2_of(x * log2_of_e) : 0.0f; }

/// Masses are parts of the greatest token's, in units of 2^-44: 2^19 of them fit in 64 bits. What
/// 2^18 tokens lose to rounding is less than 2^-26 of the sum.
inline constexpr float mass_one = 17592186044416.0f;

struct mass_rule {
    float greatest, per_degree;  // 1 / temperature

    __device__ mass_rule(float greatest, float temperature)
        : greatest{greatest}, per_degree{fminf(1 / temperature, 3.4e38f)} {}
    __device__ float number(float value) const {
        return exp_or_zero((value - greatest) * per_degree);
    }
    __device__ static unsigned long long integer(float number) {
        return static_cast<unsigned long long>(number * mass_one);
    }
    __device__ unsigned long long operator()(float value) const { return integer(number(value)); }
};

/// In [0, 1), of seed and position alone: random_unit of the host, bit by bit.
/// Source: the finaliser of splitmix64 (S. Vigna, 2015), applied to the seed, then to a counter.
__device__ inline unsigned long long mix(unsigned long long x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}
__device__ inline double random_unit(unsigned long long seed, int position) {
    constexpr unsigned long long golden = 0x9e3779b97f4a7c15ull;
    const unsigned long long counter = static_cast<unsigned long long>(position) + 1;
    return static_cast<double>(mix(mix(seed + golden) + golden * counter) >> 11) * 0x1p-53;
}

/// The token at which the running sum exceeds this is chosen: `unit` of `total`, rounded down.
__device__ inline unsigned long long target_of(double unit, unsigned long long total) {
    const auto target = static_cast<unsigned long long>(unit * static_cast<double>(total));
    return target < total ? target : total - 1;  // the product may round up
}

/// Tokens before which less than this has been kept stay: `part` of `total`, rounded up.
__device__ inline unsigned long long wanted_of(float part, unsigned long long total) {
    const double wanted = ceil(static_cast<double>(part) * static_cast<double>(total));
    const auto whole = static_cast<unsigned long long>(wanted);
    return whole < 1 ? 1 : whole < total ? whole : total;
}

}  // namespace g4k
