// Exact cuts of a row that keeps too many logits to list them: histograms over keys, each over the
// bin that the one before left open, until one key is left.
#pragma once
#include "codegen/sample/bins.cuh"
#include "codegen/sample/candidates.cuh"

namespace g4k {

/// Adds to a histogram; equal bins of a whole warp, as of equal logits, are added once.
template <sample_config config>
__device__ void add_to_bin(sample_shared<config>& shared, bool adds, unsigned bin,
                           unsigned long long mass, bool with_mass) {
    const unsigned adding = __ballot_sync(~0u, adds);
    if (adding == 0) return;
    const int first = __ffs(static_cast<int>(adding)) - 1;
    const unsigned common = __shfl_sync(~0u, bin, first);
    unsigned count = 1;
    if (__ballot_sync(~0u, adds && bin == common) == adding) {
        if (with_mass) mass = __shfl_sync(~0u, warp_running_sum(adds ? mass : 0), 31);
        count = static_cast<unsigned>(__popc(adding));
        adds = static_cast<int>(threadIdx.x % 32) == first;
    }
    if (!adds) return;
    if (!with_mass) {
        atomicAdd(&shared.in_bin.count[bin], count);
        return;
    }
    const auto low = static_cast<unsigned>(mass);
    auto high = static_cast<unsigned>(mass >> 32);
    const unsigned was = atomicAdd(&shared.in_bin.low[bin], low);
    if (was + low < was) ++high;  // a carry; their number does not depend on the order
    if (high != 0) atomicAdd(&shared.in_bin.high[bin], high);
}

/// Searches a row for a key between two others.
template <sample_config config> struct key_select {
    const logits_of_row& row;
    key_bins<config> bins;

    /// The key of the logit that rank - 1 others come before; it lies between the bounds.
    ///   above  gets the number of those that are greater
    __device__ unsigned of_rank(int rank, int& above) {
        auto left = static_cast<unsigned long long>(rank);
        do {
            fill([](float) { return 0ull; });
            bins.open(left);
        } while (bins.least < bins.greatest);
        above = rank - static_cast<int>(left);
        return bins.least;
    }

    /// The key of the last logit that top_p keeps, in falling order.
    ///   ties  gets how many of that key stay
    __device__ unsigned of_mass(const mass_rule& mass, float top_p, int& ties) {
        unsigned long long left = 0;
        do {
            fill(mass);
            if (left == 0) left = wanted_of(top_p, bins.total());
            bins.open(left);
        } while (bins.least < bins.greatest);
        const unsigned long long each = mass(value_of(bins.least));
        ties = static_cast<int>((left + each - 1) / each);
        return bins.least;
    }

  private:
    template <class Mass> __device__ void fill(const Mass& mass) {
        sample_shared<config>& shared = bins.shared;
        bins.clear();
        for_each_tile(row, shared.greatest, bins.least, [&](int tile, const four_floats& values) {
#pragma unroll 1
            for (int i = 0; i < lane_logits; ++i) {  // once in the code: registers are few
                const float value =
                    i < 2 ? (i == 0 ? values[0] : values[1]) : (i == 2 ? values[2] : values[3]);
                const unsigned key = key_of(value);
                const bool adds = bins.holds(key) && row.place(tile, i) < row.vocabulary;
                const bool with_mass = bins.of_masses;
                add_to_bin(shared, adds, adds ? bins.bin_of(key) : 0,
                           with_mass && adds ? mass(value) : 0, with_mass);
            }
        });
        __syncthreads();
    }
};

/// The key of the logit that rank - 1 others come before, and how many of them are greater.
struct ranked_key {
    unsigned key;
    int above;
};
template <sample_config config>
__device__ __noinline__ ranked_key select_rank(const logits_of_row& row,
                                               sample_shared<config>& shared, unsigned greatest,
                                               int rank) {
    ranked_key out;
    key_select<config> select{row, {shared, key_of_minus_infinity, greatest, false}};
    out.key = select.of_rank(rank, out.above);
    return out;
}

/// Finds the tile in which the running sum of in_tile.mass passes `unit` of the whole:
/// shared.found_count. The result is what remains to be passed in it. Ends with a barrier.
template <sample_config config>
__device__ __noinline__ unsigned long long find_tile(sample_shared<config>& shared, int tiles,
                                                     double unit) {
    const int threads = static_cast<int>(blockDim.x), per_thread = (tiles + threads - 1) / threads;
    const int first = static_cast<int>(threadIdx.x) * per_thread;
    const int last = first + per_thread < tiles ? first + per_thread : tiles;
    unsigned long long own = 0;
    for (int tile = first; tile < last; ++tile) own += shared.in_tile.mass[tile];
    const block_scan_result sums = block_scan(own, shared.warp_sum);
    const unsigned long long target = target_of(unit, sums.total);
    unsigned long long before = sums.before;
    for (int tile = first; tile < last; ++tile) {
        const unsigned long long after = before + shared.in_tile.mass[tile];
        if (before <= target && target < after) {
            shared.found_count = static_cast<unsigned>(tile);
            shared.found_before = before;
        }
        before = after;
    }
    __syncthreads();
    return target - shared.found_before;
}

/// For each tile the mass above the cut, and the number that equal it.
template <sample_config config>
__device__ __noinline__ void sum_tiles(const logits_of_row& row, sample_shared<config>& shared,
                                       unsigned cut, mass_rule mass) {
    for (int i = static_cast<int>(threadIdx.x); i < config.tiles;
         i += static_cast<int>(blockDim.x)) {
        shared.in_tile.mass[i] = 0;
        shared.in_tile.ties[i] = 0;
    }
    __syncthreads();
    for_each_tile(row, shared.greatest, cut, [&](int tile, const four_floats& values) {
        unsigned long long sum = 0, equal = 0;
#pragma unroll
        for (int i = 0; i < lane_logits; ++i) {
            const unsigned key = key_of(values[i]);
            if (key > cut) sum += mass(values[i]);
            if (key == cut && row.place(tile, i) < row.vocabulary) ++equal;
        }
        sum = warp_running_sum(sum);
        equal = warp_running_sum(equal);
        if (threadIdx.x % 32 != 31) return;
        shared.in_tile.mass[tile] = sum;
        shared.in_tile.ties[tile] = static_cast<unsigned>(equal);
    });
    __syncthreads();
}

/// All logits above a key, and the first `ties` of those that equal it, in the order of ids.
template <sample_config config> struct kept_logits {
    const logits_of_row& row;
    sample_shared<config>& shared;
    unsigned cut;
    int ties;

    /// Draws one of them.
    __device__ int draw(const mass_rule& mass, double unit) {
        sum_tiles(row, shared, cut, mass);
        const unsigned long long each = mass(value_of(cut));
        const int tiles = row.tiles(), threads = static_cast<int>(blockDim.x);
        const int per_thread = (tiles + threads - 1) / threads;
        const int first = static_cast<int>(threadIdx.x) * per_thread;
        const int last = first + per_thread < tiles ? first + per_thread : tiles;
        rank_ties(first, last);
        for (int tile = first; tile < last; ++tile) {
            const int before = static_cast<int>(shared.in_tile.ties[tile]);
            shared.in_tile.mass[tile] +=
                static_cast<unsigned long long>(kept_ties(tile, before)) * each;
        }
        __syncthreads();
        const unsigned long long target = find_tile(shared, tiles, unit);
        if (threadIdx.x < 32) draw_in_tile(mass, target);
        __syncthreads();
        const int token = static_cast<int>(shared.found);
        __syncthreads();
        return token;
    }

    /// Lists them, in any order; they must be at most config.candidates.
    __device__ int list() {
        sum_tiles(row, shared, cut,
                  mass_rule{value_of(key_of_infinity), 1});  // no masses, only ties
        const int tiles = row.tiles(), threads = static_cast<int>(blockDim.x);
        const int per_thread = (tiles + threads - 1) / threads;
        const int first = static_cast<int>(threadIdx.x) * per_thread;
        rank_ties(first, first + per_thread < tiles ? first + per_thread : tiles);
        if (threadIdx.x == 0) shared.listed = 0;
        __syncthreads();
        for_each_tile(row, shared.greatest, cut, [&](int tile, const four_floats& values) {
            visit_kept(tile, values, [&](int token, float value) {
                const unsigned at = atomicAdd(&shared.listed, 1u);
                if (at < config.candidates) shared.list[at] = entry_of(key_of(value), token);
            });
        });
        __syncthreads();
        const int count = static_cast<int>(shared.listed);
        __syncthreads();
        return count;
    }

  private:
    /// tile_ties becomes the number of ties in the tiles before.
    __device__ void rank_ties(int first, int last) {
        unsigned long long own = 0;
        for (int tile = first; tile < last; ++tile) own += shared.in_tile.ties[tile];
        auto before = static_cast<unsigned>(block_scan(own, shared.warp_sum).before);
        for (int tile = first; tile < last; ++tile) {
            const unsigned equal = shared.in_tile.ties[tile];
            shared.in_tile.ties[tile] = before;
            before += equal;
        }
        if (last == row.tiles() && first < last) shared.found_count = before;
        __syncthreads();
    }
    __device__ int kept_ties(int tile, int before) const {
        const int next = tile + 1 < row.tiles() ? static_cast<int>(shared.in_tile.ties[tile + 1])
                                                : static_cast<int>(shared.found_count);
        const int most = ties - before > 0 ? ties - before : 0;
        return next - before < most ? next - before : most;
    }

    /// By one warp, in the order of ids across lanes: visit(token, value).
    template <class Visit> __device__ void visit_kept(int tile, const four_floats& values,
                                                      Visit visit) {
        unsigned own = 0;
        for (int i = 0; i < lane_logits; ++i)
            if (key_of(values[i]) == cut && row.place(tile, i) < row.vocabulary) ++own;
        const auto until = static_cast<unsigned>(warp_running_sum(own));
        unsigned rank = shared.in_tile.ties[tile] + until - own;
        for (int i = 0; i < lane_logits; ++i) {
            const int token = row.place(tile, i);
            const unsigned key = key_of(values[i]);
            if (token >= row.vocabulary || key < cut) continue;
            if (key > cut || static_cast<int>(rank++) < ties) visit(token, values[i]);
        }
    }

    __device__ void draw_in_tile(const mass_rule& mass, unsigned long long target) {
        const int tile = static_cast<int>(shared.found_count);
        const four_floats values = row.read_by_call(tile);
        unsigned long long own = 0;
        visit_kept(tile, values, [&](int, float value) { own += mass(value); });
        unsigned long long before = warp_running_sum(own) - own;
        visit_kept(tile, values, [&](int token, float value) {
            const unsigned long long after = before + mass(value);
            if (before <= target && target < after) shared.found = static_cast<unsigned>(token);
            before = after;
        });
    }
};

/// Draws from what a row keeps, however much that is.
template <sample_config config>
__device__ int draw_selected(const logits_of_row& row, sample_shared<config>& shared,
                             unsigned greatest, cut_rule cut, mass_rule mass, double unit) {
    unsigned least = cut.least;
    int ties = 0x7fffffff;
    if (cut.top_k > 0) {
        const unsigned last = select_rank(row, shared, greatest, cut.top_k).key;
        least = last > least ? last : least;
    }
    if (cut.top_p < 1) {
        key_select<config> by_mass{row, {shared, least, greatest, true}};
        least = by_mass.of_mass(mass, cut.top_p, ties);
    }
    return kept_logits<config>{row, shared, least, ties}.draw(mass, unit);
}

/// Lists the `count` greatest, those with lower ids of equal ones.
template <sample_config config>
__device__ int list_selected(const logits_of_row& row, sample_shared<config>& shared,
                             unsigned greatest, int count) {
    const ranked_key last = select_rank(row, shared, greatest, count);
    return kept_logits<config>{row, shared, last.key, count - last.above}.list();
}

}  // namespace g4k
