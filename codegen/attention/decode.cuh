// Decode: single queries, each against its whole paged context, all heads of a kv head together.
#pragma once
#include "codegen/attention/pages.cuh"
#include "codegen/attention/slot.cuh"
#include "codegen/attention/splits.cuh"
#include "codegen/core/async_copy.cuh"
#include "codegen/core/depend.cuh"
#include "codegen/core/exp2.cuh"
#include "codegen/core/mma.cuh"
#include "codegen/core/number.cuh"
#include "codegen/core/shared.cuh"

namespace g4k {


/// Scores stand as [key][head], so that 4 or 8 heads of a group waste little of an mma: keys are
/// its rows. Sums likewise as [dimension][head].
template <attention_config Config> class decode_block {
  public:
    static constexpr decode_layout layout = decode_layout_for<Config>;
    static constexpr int head_groups = layout.columns / 8, key_groups = layout.tile / 16;
    static constexpr int chunks = layout.slice / 8, group = query_group(Config);
    using places = slot_places<chunks>;

    __device__ decode_block(const decode_args& args, int row, int step_row,
                            const row_splits& span)
        : args_{args}, span_{span}, row_{row}, tile_{span.begin(static_cast<int>(blockIdx.x))},
          end_{span.end(static_cast<int>(blockIdx.x))} {
        const sequence_entry& sequence =
            args.tables.sequences[args.tables.sequence_of[step_row]];
        past_ = sequence.past;
        reader_ = pages_of<Config>(args.tables, args.cache, sequence, kv_head());
        ring_ = reinterpret_cast<bf16_bits*>(shared_memory()) + warp() * layout.tile * 8 * chunks;
        scores_ = reinterpret_cast<float*>(shared_memory() + layout.slots * layout.slot_bytes);
    }

    /// The first loads. Keys that earlier steps left need not wait for this one.
    __device__ void start() {
        constexpr int ahead = layout.slots - 1;
        int pages[ahead / 2 + 1];
        for (int i = 0; i <= ahead / 2; ++i)
            pages[i] = tile_ + i < end_ ? reader_.page_of((tile_ + i) * layout.tile) : 0;
#pragma unroll
        for (int load = 0; load < ahead; ++load) {
            copy(load, pages[load / 2], 0, past_);
            copy_async_commit();
        }
        wait_for_inputs();
        load_queries();
#pragma unroll
        for (int n = 0; n < head_groups; ++n) peaks_[n] = -infinity();
        if (min(end_, tile_ + (ahead + 1) / 2) * layout.tile > past_) {
#pragma unroll
            for (int load = 0; load < ahead; ++load)
                copy(load, pages[load / 2], past_, 0x7fffffff);
            copy_async_commit();
            copy_async_wait<0>();
        }
        next_load_ = ahead;
        next_page_ = pages[ahead / 2];
    }

    __device__ void run() {
        const int tiles = end_ - tile_;
        for (int i = 0; i < tiles; ++i) {
            __syncwarp();
            take_next();
            float* scores = scores_ + i % 2 * layout.warps * layout.score_floats;
            add_scores(slot(2 * i), scores + warp() * layout.score_floats);
            __syncthreads();
            take_next();
            unsigned weights[key_groups][head_groups][2];
            soften((tile_ + i) * layout.tile, scores, weights);
            add_values(slot(2 * i + 1), weights);
        }
    }

    __device__ void finish() {
#pragma unroll
        for (int n = 0; n < head_groups; ++n) {
            totals_[n] += __shfl_xor_sync(~0u, totals_[n], 1);
            totals_[n] += __shfl_xor_sync(~0u, totals_[n], 2);
            const float total[2] = {of_column(totals_[n], 0), of_column(totals_[n], 1)};
#pragma unroll
            for (int m = 0; m < layout.steps; ++m)
#pragma unroll
                for (int i = 0; i < 4; ++i)
                    write(8 * n + 2 * (lane() % 4) + i % 2,
                          warp() * layout.slice + 16 * m + i / 2 * 8 + lane() / 4,
                          sums_[n][m][i], total[i % 2]);
            const int head = 8 * n + lane() / 4;
            if (args_.splits > 1 && warp() == 0 && lane() % 4 == 0 && head < group) {
                float* extent = args_.extent + 2 * split_place(head);
                extent[0] = peaks_[n];
                extent[1] = totals_[n];
            }
        }
    }

  private:
    static __device__ int warp() { return static_cast<int>(threadIdx.x) / 32; }
    static __device__ int lane() { return static_cast<int>(threadIdx.x) % 32; }
    static __device__ int kv_head() { return static_cast<int>(blockIdx.y); }

    __device__ bf16_bits* slot(int load) const {
        return ring_ + load % layout.slots * (layout.slot_bytes / 2);
    }

    /// This warp's slice of load 2i: keys of tile i of the split, 2i + 1: its values; positions
    /// from .. to - 1 of them. What the row does not see becomes zero: it may hold anything.
    __device__ void copy(int load, int page, int from, int to) const {
        const int tile = tile_ + load / 2;
        if (tile >= end_) return;
        bf16_bits* target = slot(load);
        const bf16_bits* source =
            reader_.key(page, tile * layout.tile) + load % 2 * reader_.to_value;
        constexpr int count = layout.tile * chunks, turns = (count + 31) / 32;
#pragma unroll
        for (int i = 0; i < turns; ++i) {
            const unsigned at = 32 * i + threadIdx.x % 32, key = at / chunks, chunk = at % chunks;
            const int position = tile * layout.tile + static_cast<int>(key);
            const unsigned dim = threadIdx.x / 32 * layout.slice + chunk * 8;
            if ((count % 32 != 0 && key >= layout.tile) || position < from || position >= to)
                continue;
            const bool seen = position >= span_.first && position <= span_.last;
            copy_async_16(target + places::of(key, chunk), source + key * Config.head_dim + dim,
                          seen && dim < Config.head_dim);
        }
    }
    /// Waits for the next tile of keys or values, and asks for a later one.
    __device__ void take_next() {
        copy(next_load_, next_page_, 0, 0x7fffffff);
        copy_async_commit();
        if (++next_load_ % 2 == 0 && tile_ + next_load_ / 2 < end_)
            next_page_ = reader_.page_of((tile_ + next_load_ / 2) * layout.tile);
        copy_async_wait<layout.slots - 1>();
        __syncwarp();
    }

    __device__ void load_queries() {
        const long long row = args_.q_rows ? args_.q_rows[row_] : row_;
        const bf16_bits* q = args_.q + row * args_.q_stride + kv_head() * group * Config.head_dim;
#pragma unroll
        for (int n = 0; n < head_groups; ++n)
#pragma unroll
            for (int k = 0; k < layout.steps; ++k)
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    const int head = 8 * n + lane() / 4;
                    const int dim = warp() * layout.slice + 16 * k + 8 * i + lane() % 4 * 2;
                    const bool real = head < group && dim < Config.head_dim;
                    queries_[n][k][i] =
                        real ? *reinterpret_cast<const unsigned*>(q + head * Config.head_dim + dim)
                             : 0u;
                }
    }

