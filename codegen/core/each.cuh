// Loops whose number is a constant in their body: what a config lists becomes straight code.
#pragma once

namespace g4k {

template <int Value> struct index_constant {
    static constexpr int value = Value;
};

/// body(index_constant<0>{}), ..., body(index_constant<Count - 1>{}).
template <int Count, int First = 0, class Body> __device__ inline void each(const Body& body) {
    if constexpr (First < Count) {
        body(index_constant<First>{});
        each<Count, First + 1>(body);
    }
}

}  // namespace g4k
