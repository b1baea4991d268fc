// Decode: single queries, each against its whole paged context, all heads of a kv head together.
#pragma once
#include "codegen/attention/gather.cuh"
#include "codegen/attention/pages.cuh"
#include "codegen/attention/slot.cuh"
#include "codegen/attention/splits.cuh"
#include "codegen/core/async_copy.cuh"
#include "codegen/core/depend.cuh"
#include "codegen/core/mma.cuh"
#include "codegen/core/number.cuh"
#include "codegen/core/shared.cuh"

namespace g4k {

/// Scores stand as [key][head], so that 4 or 8 heads of a group waste little of an mma: keys are
/// its rows. Sums likewise as [dimension][head]. Most launches see one or two tiles: code that is
/// short to fetch counts as much as code that is quick to run.
template <decode_config Config> class decode_block {
  public:
    static constexpr decode_layout layout = decode_layout_for<Config>;
    static constexpr attention_config attention = Config.attention;
    static constexpr int head_dim = attention.head_dim, cluster = Config.cluster;
    static constexpr int group = attention.q_heads / attention.kv_heads;
    static constexpr int head_groups = layout.columns / 8, key_groups = Config.tile / 16;
    static constexpr int chunks = layout.slice / 8;
    using places = slot_places<chunks>;

    __device__ decode_block(const decode_args& args, int step_row, const row_splits& span)
        : args_{args}, last_{span.last} {
        const sequence_entry& sequence = args.tables.sequences[args.tables.sequence_of[step_row]];
        past_ = sequence.past;
        reader_ = pages_of<attention>(args.tables, args.cache, sequence, kv_head());
        const int begin = span.begin(split());
        tiles_ = max(0, span.end(split()) - begin);
        first_ = span.first + begin * Config.tile;
        sources_ = max(0, min(cluster, span.active - split() / cluster * cluster));
        q_row_ = args.q_rows ? args.q_rows[row()] : row();
        out_row_ = args.out_rows ? args.out_rows[row()] : row();
    }

    /// The first loads. Keys that earlier steps left need not wait for this one.
    __device__ void start() {
        copy_first(0, past_);
        if constexpr (cluster > 1) {
            gather().make();
            gather().expect(sources_);
        }
        wait_for_inputs();
        load_queries();
        if (first_ + min(tiles_, (Config.slots + 1) / 2) * Config.tile > past_) {
            copy_first(past_, 0x7fffffff);
            copy_async_wait<0>();
        }
#pragma unroll
        for (int n = 0; n < head_groups; ++n) peaks_[n] = -infinity();
    }

    __device__ void run() {
#pragma unroll 1
        for (int load = 0; load < 2 * tiles_; ++load) {
            if (load > 0) {
                __syncwarp();
                copy(load - 1 + Config.slots, 0, 0x7fffffff);
                copy_async_commit();
            }
            copy_async_wait<Config.slots - 1>();
            __syncwarp();
            float* scores = scores_ + load / 2 % 2 * layout.warps * layout.score_floats;
            if (load % 2 == 0) {
                add_scores(slot(load), scores + warp() * layout.score_floats);
            } else {
                __syncthreads();
                unsigned weights[key_groups][head_groups][2];
                soften(first_ + load / 2 * Config.tile, scores, weights);
                add_values(slot(load), weights);
            }
        }
    }

    __device__ void finish() {
#pragma unroll
        for (int n = 0; n < head_groups; ++n) {
            totals_[n] += __shfl_xor_sync(~0u, totals_[n], 1);
            totals_[n] += __shfl_xor_sync(~0u, totals_[n], 2);
        }
        if constexpr (cluster > 1) {
            if (tiles_ > 0) send();
            gather_share();
        } else if (args_.splits > 1) {
            leave();
        } else {
            write_all();
        }
    }

  private:
    static __device__ int warp() { return static_cast<int>(threadIdx.x) / 32; }
    static __device__ int lane() { return static_cast<int>(threadIdx.x) % 32; }
    static __device__ int split() { return static_cast<int>(blockIdx.x); }
    static __device__ int kv_head() { return static_cast<int>(blockIdx.y); }
    static __device__ int row() { return static_cast<int>(blockIdx.z); }
    __device__ int parts() const { return args_.splits / cluster; }

    __device__ bf16_bits* slot(int load) const {
        return reinterpret_cast<bf16_bits*>(shared_memory()) + warp() * Config.tile * layout.slice +
               load % Config.slots * (layout.slot_bytes / 2);
    }
    static __device__ gather_places<Config> gather() {
        return gather_places<Config>{
            reinterpret_cast<float*>(shared_memory() + Config.slots * layout.slot_bytes) +
            2 * layout.warps * layout.score_floats};
    }

    __device__ void copy_first(int from, int to) const {
#pragma unroll 1
        for (int load = 0; load < Config.slots; ++load) {
            copy(load, from, to);
            copy_async_commit();
        }
    }
    /// This warp's slice of load 2i: keys of tile i of the split, 2i + 1: its values; positions
    /// from .. to - 1 of them. What the row does not see becomes zero: it may hold anything.
    __device__ void copy(int load, int from, int to) const {
        if (load / 2 >= tiles_) return;
        const int first = first_ + load / 2 * Config.tile;
        const int turn = attention.page_tokens - first % attention.page_tokens;
        const bf16_bits* near = source(first, load);
        const bf16_bits* far = near;
        if (attention.window > 0 && turn < Config.tile && first + turn <= last_)
            far = source(first + turn, load) - turn * head_dim;
        bf16_bits* target = slot(load);
        constexpr int count = Config.tile * chunks, turns = (count + 31) / 32;
#pragma unroll
        for (int i = 0; i < turns; ++i) {
            const unsigned at = 32 * i + threadIdx.x % 32, key = at / chunks, chunk = at % chunks;
            const int position = first + static_cast<int>(key);
            const unsigned dim = threadIdx.x / 32 * layout.slice + chunk * 8;
            if ((count % 32 != 0 && key >= Config.tile) || position < from || position >= to)
                continue;
            copy_async_16(target + places::of(key, chunk),
                          (static_cast<int>(key) < turn ? near : far) + key * head_dim + dim,
                          position <= last_ && dim < head_dim);
        }
    }
    __device__ const bf16_bits* source(int position, int load) const {
        return reader_.key(reader_.page_of(position), position) + load % 2 * reader_.to_value;
    }

    __device__ void load_queries() {
        const bf16_bits* q = args_.q + q_row_ * args_.q_stride + kv_head() * group * head_dim;
#pragma unroll
        for (int n = 0; n < head_groups; ++n)
#pragma unroll
            for (int k = 0; k < layout.steps; ++k)
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    const int head = 8 * n + lane() / 4;
                    const int dim = warp() * layout.slice + 16 * k + 8 * i + lane() % 4 * 2;
                    const bool real = head < group && dim < head_dim;
                    queries_[n][k][i] =
                        real ? *reinterpret_cast<const unsigned*>(q + head * head_dim + dim) : 0u;
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
        to += lane() % 4 * 2 * layout.score_stride + lane() / 4;
#pragma unroll
        for (int m = 0; m < key_groups; ++m)
#pragma unroll
            for (int n = 0; n < head_groups; ++n)
#pragma unroll
                for (int i = 0; i < 4; ++i)
                    to[(8 * n + i % 2) * layout.score_stride + 16 * m + i / 2 * 8] = part[m][n][i];
    }

    /// From the scores of all warps to e^(score - peak), as mma's b; earlier sums are scaled to the
    /// new peak. Every warp does the same for itself. This thread: head lane / 4 of each eight.
    __device__ void soften(int first, const float* scores,
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
                        x[m][i][j] = first + key + j <= last_
                                         ? x[m][i][j] * (attention.scale * log2_of_e)
                                         : -infinity();
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
                    const float low = exp2_of(x[m][i][0] - peak);
                    const float high = exp2_of(x[m][i][1] - peak);
                    totals_[n] += low + high;
                    weights[m][n][i] = to_bf16x2(low, high);
                }
        }
    }
    static __device__ void sum_scores(const float* scores, int head, int key, float (&x)[2]) {
        const float* at = scores + head * layout.score_stride + key;
        x[0] = x[1] = 0;
#pragma unroll
        for (int w = 0; w < layout.warps; ++w) {
            const float2 part = *reinterpret_cast<const float2*>(at + w * layout.score_floats);
            x[0] += part.x;
            x[1] += part.y;
        }
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

    /// put(n, i, dim, sum): head 8n + 2 (lane % 4) + i, if there is one, at dimension `dim`.
    template <class Put> __device__ void for_sums(const Put& put) const {
        const int dim = warp() * layout.slice + lane() / 4;
#pragma unroll
        for (int n = 0; n < head_groups; ++n)
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                if (8 * n + lane() % 4 * 2 + i >= group) continue;
#pragma unroll
                for (int m = 0; m < 2 * layout.steps; ++m)
                    if (layout.warps * layout.slice == head_dim || dim + 8 * m < head_dim)
                        put(n, i, dim + 8 * m, sums_[n][m / 2][m % 2 * 2 + i]);
            }
    }
    /// What merge reads.
    __device__ void leave() const {
        const int head = kv_head() * group + lane() % 4 * 2, step = args_.splits * head_dim;
        float* partial = args_.partial + place(head, split()) * head_dim;
        for_sums(
            [&](int n, int i, int dim, float sum) { partial[(8 * n + i) * step + dim] = sum; });
#pragma unroll
        for (int n = 0; n < head_groups; ++n)
            if (warp() == 0 && lane() % 4 == 0 && 8 * n + lane() / 4 < group)
                leave_extent(kv_head() * group + 8 * n + lane() / 4, peaks_[n], totals_[n]);
    }
    __device__ void leave_extent(int head, float peak, float total) const {
        float2* extents = reinterpret_cast<float2*>(args_.extent);
        extents[place(head, split() / cluster)] = {peak, total};
    }
    __device__ long long place(int head, int part) const {
        return (static_cast<long long>(row()) * attention.q_heads + head) * parts() + part;
    }
    __device__ bf16_bits* out_of(int head) const {
        return args_.out + out_row_ * args_.out_stride + head * head_dim;
    }
    __device__ void write_all() const {
        bf16_bits* out = out_of(kv_head() * group + lane() % 4 * 2);
        float scale[head_groups][2];
#pragma unroll
        for (int n = 0; n < head_groups; ++n)
#pragma unroll
            for (int i = 0; i < 2; ++i) scale[n][i] = 1 / of_column(totals_[n], i);
        for_sums([&](int n, int i, int dim, float sum) {
            out[(8 * n + i) * head_dim + dim] = to_bf16(sum * scale[n][i]);
        });
    }

    /// Every block of the cluster gets its share of this split's sums, and all extents.
    __device__ void send() const {
        const gather_places<Config> to = gather();
        const int from = split() % cluster;
#pragma unroll
        for (int n = 0; n < head_groups; ++n) {
            const int column = 8 * n + lane() % 4 * 2, head = 8 * n + lane() / 4;
            if (head < group && lane() % 4 == 0)
                for (int rank = warp(); rank < cluster; rank += layout.warps)
                    send_pair(rank, to.extent(from, head), peaks_[n], totals_[n], to.barrier);
            if (column >= group) continue;
#pragma unroll
            for (int m = 0; m < 2 * layout.steps; ++m) {
                const int dim = warp() * layout.slice + 8 * m + lane() / 4;
                send_pair(dim / layout.share, to.sum(from, dim, column), sums_[n][m / 2][m % 2 * 2],
                          sums_[n][m / 2][m % 2 * 2 + 1], to.barrier);
            }
        }
    }
    __device__ void gather_share() const {
        const gather_places<Config> from = gather();
        const int rank = split() % cluster;
        cluster_barrier_wait(from.barrier);
        for (int at = static_cast<int>(threadIdx.x); at < group * layout.share;
             at += layout.threads) {
            const int column = at % group, dim = at / group + rank * layout.share;
            const int head = kv_head() * group + column;
            if (dim >= head_dim) break;
            const auto sum = from.add(sources_, dim, column);
            if (parts() == 1) {
                out_of(head)[dim] = to_bf16(sum.sum / sum.total);
                continue;
            }
            args_.partial[place(head, split() / cluster) * head_dim + dim] = sum.sum;
            if (dim == 0) leave_extent(head, sum.peak, sum.total);
        }
    }

    const decode_args& args_;
    int last_, first_, tiles_, past_, sources_, q_row_, out_row_;
    page_reader<attention> reader_;
    unsigned below_ = places::below(), beside_ = places::beside();
    float* scores_ = reinterpret_cast<float*>(shared_memory() + Config.slots * layout.slot_bytes);
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

/// Grid: splits, kv heads, rows.
template <decode_config Config> __device__ void decode(const decode_args& args) {
    let_next_start();
    const int row = static_cast<int>(blockIdx.z), split = static_cast<int>(blockIdx.x);
    const int step_row = args.step_rows ? args.step_rows[row] : row;
    const int position = args.tables.positions[step_row];
    const row_splits span = splits_of<Config>(position, args.splits);
    if (split / Config.cluster * Config.cluster >= span.active) {
        wait_for_inputs();
        if (position < 0 && args.splits == Config.cluster && split == 0)
            clear_heads<Config.attention>(args, row, static_cast<int>(blockIdx.y));
        return;
    }
    decode_block<Config> block{args, step_row, span};
    block.start();
    block.run();
    block.finish();
}

}  // namespace g4k
