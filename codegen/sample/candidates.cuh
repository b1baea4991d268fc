// The few logits that a choice can fall on: gathered in shared memory, sorted, cut, drawn from.
#pragma once
#include "codegen/sample/block.cuh"
#include "codegen/sample/row.cuh"

namespace g4k {

/// What a row keeps of its distribution: tokens whose key is at least `least`, then the first
/// top_k of them with all that tie, then the first that hold top_p of the mass.
struct cut_rule {
    unsigned least;
    int top_k;    // 0: all
    float top_p;  // not below 1: all
};

/// An entry of the list: the least comes from the greatest logit, the lowest id of equal ones.
__device__ inline unsigned long long entry_of(unsigned key, int token) {
    return static_cast<unsigned long long>(~key) << 32 | static_cast<unsigned>(token);
}
__device__ inline unsigned key_of_entry(unsigned long long entry) {
    return ~static_cast<unsigned>(entry >> 32);
}
__device__ inline int token_of_entry(unsigned long long entry) { return static_cast<int>(entry); }

/// Tiles whose greatest is at least `least`, each read by one warp: visit(tile, values), by all
/// lanes. Neighbours go to different warps: what is likely lies together. While one tile is looked
/// at, the next is on its way.
template <class Visit>
__device__ void for_each_tile(const logits_of_row& row, const unsigned* greatest, unsigned least,
                              Visit visit) {
    const int threads = static_cast<int>(blockDim.x), warps = threads / 32, tiles = row.tiles();
    const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
    for (int begin = 0; begin < tiles; begin += threads) {
        const int own = begin + lane * warps + warp;
        unsigned left = __ballot_sync(~0u, own < tiles && greatest[own] >= least);
        int next = -1;
        four_floats arriving{};
        do {
            const int tile = next;
            const four_floats values = arriving;
            next = -1;
            if (left != 0) {
                next = begin + (__ffs(static_cast<int>(left)) - 1) * warps + warp;
                arriving = row.read_by_call(next);
                left &= left - 1;
            }
            if (tile >= 0) visit(tile, values);
        } while (next >= 0);
    }
}

/// Lists all logits whose key is at least `least`, in any order. The result is their number; when
/// that is above config.candidates, the list is not whole. Begins after and ends with a barrier.
template <sample_config config>
__device__ __noinline__ int gather(const logits_of_row& row, sample_shared<config>& shared,
                                   unsigned least) {
    if (threadIdx.x == 0) shared.listed = 0;
    __syncthreads();
    const int lane = static_cast<int>(threadIdx.x % 32);
    for_each_tile(row, shared.greatest, least, [&](int tile, const four_floats& values) {
        unsigned keys[lane_logits], own = 0;
#pragma unroll
        for (int i = 0; i < lane_logits; ++i) {
            keys[i] = key_of(values[i]);
            if (row.place(tile, i) < row.vocabulary && keys[i] >= least) ++own;
        }
        const auto until = static_cast<unsigned>(warp_running_sum(own));
        unsigned at = 0;
        if (lane == 31) at = atomicAdd(&shared.listed, until);
        at = __shfl_sync(~0u, at, 31) + until - own;
#pragma unroll
        for (int i = 0; i < lane_logits; ++i) {
            const int token = row.place(tile, i);
            if (token >= row.vocabulary || keys[i] < least) continue;
            if (at < config.candidates) shared.list[at] = entry_of(keys[i], token);
            ++at;
        }
    });
    __syncthreads();
    const int count = static_cast<int>(shared.listed);
    __syncthreads();
    return count;
}

/// Sorts the list's first `count`.
template <sample_config config>
__device__ __noinline__ int sort_list(sample_shared<config>& shared, int count) {
    const int sorted = power_of_two(count);
    for (int i = count + static_cast<int>(threadIdx.x); i < sorted;
         i += static_cast<int>(blockDim.x))
        shared.list[i] = ~0ull;
    __syncthreads();
    block_sort(shared.list, sorted);
    return sorted;
}

/// Draws from the sorted list. Each thread has up to two neighbours of it.
template <sample_config config> struct list_draw {
    sample_shared<config>& shared;
    int count, sorted, per_thread, first;

    __device__ list_draw(sample_shared<config>& shared, int count)
        : shared{shared}, count{count}, sorted{sort_list(shared, count)} {
        per_thread = sorted > static_cast<int>(blockDim.x) ? 2 : 1;
        first = static_cast<int>(threadIdx.x) * per_thread;
    }

    /// The token, or -1 when the list holds less than top_p asks for.
    ///   whole_mass  of all that top_p is a part of; 0: of the list
    __device__ int run(const cut_rule& cut, const mass_rule& mass, unsigned long long whole_mass,
                       double unit) {
        unsigned least = cut.least;
        if (cut.top_k > 0 && cut.top_k <= count) {
            const unsigned last = key_of_entry(shared.list[cut.top_k - 1]);
            least = last > least ? last : least;
        }
        unsigned long long masses[2]{}, entries[2]{~0ull, ~0ull};
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            if (i >= per_thread || first + i >= count) continue;
            const unsigned long long entry = shared.list[first + i];
            const unsigned key = key_of_entry(entry);
            if (key < least) continue;
            const float number = mass.number(value_of(key));
            masses[i] = mass_rule::integer(number);
            entries[i] = static_cast<unsigned long long>(token_of_entry(entry)) << 32 |
                         __float_as_uint(number);
        }
        const block_scan_result sums = block_scan(masses[0] + masses[1], shared.warp_sum);
        unsigned long long kept_mass = sums.total;
        if (cut.top_p < 1) {
            if (whole_mass == 0) whole_mass = sums.total;
            const unsigned long long wanted = wanted_of(cut.top_p, whole_mass);
            if (sums.total < wanted) return -1;
            if (!(sums.before < wanted)) masses[0] = 0;
            if (!(sums.before + masses[0] < wanted)) masses[1] = 0;
            kept_mass = block_scan(masses[0] + masses[1], shared.warp_sum).total;
        }
#pragma unroll
        for (int i = 0; i < 2; ++i)
            if (i < per_thread && first + i < sorted)
                shared.list[first + i] = masses[i] > 0 ? entries[i] : ~0ull;
        __syncthreads();
        return draw_by_id(target_of(unit, kept_mass));
    }

  private:
    __device__ int draw_by_id(unsigned long long target) {
        block_sort(shared.list, sorted);
        unsigned long long masses[2]{};
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            if (i >= per_thread || first + i >= sorted || shared.list[first + i] == ~0ull) continue;
            const auto number = static_cast<unsigned>(shared.list[first + i]);
            masses[i] = mass_rule::integer(__uint_as_float(number));
        }
        unsigned long long before = block_scan(masses[0] + masses[1], shared.warp_sum).before;
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            if (before <= target && target < before + masses[i])
                shared.found = static_cast<unsigned>(shared.list[first + i] >> 32);
            before += masses[i];
        }
        __syncthreads();
        const int token = static_cast<int>(shared.found);
        __syncthreads();
        return token;
    }
};

}  // namespace g4k
