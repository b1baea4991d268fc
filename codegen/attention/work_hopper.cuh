// Which piece of prefill attention a cluster does when, and where its shared memory holds what.
#pragma once
#include "codegen/attention/config_hopper.hpp"
#include "codegen/core/hopper.cuh"

namespace g4k {

/// One tile of queries and some heads that share a kv head.
struct hopper_work {
    int row, count;         // of the step
    int position;           // of the first row
    int first_page, pages;  // logical, that any row sees
    int begin, length;      // positions that some row of the step sees lie between
    int head;               // the first
    int page_list;          // index in the step's pages of logical page 0
};

/// Two warpgroups compute. Head dimension 256: each has a query head of its own and both read the
/// same keys and values. 512: they share one head; each weighs every second page of keys, sums half
/// of the head dimension over all values, and has its own ring of pieces.
template <prefill_hopper_config Config> struct hopper_layout {
    static constexpr int head_dim = Config.attention.head_dim;
    static constexpr bool wide = head_dim == 512;
    static constexpr int heads = Config.blocks * (wide ? 1 : 2);  // of a cluster
    static constexpr int head_groups = Config.attention.q_heads / heads;
    static constexpr int rings = prefill_hopper_rings(Config);
    static constexpr int page_tokens = 64;
    static constexpr int panel_bytes = page_tokens * 128;  // 64 rows of 64 elements
    static constexpr int piece_bytes = Config.piece * panel_bytes;
    static constexpr int slots = prefill_hopper_slots(Config);
    static constexpr int key_pieces = head_dim / 64 / Config.piece;  // of a page, for one ring
    static constexpr int value_pieces = 4 / Config.piece;
    static constexpr int value_rows = 16 * Config.piece;
    static constexpr int head_panels = head_dim / 64;
    static constexpr int query_bytes = (wide ? 1 : 2) * head_panels * panel_bytes;

    static constexpr int ring_at = query_bytes;
    static constexpr int weights_at = ring_at + rings * slots * piece_bytes;
    static constexpr int weights_bytes = wide ? 2 * 64 * 64 * 2 : 0;
    static constexpr int row_numbers_at = weights_at + weights_bytes;  // [2][2][64] f32
    static constexpr int barriers_at = row_numbers_at + 4 * 64 * 4;
    static constexpr int barrier_count = 2 * rings * slots + 4;
    static constexpr int work_at = barriers_at + barrier_count * 8;
    static constexpr int bytes = prefill_hopper_shared_bytes(Config);
    static_assert(work_at + 128 == bytes && bytes <= 227 * 1024);

    static __device__ barrier_word* barriers(char* shared) {
        return reinterpret_cast<barrier_word*>(shared + barriers_at);
    }
    static __device__ barrier_word* full(char* shared, int ring) {
        return barriers(shared) + ring * slots;
    }
    static __device__ barrier_word* empty(char* shared, int ring) {
        return barriers(shared) + (rings + ring) * slots;
    }
    // Sets of queries: one for each head.
    static constexpr int sets = wide ? 1 : 2;
    static __device__ barrier_word* queries_full(char* shared, int set) {
        return barriers(shared) + 2 * rings * slots + set;
    }
    static __device__ barrier_word* queries_empty(char* shared, int set) {
        return queries_full(shared, set) + sets;
    }
    static __device__ char* queries(char* shared, int set) {
        return shared + set * head_panels * panel_bytes;
    }
    static __device__ hopper_work* work(char* shared, int set) {
        return reinterpret_cast<hopper_work*>(shared + work_at) + set;
    }
    static __device__ char* slot(char* shared, int ring, int index) {
        return shared + ring_at + (ring * slots + index) * piece_bytes;
    }
};

/// A place in a ring and the parity of its phase.
template <int Slots> struct ring_place {
    int slot = 0;
    unsigned parity = 0;
    __device__ void advance() {
        if (++slot == Slots) {
            slot = 0;
            parity ^= 1;
        }
    }
};

template <prefill_hopper_config Config>
__device__ inline hopper_work work_of(const prefill_args& args, int index) {
    constexpr int groups = hopper_layout<Config>::head_groups;
    const prefill_tile tile = args.tiles[index / groups];
    const sequence_entry& sequence = args.tables.sequences[tile.sequence];
    hopper_work work;
    work.row = sequence.first_row + tile.first;
    work.count = tile.count;
    work.position = sequence.past + tile.first;
    const int seen = Config.attention.window > 0 ? work.position - Config.attention.window + 1 : 0;
    work.first_page = seen > 0 ? seen / 64 : 0;
    work.pages = (work.position + tile.count - 1) / 64 - work.first_page + 1;
    const int oldest =
        Config.attention.window > 0 ? sequence.past - Config.attention.window + 1 : 0;
    work.begin = oldest > 0 ? oldest : 0;
    work.length = sequence.past + sequence.row_count;
    work.head = index % groups * hopper_layout<Config>::heads;
    work.page_list = sequence.first_page[args.cache.kind] - sequence.skipped[args.cache.kind];
    return work;
}

/// The works of this cluster, long and short ones in turn: work(0), work(1), ... until it is
/// `total` or more. Rounds over the clusters run forth and back, as the list is sorted by length.
template <prefill_hopper_config Config> struct work_order {
    int cluster, clusters, total;
    __device__ explicit work_order(const prefill_args& args)
        : cluster{static_cast<int>(blockIdx.x) / Config.blocks},
          clusters{static_cast<int>(gridDim.x) / Config.blocks},
          total{args.tile_count * hopper_layout<Config>::head_groups} {}
    __device__ int rounds() const { return (total + clusters - 1) / clusters; }
    __device__ int index(int round) const {
        return round * clusters + (round % 2 == 0 ? cluster : clusters - 1 - cluster);
    }
};

}  // namespace g4k
