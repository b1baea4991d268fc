// What CUDA threads do together, as the emulator does it: barriers, shuffles, votes, atomics.
#pragma once
#include "tests/support/simt_block.hpp"

namespace g4k::simt {

template <class T> struct shuffled {
    T value, result;
    int from;
};

/// Each lane gets the value of lane `from`; itself when that lies outside its segment.
template <class T>
T shuffle(unsigned mask, T value, int from, std::string_view what, const place& where) {
    shuffled<T> mine{value, value, from};
    machine::the().meet(mask, what, where, &mine, [](unsigned all, void* const* lanes) {
        for (int i = 0; i < 32; ++i) {
            if ((all >> i & 1u) == 0) continue;
            auto& self = *static_cast<shuffled<T>*>(lanes[i]);
            if ((all >> self.from & 1u) == 0)
                machine::the().raise("shuffle: expected a source in the mask, got lane " +
                                     std::to_string(self.from));
            self.result = static_cast<const shuffled<T>*>(lanes[self.from])->value;
        }
    });
    return mine.result;
}

/// Combines what the lanes of a mask bring, in the order of lanes; all get the result.
template <class T, class Combine>
T together(unsigned mask, T value, std::string_view what, const place& where, Combine) {
    machine::the().meet(mask, what, where, &value, [](unsigned all, void* const* lanes) {
        T sum{};
        bool first = true;
        for (int i = 0; i < 32; ++i) {
            if ((all >> i & 1u) == 0) continue;
            const T& own = *static_cast<const T*>(lanes[i]);
            sum = std::exchange(first, false) ? own : Combine{}(sum, own);
        }
        for (int i = 0; i < 32; ++i)
            if (all >> i & 1u) *static_cast<T*>(lanes[i]) = sum;
    });
    return value;
}

inline void named_barrier(int id, int threads, const place& where = place::current()) {
    machine::the().wait(id, threads, false, "named_barrier", where);
}
inline void named_barrier_arrive(int id, int threads) { machine::the().arrive(id, threads, false); }

template <class T, class Change> T exchange(T* address, Change change) {
    const T before = *address;
    *address = change(before);
    return before;
}

}  // namespace g4k::simt

inline void __syncthreads(const g4k::simt::place& where = g4k::simt::place::current()) {
    auto& m = g4k::simt::machine::the();
    m.wait(0, m.threads(), false, "__syncthreads", where);
}
inline int __syncthreads_count(int yes,
                               const g4k::simt::place& where = g4k::simt::place::current()) {
    auto& m = g4k::simt::machine::the();
    return m.wait(0, m.threads(), yes != 0, "__syncthreads", where);
}
inline int __syncthreads_or(int yes, const g4k::simt::place& where = g4k::simt::place::current()) {
    return __syncthreads_count(yes, where) > 0;
}
inline int __syncthreads_and(int yes, const g4k::simt::place& where = g4k::simt::place::current()) {
    return __syncthreads_count(yes, where) == g4k::simt::machine::the().threads();
}
inline void __syncwarp(unsigned mask = ~0u,
                       const g4k::simt::place& where = g4k::simt::place::current()) {
    g4k::simt::machine::the().meet(mask, "__syncwarp", where, nullptr,
                                   [](unsigned, void* const*) {});
}

template <class T>
T __shfl_sync(unsigned mask, T value, int from, int width = 32,
              const g4k::simt::place& where = g4k::simt::place::current()) {
    const int lane = g4k::simt::machine::the().lane();
    return g4k::simt::shuffle(mask, value, (lane & ~(width - 1)) | (from & (width - 1)),
                              "__shfl_sync", where);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 const g4k::simt::place& where = g4k::simt::place::current()) {
    const int lane = g4k::simt::machine::the().lane(), from = lane - static_cast<int>(delta);
    const bool inside = from >= (lane & ~(width - 1));
    return g4k::simt::shuffle(mask, value, inside ? from : lane, "__shfl_up_sync", where);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   const g4k::simt::place& where = g4k::simt::place::current()) {
    const int lane = g4k::simt::machine::the().lane(), from = lane + static_cast<int>(delta);
    const bool inside = from <= (lane | (width - 1));
    return g4k::simt::shuffle(mask, value, inside ? from : lane, "__shfl_down_sync", where);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int distance, int width = 32,
                  const g4k::simt::place& where = g4k::simt::place::current()) {
    const int lane = g4k::simt::machine::the().lane(), from = lane ^ distance;
    const bool inside = from <= (lane | (width - 1));
    return g4k::simt::shuffle(mask, value, inside ? from : lane, "__shfl_xor_sync", where);
}

