// Neighbours of a row in registers: read and written in the widest pieces that their place allows.
#pragma once
#include "codegen/core/number.cuh"

namespace g4k {

/// Whether all pieces of `Count` elements that start at multiples of Count of all rows can be
/// accessed whole, at most 16 bytes at a time.
template <class T, int Count> __device__ inline bool aligned_rows(const T* data, long long stride) {
    constexpr int bytes = Count * sizeof(T) < 16 ? Count * sizeof(T) : 16;
    constexpr int count = bytes / sizeof(T);
    return reinterpret_cast<unsigned long long>(data) % bytes == 0 && stride % count == 0;
}

/// bf16 as they lie in memory, two to a word.
template <int Count> struct packed {
    unsigned words[(Count + 1) / 2];
};

template <int Count>
__device__ inline packed<Count> load_packed(const unsigned short* from, bool aligned) {
    packed<Count> out;
    if constexpr (Count == 1) {
        out.words[0] = from[0];
    } else if (!aligned) {
        for (int i = 0; i < Count / 2; ++i)
            out.words[i] = from[2 * i] | static_cast<unsigned>(from[2 * i + 1]) << 16;
    } else if constexpr (Count == 8) {
        const uint4 all = *reinterpret_cast<const uint4*>(from);
        out.words[0] = all.x, out.words[1] = all.y, out.words[2] = all.z, out.words[3] = all.w;
    } else if constexpr (Count == 4) {
        const uint2 all = *reinterpret_cast<const uint2*>(from);
        out.words[0] = all.x, out.words[1] = all.y;
    } else {
        out.words[0] = *reinterpret_cast<const unsigned*>(from);
    }
    return out;
}
template <int Count>
__device__ inline void unpack(float (&to)[Count], const packed<Count>& from) {
    for (int i = 0; i < Count; ++i)
        to[i] = i % 2 == 0 ? first_of(from.words[i / 2]) : second_of(from.words[i / 2]);
}

template <int Count>
__device__ inline void load_floats(float (&to)[Count], const float* from, bool aligned) {
    if (Count == 1 || !aligned) {
        for (int i = 0; i < Count; ++i) to[i] = from[i];
    } else if constexpr (Count == 2) {
        const float2 both = *reinterpret_cast<const float2*>(from);
        to[0] = both.x, to[1] = both.y;
    } else if constexpr (Count > 2) {
        for (int i = 0; i < Count; i += 4) {
            const float4 four = *reinterpret_cast<const float4*>(from + i);
            to[i] = four.x, to[i + 1] = four.y, to[i + 2] = four.z, to[i + 3] = four.w;
        }
    }
}

template <int Count>
__device__ inline void store_bf16(unsigned short* to, const float (&from)[Count], bool aligned) {
    unsigned words[(Count + 1) / 2];
    for (int i = 0; i < Count / 2; ++i) words[i] = to_bf16x2(from[2 * i], from[2 * i + 1]);
    if constexpr (Count == 1) {
        to[0] = to_bf16(from[0]);
    } else if (!aligned) {
        for (int i = 0; i < Count; ++i)
            to[i] = static_cast<unsigned short>(words[i / 2] >> i % 2 * 16);
    } else if constexpr (Count == 8) {
        *reinterpret_cast<uint4*>(to) = make_uint4(words[0], words[1], words[2], words[3]);
    } else if constexpr (Count == 4) {
        *reinterpret_cast<uint2*>(to) = make_uint2(words[0], words[1]);
    } else {
        *reinterpret_cast<unsigned*>(to) = words[0];
    }
}

template <int Count>
__device__ inline void store_floats(float* to, const float (&from)[Count], bool aligned) {
    if (Count == 1 || !aligned) {
        for (int i = 0; i < Count; ++i) to[i] = from[i];
    } else if constexpr (Count == 2) {
        *reinterpret_cast<float2*>(to) = make_float2(from[0], from[1]);
    } else if constexpr (Count > 2) {
        for (int i = 0; i < Count; i += 4)
            *reinterpret_cast<float4*>(to + i) =
                make_float4(from[i], from[i + 1], from[i + 2], from[i + 3]);
    }
}

}  // namespace g4k
