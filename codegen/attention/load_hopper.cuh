// What one warpgroup of the sm_90a prefill kernel brings in for the two that compute.
#pragma once
#include "codegen/attention/work_hopper.cuh"
#include "codegen/core/async_copy.cuh"

namespace g4k {

/// Fills one ring: one thread of each block of the cluster. Each copies its share of every piece
/// into all blocks.
template <prefill_hopper_config Config> class piece_loader {
    using layout = hopper_layout<Config>;

  public:
    __device__ piece_loader(const prefill_hopper_args& args, char* shared, int ring)
        : args_{args},
          shared_{shared},
          ring_{ring},
          rank_{Config.blocks > 1 ? static_cast<int>(cluster_rank()) : 0},
          page_rows_{static_cast<int>(args.work.cache.page_bytes / (2 * layout::head_dim))},
          layer_row_{static_cast<int>(args.work.cache.layer_offset / (2 * layout::head_dim))} {
        place_.parity = 1;
    }

    /// Keys go one step ahead of values, as the products do.
    __device__ void run() {
        const work_order<Config> order{args_.work};
        for (int round = 0; round < order.rounds(); ++round) {
            const int index = order.index(round);
            if (index >= order.total) continue;
            const hopper_work work = work_of<Config>(args_.work, index);
            constexpr int stride = layout::rings;
            const int steps = (work.pages + stride - 1) / stride;
            load_keys(work, ring_);
            for (int step = 1; step <= steps; ++step) {
                if (step < steps) load_keys(work, step * stride + ring_);
                load_values(work, (step - 1) * stride + ring_);
                if (layout::wide) load_values(work, (step - 1) * stride + 1 - ring_);
            }
        }
    }

  private:
    /// The row of the pool where a page's keys begin for the work's kv head. An odd last step takes
    /// its page once more; none of that counts.
    __device__ int row_of(const hopper_work& work, int page) const {
        constexpr int group = Config.attention.q_heads / Config.attention.kv_heads;
        const int last = work.pages - 1;
        const int logical = work.first_page + (page < last ? page : last);
        return args_.work.tables.pages[work.page_list + logical] * page_rows_ + layer_row_ +
               work.head / group * layout::page_tokens;
    }
    __device__ char* take_slot() {
        barrier_wait(layout::empty(shared_, ring_) + place_.slot, place_.parity);
        barrier_arrive_expecting(layout::full(shared_, ring_) + place_.slot, layout::piece_bytes);
        return layout::slot(shared_, ring_, place_.slot) +
               rank_ * (layout::piece_bytes / Config.blocks);
    }
    __device__ void copy(char* to, const tensor_map& map, int y, int z) {
        barrier_word* full = layout::full(shared_, ring_) + place_.slot;
        if constexpr (Config.blocks > 1) copy_box_to(3u, to, map, 0, y, z, full);
        else copy_box(to, map, 0, y, z, full);
        place_.advance();
    }
    __device__ void load_keys(const hopper_work& work, int page) {
        const int row = row_of(work, page);
        constexpr bool by_rows = Config.piece < Config.blocks;
        for (int p = 0; p < layout::key_pieces; ++p) {
            char* to = take_slot();
            copy(to, args_.keys, row + (by_rows ? 32 * rank_ : 0),
                 p * Config.piece + (by_rows ? 0 : Config.piece / Config.blocks * rank_));
        }
    }
    __device__ void load_values(const hopper_work& work, int page) {
        const int row = row_of(work, page) + Config.attention.kv_heads * layout::page_tokens;
        for (int p = 0; p < layout::value_pieces; ++p) {
            char* to = take_slot();
            copy(to, args_.values, row + layout::value_rows * p,
                 (layout::wide ? 4 * ring_ : 0) + 4 / Config.blocks * rank_);
        }
    }

    const prefill_hopper_args& args_;
    char* shared_;
    int ring_, rank_, page_rows_, layer_row_;
    ring_place<layout::slots> place_;
};

/// One head's queries as wgmma reads them, zeros for rows that the tile lacks, and what the work
/// is: as soon as the scores of the work before are done. By two warps; head dimension 256: by one
/// for each head.
template <prefill_hopper_config Config>
__device__ void load_queries(const prefill_hopper_args& args, char* shared, int thread) {
    using layout = hopper_layout<Config>;
    constexpr int units = layout::head_dim / 8, threads = 64 / layout::sets;
    const int set = thread / threads;
    thread %= threads;
    const int rank = Config.blocks > 1 ? static_cast<int>(cluster_rank()) : 0;
    const work_order<Config> order{args.work};
    char* queries = layout::queries(shared, set);
    unsigned parity = 1;
    for (int round = 0; round < order.rounds(); ++round) {
        const int index = order.index(round);
        if (index >= order.total) continue;
        hopper_work work = work_of<Config>(args.work, index);
        work.head += rank * layout::sets + set;
        const bf16_bits* q = args.work.q + work.row * args.work.q_stride +
                             static_cast<long long>(work.head) * layout::head_dim;
        barrier_wait(layout::queries_empty(shared, set), parity);
        parity ^= 1;
        if (thread == 0) *layout::work(shared, set) = work;
#pragma unroll 4
        for (int i = thread; i < 64 * units; i += threads) {
            const int unit = i % units, row = i / units;
            char* to =
                queries + unit / 8 * layout::panel_bytes + row * 128 + ((unit ^ row) % 8) * 16;
            const bool valid = row < work.count;
            copy_async_16(to, q + (valid ? row * args.work.q_stride : 0) + unit * 8, valid);
        }
        copy_async_commit();
        copy_async_wait<0>();
        fence_shared_for_copies();
        barrier_arrive(layout::queries_full(shared, set));
    }
}

}  // namespace g4k