inline unsigned __ballot_sync(unsigned mask, int yes,
                              const g4k::simt::place& where = g4k::simt::place::current()) {
    const unsigned mine = yes != 0 ? 1u << g4k::simt::machine::the().lane() : 0u;
    return g4k::simt::together(mask, mine, "__ballot_sync", where, std::bit_or<>{});
}
inline int __any_sync(unsigned mask, int yes,
                      const g4k::simt::place& where = g4k::simt::place::current()) {
    return __ballot_sync(mask, yes, where) != 0;
}
inline int __all_sync(unsigned mask, int yes,
                      const g4k::simt::place& where = g4k::simt::place::current()) {
    return __ballot_sync(mask, yes == 0, where) == 0;
}
inline unsigned __activemask() { return g4k::simt::machine::the().lanes_of_warp(); }
template <class T>
T __reduce_add_sync(unsigned mask, T value,
                    const g4k::simt::place& where = g4k::simt::place::current()) {
    return g4k::simt::together(mask, value, "__reduce_add_sync", where, std::plus<>{});
}
template <class T>
T __reduce_min_sync(unsigned mask, T value,
                    const g4k::simt::place& where = g4k::simt::place::current()) {
    return g4k::simt::together(mask, value, "__reduce_min_sync", where,
                               [](T a, T b) { return a < b ? a : b; });
}
template <class T>
T __reduce_max_sync(unsigned mask, T value,
                    const g4k::simt::place& where = g4k::simt::place::current()) {
    return g4k::simt::together(mask, value, "__reduce_max_sync", where,
                               [](T a, T b) { return a > b ? a : b; });
}
template <class T>
unsigned __match_any_sync(unsigned mask, T value,
                          const g4k::simt::place& where = g4k::simt::place::current()) {
    struct brought {
        T value;
        unsigned result;
    } mine{value, 0};
    g4k::simt::machine::the().meet(
        mask, "__match_any_sync", where, &mine, [](unsigned all, void* const* lanes) {
            for (int i = 0; i < 32; ++i)
                for (int j = 0; j < 32; ++j) {
                    if ((all >> i & all >> j & 1u) == 0) continue;
                    auto& self = *static_cast<brought*>(lanes[i]);
                    if (self.value == static_cast<const brought*>(lanes[j])->value)
                        self.result |= 1u << j;
                }
        });
    return mine.result;
}

template <class T> T atomicAdd(T* address, std::type_identity_t<T> value) {
    return g4k::simt::exchange(address, [&](T old) { return static_cast<T>(old + value); });
}
template <class T> T atomicSub(T* address, std::type_identity_t<T> value) {
    return g4k::simt::exchange(address, [&](T old) { return static_cast<T>(old - value); });
}
template <class T> T atomicMax(T* address, std::type_identity_t<T> value) {
    return g4k::simt::exchange(address, [&](T old) { return old > value ? old : value; });
}
template <class T> T atomicMin(T* address, std::type_identity_t<T> value) {
    return g4k::simt::exchange(address, [&](T old) { return old < value ? old : value; });
}
template <class T> T atomicOr(T* address, std::type_identity_t<T> value) {
    return g4k::simt::exchange(address, [&](T old) { return old | value; });
}
template <class T> T atomicAnd(T* address, std::type_identity_t<T> value) {
    return g4k::simt::exchange(address, [&](T old) { return old & value; });
}
template <class T> T atomicExch(T* address, std::type_identity_t<T> value) {
    return g4k::simt::exchange(address, [&](T) { return value; });
}
template <class T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
    return g4k::simt::exchange(address, [&](T old) { return old == expected ? value : old; });
}
inline unsigned atomicInc(unsigned* address, unsigned limit) {
    return g4k::simt::exchange(address, [&](unsigned old) { return old >= limit ? 0 : old + 1; });
}
