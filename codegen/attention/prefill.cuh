// Prefill on any GPU: tiles of a sequence's rows against its paged context, by mma.sync.
#pragma once
#include "codegen/attention/layout.hpp"
#include "codegen/attention/pages.cuh"
#include "codegen/attention/slot.cuh"
#include "codegen/core/async_copy.cuh"
#include "codegen/core/depend.cuh"
#include "codegen/core/exp2.cuh"
#include "codegen/core/mma.cuh"
#include "codegen/core/number.cuh"
#include "codegen/core/shared.cuh"

namespace g4k {

/// Queries, sums and weights of a warp's 16 (row, head) pairs are in registers. Keys and values of
/// a tile pass through the ring one after the other; a load is asked for when its slot is free.
template <attention_config Config> class prefill_block {
  public:
    static constexpr prefill_layout layout = prefill_layout_for<Config>;
    static constexpr int chunks = layout.halves * layout.slice / 8;
    static constexpr int columns = layout.tile / 8, group = Config.q_heads / Config.kv_heads;
    using places = slot_places<chunks>;

    /// Little is kept: what can be found again is no register's in the loop.
    __device__ explicit prefill_block(const prefill_args& args) : args_{args} {
        const sequence_entry& sequence = args.tables.sequences[tile().sequence];
        rows_ = tile().count;
        first_position_ = sequence.past + tile().first;
        pages_ = sequence.first_page[args.cache.kind] - sequence.skipped[args.cache.kind];
    }

    __device__ void run() {
        start();
        const int loads = 2 * (last_position() / layout.tile + 1 - first_tile());
        for (int load = 0; load < loads; load += 2) {
            float scores[columns][4]{};
            add_scores(take(load), scores);
            if constexpr (layout.halves == 2) leave_scores(scores);
            const bf16_bits* values = take(load + 1);
            if constexpr (layout.halves == 2) add_other_half(scores);
            mask(first_key_of(load), scores);
            soften(scores);
            add_values(values, scores);
        }
    }

    __device__ void finish() {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            totals_[i] += __shfl_xor_sync(~0u, totals_[i], 1);
            totals_[i] += __shfl_xor_sync(~0u, totals_[i], 2);
            if (pair(i) >= rows_ * group) continue;
            const float scale = 1 / totals_[i];
            bf16_bits* to = args_.out + row(i) * args_.out_stride + head(i) * Config.head_dim;
#pragma unroll
            for (int n = 0; n < 2 * layout.steps; ++n) {
                const int dim = first_dim() + 8 * n + 2 * (lane() % 4);
                if (dim < Config.head_dim)
                    *reinterpret_cast<unsigned*>(to + dim) =
                        to_bf16x2(sums_[n][2 * i] * scale, sums_[n][2 * i + 1] * scale);
            }
        }
    }

  private:
    static __device__ int warp() { return static_cast<int>(threadIdx.x) / 32; }
    static __device__ int lane() { return static_cast<int>(threadIdx.x) % 32; }
    static __device__ int kv_head() { return static_cast<int>(blockIdx.x); }
    __device__ const prefill_tile& tile() const { return args_.tiles[blockIdx.y]; }
    __device__ int last_position() const { return first_position_ + rows_ - 1; }
    __device__ int first_key() const {
        return Config.window > 0 ? max(0, first_position_ - Config.window + 1) : 0;
    }
    __device__ int first_tile() const { return first_key() / layout.tile; }
    /// Loads 2i and 2i + 1 are the keys and values of the i-th tile.
    __device__ int first_key_of(int load) const { return (first_tile() + load / 2) * layout.tile; }
    static __device__ int first_dim() { return warp() % layout.halves * layout.slice; }

    static __device__ unsigned first_chunk() {
        return threadIdx.x / 32 % layout.halves * (layout.slice / 8);
    }

    /// This thread's two of the block's (row, head) pairs; what lies behind the last is masked.
    static __device__ int pair(int i) { return warp() / layout.halves * 16 + lane() / 4 + 8 * i; }
    __device__ int position(int i) const {
        return min(first_position_ + pair(i) / group, last_position());
    }
    __device__ long long row(int i) const {
        return args_.tables.sequences[tile().sequence].first_row + tile().first + pair(i) / group;
    }
    static __device__ int head(int i) { return kv_head() * group + pair(i) % group; }