    /// What this warp's dimensions give to the scores: [head][key].
    __device__ void add_scores(const bf16_bits* keys, float* to) const {
        float part[key_groups][head_groups][4]{};
#pragma unroll
        for (int k = 0; k < layout.steps; ++k)
#pragma unroll
            for (int m = 0; m < key_groups; ++m) {
                unsigned a[4];
                load_matrix_x4(a, keys + places::from(below_, 16 * m, 2 * k));
#pragma unroll
                for (int n = 0; n < head_groups; ++n) mma_bf16(part[m][n], a, queries_[n][k]);
            }
#pragma unroll
        for (int m = 0; m < key_groups; ++m)
#pragma unroll
            for (int n = 0; n < head_groups; ++n)
#pragma unroll
                for (int i = 0; i < 4; ++i)
                    to[(8 * n + lane() % 4 * 2 + i % 2) * layout.score_stride + 16 * m +
                       i / 2 * 8 + lane() / 4] = part[m][n][i];
    }

    /// From the scores of all warps to e^(score - peak), as mma's b; earlier sums are scaled to the
    /// new peak. Every warp does the same for itself. This thread: head lane / 4 of each eight.
    __device__ void soften(int first_key, const float* scores,
                           unsigned (&weights)[key_groups][head_groups][2]) {
        const int thread = lane() % 4;
#pragma unroll
        for (int n = 0; n < head_groups; ++n) {
            float x[key_groups][2][2];
            float peak = peaks_[n];
#pragma unroll
            for (int m = 0; m < key_groups; ++m)
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    const int key = 16 * m + 8 * i + 2 * thread;
                    sum_scores(scores, 8 * n + lane() / 4, key, x[m][i]);
#pragma unroll
                    for (int j = 0; j < 2; ++j) {
                        const int position = first_key + key + j;
                        const bool seen = position >= span_.first && position <= span_.last;
                        x[m][i][j] = seen ? x[m][i][j] * (Config.scale * log2_of_e) : -infinity();
                        peak = fmaxf(peak, x[m][i][j]);
                    }
                }
            peak = fmaxf(peak, __shfl_xor_sync(~0u, peak, 1));
            peak = fmaxf(peak, __shfl_xor_sync(~0u, peak, 2));
            rescale(n, exp2_of(peaks_[n] - peak));
            peaks_[n] = peak;
#pragma unroll
            for (int m = 0; m < key_groups; ++m)
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    const float first = exp2_of(x[m][i][0] - peak);
                    const float second = exp2_of(x[m][i][1] - peak);
                    totals_[n] += first + second;
                    weights[m][n][i] = to_bf16x2(first, second);
                }
        }
    }
    static __device__ void sum_scores(const float* scores, int head, int key, float (&x)[2]) {
        const float* at = scores + head * layout.score_stride + key;
        float2 sum = *reinterpret_cast<const float2*>(at);
#pragma unroll
        for (int w = 1; w < layout.warps; ++w) {
            const float2 part = *reinterpret_cast<const float2*>(at + w * layout.score_floats);
            sum.x += part.x;
            sum.y += part.y;
        }
        x[0] = sum.x;
        x[1] = sum.y;
    }
    /// A number of head lane / 4 for the heads that this thread has in the sums: 2 (lane % 4) + i.
    static __device__ float of_column(float value, int i) {
        return __shfl_sync(~0u, value, lane() % 4 * 8 + 4 * i);
    }
    __device__ void rescale(int n, float factor) {
        totals_[n] *= factor;
        const float of[2] = {of_column(factor, 0), of_column(factor, 1)};
#pragma unroll
        for (int m = 0; m < layout.steps; ++m)
#pragma unroll
            for (int i = 0; i < 4; ++i) sums_[n][m][i] *= of[i % 2];
    }

    __device__ void add_values(const bf16_bits* values,
                               const unsigned (&weights)[key_groups][head_groups][2]) {
#pragma unroll
        for (int k = 0; k < key_groups; ++k)
#pragma unroll
            for (int m = 0; m < layout.steps; ++m) {
                unsigned a[4];
                load_matrix_x4_transposed(a, values + places::from(beside_, 16 * k, 2 * m));
#pragma unroll
                for (int n = 0; n < head_groups; ++n) mma_bf16(sums_[n][m], a, weights[k][n]);
            }
    }

    __device__ long long split_place(int head) const {
        const long long at = static_cast<long long>(row_) * Config.q_heads + kv_head() * group;
        return (at + head) * args_.splits + static_cast<int>(blockIdx.x);
    }
    __device__ void write(int head, int dim, float sum, float total) const {
        if (head >= group || dim >= Config.head_dim) return;
        if (args_.splits > 1) {
            args_.partial[split_place(head) * Config.head_dim + dim] = sum;
            return;
        }
        const long long row = args_.out_rows ? args_.out_rows[row_] : row_;
        args_.out[row * args_.out_stride + (kv_head() * group + head) * Config.head_dim + dim] =
            to_bf16(sum / total);
    }

    const decode_args& args_;
    const row_splits& span_;
    int row_, tile_, end_, past_;
    page_reader<Config> reader_;
    bf16_bits* ring_;
    float* scores_;
    unsigned below_ = places::below(), beside_ = places::beside();
    int next_load_ = 0, next_page_ = 0;
    unsigned queries_[head_groups][layout.steps][2];
    float sums_[head_groups][layout.steps][4]{};
    float peaks_[head_groups], totals_[head_groups]{};  // peaks of score · scale · log2 e
};

template <attention_config Config>
__device__ void clear_heads(const decode_args& args, int row, int kv_head) {
    constexpr int width = Config.q_heads / Config.kv_heads * Config.head_dim;
    const long long to = args.out_rows ? args.out_rows[row] : row;
    for (int i = static_cast<int>(threadIdx.x); i < width; i += static_cast<int>(blockDim.x))
        args.out[to * args.out_stride + kv_head * width + i] = 0;
}

/// Grid: splits, kv heads, rows. With one split it writes `out`, else `partial` and `extent`.
template <attention_config Config> __device__ void decode(const decode_args& args) {
    let_next_start();
    const int row = static_cast<int>(blockIdx.z);
    const int step_row = args.step_rows ? args.step_rows[row] : row;
    const int position = args.tables.positions[step_row];
    const row_splits span = splits_of<Config>(position, args.splits);
    if (static_cast<int>(blockIdx.x) >= span.active) {
        wait_for_inputs();
        if (position < 0 && args.splits == 1)
            clear_heads<Config>(args, row, static_cast<int>(blockIdx.y));
        return;
    }
    decode_block<Config> block{args, row, step_row, span};
    block.start();
    block.run();
    block.finish();
}

}  // namespace g4k