    __device__ void start() {
#pragma unroll
        for (int i = 0; i < layout.slots - 1; ++i) ask(i);
        peaks_[0] = peaks_[1] = -infinity();
#pragma unroll
        for (int k = 0; k < layout.steps; ++k) {
            unsigned part[4];
            read_queries(k, part);
            if (k < layout.held) copy_part(queries_[k], part);
            else *left_queries(k) = {part[0], part[1], part[2], part[3]};
        }
    }
    /// 16 dimensions of 16 pairs, as mma's a.
    __device__ void read_queries(int k, unsigned (&part)[4]) const {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const int dim = first_dim() + 16 * k + i / 2 * 8 + 2 * (lane() % 4);
            const bf16_bits* from =
                args_.q + row(i % 2) * args_.q_stride + head(i % 2) * Config.head_dim + dim;
            const bool real = pair(i % 2) < rows_ * group && dim < Config.head_dim;
            part[i] = real ? *reinterpret_cast<const unsigned*>(from) : 0u;
        }
    }
    /// Where this thread finds its part again: nobody else reads it.
    static __device__ uint4* left_queries(int k) {
        char* all = shared_memory() + layout.slots * layout.slot_bytes;
        return reinterpret_cast<uint4*>(all) + (k - layout.held) * layout.threads + threadIdx.x;
    }
    static __device__ void copy_part(unsigned (&to)[4], const unsigned (&from)[4]) {
#pragma unroll
        for (int i = 0; i < 4; ++i) to[i] = from[i];
    }

    __device__ bf16_bits* slot(int load) const {
        return reinterpret_cast<bf16_bits*>(shared_memory()) +
               load % layout.slots * (layout.slot_bytes / 2);
    }
    /// What no row sees becomes zero.
    __device__ void ask(int load) const {
        const int first = first_key_of(load);
        if (first <= last_position()) {
            bf16_bits* to = slot(load);
            const page_reader<Config> reader =
                reader_of<Config>(args_.tables, args_.cache, pages_, kv_head());
            const bf16_bits* from =
                reader.key(reader.page_of(first), first) + load % 2 * reader.to_value;
            constexpr int count = layout.tile * chunks;
            constexpr int turns = (count + layout.threads - 1) / layout.threads;
#pragma unroll
            for (int i = 0; i < turns; ++i) {
                const unsigned at = i * layout.threads + threadIdx.x;
                const unsigned key = at / chunks, chunk = at % chunks;
                if (count % layout.threads != 0 && key >= layout.tile) continue;
                const int position = first + static_cast<int>(key);
                const bool seen = position >= first_key() && position <= last_position();
                copy_async_16(to + places::of(key, chunk), from + key * Config.head_dim + chunk * 8,
                              seen && chunk * 8 < Config.head_dim);
            }
        }
        copy_async_commit();
    }
    /// Loads are taken in order. All warps have done with the one before.
    __device__ const bf16_bits* take(int load) const {
        copy_async_wait<layout.slots - 2>();
        __syncthreads();
        ask(load + layout.slots - 1);
        return slot(load);
    }

    __device__ void add_scores(const bf16_bits* keys, float (&scores)[columns][4]) const {
#pragma unroll
        for (int k = 0; k < layout.steps; ++k) {
            unsigned a[4];
            if (k < layout.held) copy_part(a, queries_[k]);
            else {
                const uint4 left = *left_queries(k);
                copy_part(a, {left.x, left.y, left.z, left.w});
            }
#pragma unroll
            for (int n = 0; n < columns; n += 2) {
                unsigned b[4];
                load_matrix_x4(b, keys + places::from(beside_, 8 * n, first_chunk() + 2 * k));
                mma_bf16(scores[n], a, {b[0], b[1]});
                mma_bf16(scores[n + 1], a, {b[2], b[3]});
            }
        }
    }

    /// The same thread of the warp with the other half holds the same places.
    __device__ float4* left_scores(int of_warp) const {
        char* scores = shared_memory() + layout.slots * layout.slot_bytes +
                       (layout.steps - layout.held) * layout.threads * 16;
        return reinterpret_cast<float4*>(scores) + of_warp * columns * 32 + lane();
    }
    __device__ void leave_scores(const float (&scores)[columns][4]) const {
#pragma unroll
        for (int n = 0; n < columns; ++n)
            left_scores(warp())[32 * n] = {scores[n][0], scores[n][1], scores[n][2], scores[n][3]};
    }
    __device__ void add_other_half(float (&scores)[columns][4]) const {
#pragma unroll
        for (int n = 0; n < columns; ++n) {
            const float4 other = left_scores(warp() ^ 1)[32 * n];
            scores[n][0] += other.x;
            scores[n][1] += other.y;
            scores[n][2] += other.z;
            scores[n][3] += other.w;
        }
    }

    __device__ void mask(int first, float (&scores)[columns][4]) const {
        const int last = first + layout.tile - 1;
        if (last <= first_position_ &&
            (Config.window == 0 || first > last_position() - Config.window))
            return;
#pragma unroll
        for (int n = 0; n < columns; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int key = first + 8 * n + 2 * (lane() % 4) + i % 2;
                const int query = position(i / 2);
                const bool seen =
                    key <= query && (Config.window == 0 || key > query - Config.window);
                if (!seen) scores[n][i] = -infinity();
            }
    }

    /// Scores become e^(score - peak); earlier sums are scaled to the new peak.
    __device__ void soften(float (&scores)[columns][4]) {
        constexpr float unit = Config.scale * log2_of_e;
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            float peak = -infinity();
#pragma unroll
            for (int n = 0; n < columns; ++n)
                peak = fmaxf(peak, fmaxf(scores[n][2 * i], scores[n][2 * i + 1]));
            peak = fmaxf(peak, __shfl_xor_sync(~0u, peak, 1));
            peak = fmaxf(peak, __shfl_xor_sync(~0u, peak, 2));
            peak = fmaxf(peaks_[i], peak * unit);
            const float base = peak == -infinity() ? 0 : peak;  // nothing seen yet
            const float factor = exp2_of(peaks_[i] - base);
            peaks_[i] = peak;
            totals_[i] *= factor;
#pragma unroll
            for (int n = 0; n < 2 * layout.steps; ++n) {
                sums_[n][2 * i] *= factor;
                sums_[n][2 * i + 1] *= factor;
            }
#pragma unroll
            for (int n = 0; n < columns; ++n)
#pragma unroll
                for (int j = 2 * i; j < 2 * i + 2; ++j) {
                    scores[n][j] = exp2_of(fmaf(scores[n][j], unit, -base));
                    totals_[i] += scores[n][j];
                }
        }
    }

    __device__ void add_values(const bf16_bits* values, const float (&weights)[columns][4]) {
#pragma unroll
        for (int k = 0; k < columns / 2; ++k) {
            const float(&low)[4] = weights[2 * k], (&high)[4] = weights[2 * k + 1];
            const unsigned a[4] = {to_bf16x2(low[0], low[1]), to_bf16x2(low[2], low[3]),
                                   to_bf16x2(high[0], high[1]), to_bf16x2(high[2], high[3])};
#pragma unroll
            for (int n = 0; n < 2 * layout.steps; n += 2) {
                unsigned b[4];
                load_matrix_x4_transposed(b,
                                          values + places::from(below_, 16 * k, first_chunk() + n));
                mma_bf16(sums_[n], a, {b[0], b[1]});
                mma_bf16(sums_[n + 1], a, {b[2], b[3]});
            }
        }
    }

    const prefill_args& args_;
    int rows_, first_position_;
    int pages_;  // where the sequence's list begins, had no page been freed
    unsigned below_ = places::below(), beside_ = places::beside();
    unsigned queries_[layout.held][4];
    float sums_[2 * layout.steps][4]{};
    float peaks_[2], totals_[2]{};  // peaks of score · scale · log2 e
};

/// Grid: kv heads, tiles; what lies behind the last tile does nothing.
template <attention_config Config> __device__ void prefill(const prefill_args& args) {
    let_next_start();
    wait_for_inputs();
    if (static_cast<int>(blockIdx.y) >= args.tile_count) return;
    prefill_block<Config> block{args};
    block.run();
    block.finish();
}

}  // namespace g4k
