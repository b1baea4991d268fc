// What each of the two computing warpgroups of the sm_90a prefill kernel does: scores, softmax with
// a running maximum, weighted sums of values, results.
#pragma once
#include "codegen/attention/work_hopper.cuh"
#include "codegen/core/exp2.cuh"
#include "codegen/core/number.cuh"
#include "codegen/core/wgmma.cuh"

namespace g4k {

/// Scores of step i + 1 are asked for before the sums of step i, so that the tensor cores sum while
/// this warpgroup turns scores into weights. Rows of this thread: first_row() and 8 more.
template <prefill_hopper_config Config> class attention_warpgroup {
    using layout = hopper_layout<Config>;
    static constexpr bool wide = layout::wide;
    static constexpr int stride = layout::rings;  // pages of a step

  public:
    __device__ attention_warpgroup(const prefill_args& args, char* shared, int self)
        : args_{args},
          shared_{shared},
          self_{self},
          ring_{wide ? self : 0},
          set_{wide ? 0 : self},
          thread_{static_cast<int>(threadIdx.x) % 128} {}

    __device__ void run() {
        const work_order<Config> order{args_};
        unsigned parity = 0;
        if constexpr (wide) meet_arrive(4 + self_, 256);
        for (int round = 0; round < order.rounds(); ++round) {
            if (order.index(round) >= order.total) continue;
            barrier_wait(layout::queries_full(shared_, set_), parity);
            parity ^= 1;
            work_ = *layout::work(shared_, set_);
            attend();
            store();
        }
        if constexpr (wide) meet(5 - self_, 256);
    }

  private:
    __device__ int lane() const { return thread_ % 32; }
    __device__ int first_row() const { return thread_ / 32 * 16 + lane() / 4; }

    __device__ void attend() {
        for (int i = 0; i < 128; ++i) sums_[i] = 0;
        for (int r = 0; r < 2; ++r) {
            top_[r] = lowest;
            total_[r] = 0;
        }
        const int steps = (work_.pages + stride - 1) / stride;
        ask_scores();
        wgmma_wait<0>();
        hold(scores_);
        release_one();
        if (steps == 1) release_queries();
        float factor[2];
        find_top(ring_);
        if constexpr (wide) share_top();
        weigh(factor);
        keep_weights();
        for (int step = 1; step < steps; ++step) one_step(step, step == steps - 1);
        finish(steps - 1);
    }

    /// Scores of `step`, sums of the step before.
    __device__ void one_step(int step, bool last) {
        ask_scores();
        if constexpr (wide) lend_weights();
        ask_own_sums((step - 1) * stride + ring_);
        wgmma_wait<layout::value_pieces>();
        hold(scores_);
        release_one();
        if (last) release_queries();
        find_top(step * stride + ring_);
        if constexpr (wide) {
            share_top();
            ask_other_sums((step - 1) * stride + 1 - ring_);
            wgmma_wait<layout::value_pieces>();
            for (int p = 0; p < layout::value_pieces; ++p) release_one();
        }
        float factor[2];
        weigh(factor);
        sums_done(layout::value_pieces);
        hold(scores_);
        rescale(factor);
        keep_weights();
    }

    __device__ void finish(int step) {
        if constexpr (wide) lend_weights();
        ask_own_sums(step * stride + ring_);
        if constexpr (wide) {
            meet(1, 256);
            ask_other_sums(step * stride + 1 - ring_);
        }
        sums_done(stride * layout::value_pieces);
    }
    __device__ void sums_done(int pieces) {
        wgmma_wait<0>();
        hold(sums_);
        if constexpr (wide) meet_arrive(4 + self_, 256);
        for (int p = 0; p < pieces; ++p) release_one();
    }

    // Pieces: taken in order as they arrive, given back in order as the products are done.

    __device__ char* take() {
        barrier_wait(layout::full(shared_, ring_) + taken_.slot, taken_.parity);
        char* piece = layout::slot(shared_, ring_, taken_.slot);
        taken_.advance();
        return piece;
    }
    /// One thread of each warp, to each block of the cluster.
    __device__ void release_one() {
        barrier_word* empty = layout::empty(shared_, ring_) + released_.slot;
        if constexpr (Config.blocks > 1) {
            if (lane() < Config.blocks) barrier_arrive_at(empty, lane());
        } else if (lane() == 0) barrier_arrive(empty);
        __syncwarp();
        released_.advance();
    }
    __device__ void release_queries() {
        if (lane() == 0) barrier_arrive(layout::queries_empty(shared_, set_));
        __syncwarp();
    }

    __device__ void ask_scores() {
        const char* queries = layout::queries(shared_, set_);
        hold(scores_);
#pragma unroll
        for (int p = 0; p < layout::key_pieces; ++p) {
            const char* piece = take();
            wgmma_fence();
#pragma unroll
            for (int k = 0; k < 4 * Config.piece; ++k) {
                const int panel = k / 4 * layout::panel_bytes, inside = k % 4 * 32;
                wgmma_bf16(scores_,
                           k_major(queries + p * layout::piece_bytes) + ((panel + inside) >> 4),
                           k_major(piece) + ((panel + inside) >> 4), p + k > 0);
            }
            wgmma_commit();
            if (p > 0) {
                wgmma_wait<1>();
                release_one();
            }
        }
    }

    /// weights(k): those of 16 keys, as wgmma takes them.
    template <class Weights> __device__ void ask_sums(const Weights& weights, int page) {
        const int first = (work_.first_page + page) * 64;
        hold(sums_);
#pragma unroll
        for (int p = 0; p < layout::value_pieces; ++p) {
            char* piece = take();
            if (first < work_.begin || first + 64 > work_.length)
                clear(piece, first + p * layout::value_rows);
            wgmma_fence();
#pragma unroll
            for (int k = 0; k < Config.piece; ++k)
                wgmma_bf16<true>(sums_, weights(p * Config.piece + k),
                                 n_major(piece, layout::value_rows * 128) + k * (2048 >> 4), true);
            wgmma_commit();
        }
    }
    __device__ void ask_own_sums(int page) {
        ask_sums([&](int k) -> const unsigned(&)[4] { return weights_[k]; }, page);
    }
    __device__ void ask_other_sums(int page) {
        const matrix_descriptor shelf = k_major(weight_shelf(1 - self_));
        ask_sums([&](int k) { return shelf + k * (32 >> 4); }, page);
    }
    /// Values that no row of the step sees have weight 0, but may be NaN. Where both warpgroups
    /// read a piece both write the same zeros.
    __device__ void clear(char* piece, int first) {
#pragma unroll 1
        for (int i = thread_; i < 4 * layout::value_rows * 8; i += 128) {
            const int position = first + i / 8 % layout::value_rows;
            if (position < work_.begin || position >= work_.length)
                reinterpret_cast<uint4*>(piece)[i] = uint4{0, 0, 0, 0};
        }
        fence_shared_for_copies();
        meet(2 + self_, 128);
    }

    // Softmax. Scores count in powers of two: times log2(e).

    static constexpr float lowest = -1e30f, hidden = -3e38f;
    static constexpr float unit = Config.attention.scale * log2_of_e;
    static_assert(Config.attention.scale > 0);

    __device__ void mask(int page) {
        constexpr int window = Config.attention.window;
        const int first = (work_.first_page + page) * 64;
        const bool future = first + 63 > work_.position;
        const bool past = window > 0 && first <= work_.position + 63 - window;
        if (!future && !past) return;
        const int position = work_.position + first_row() - first - lane() % 4 * 2;
#pragma unroll
        for (int i = 0; i < 32; ++i) {
            const int key = i / 4 * 8 + i % 2, at = position + i % 4 / 2 * 8;
            if (key > at || (window > 0 && key <= at - window)) scores_[i] = hidden;
        }
    }
    /// The greatest score of each row on this page, in all four threads that share the row.
    __device__ void find_top(int page) {
        mask(page);
        for (int r = 0; r < 2; ++r) {
            float top = fmaxf(scores_[2 * r], scores_[2 * r + 1]);
#pragma unroll
            for (int i = 4; i < 32; i += 4)
                top = fmaxf(top, fmaxf(scores_[i + 2 * r], scores_[i + 2 * r + 1]));
            top = fmaxf(top, __shfl_xor_sync(~0u, top, 1));
            found_[r] = fmaxf(top, __shfl_xor_sync(~0u, top, 2));
        }
    }
    /// ... on both pages of the step.
    __device__ void share_top() {
        float* tops = reinterpret_cast<float*>(shared_ + layout::row_numbers_at);
        for (int r = 0; r < 2; ++r)
            if (lane() % 4 == 0) tops[self_ * 64 + first_row() + 8 * r] = found_[r];
        meet(1, 256);
        for (int r = 0; r < 2; ++r)
            found_[r] = fmaxf(found_[r], tops[(1 - self_) * 64 + first_row() + 8 * r]);
    }
    /// Turns scores into weights relative to `top_`, which follows the greatest score only when
    /// that is 2^8 times heavier: sums are seldom rescaled. `factor` is for what was summed before.
    __device__ void weigh(float (&factor)[2]) {
        for (int r = 0; r < 2; ++r) {
            const float top = found_[r] * unit;
            factor[r] = 1;
            if (top > top_[r] + 8) {
                factor[r] = exp2_of(top_[r] - top);
                top_[r] = top;
            }
            total_[r] *= factor[r];
        }
#pragma unroll
        for (int i = 0; i < 32; ++i) {
            scores_[i] = exp2_of(fmaf(scores_[i], unit, -top_[i % 4 / 2]));
            total_[i % 4 / 2] += scores_[i];
        }
    }
    __device__ void rescale(const float (&factor)[2]) {
        if (!__any_sync(~0u, factor[0] != 1 || factor[1] != 1)) return;
#pragma unroll
        for (int i = 0; i < 128; ++i) sums_[i] *= factor[i % 4 / 2];
    }
    /// Only now, as the sums of the step before are done: wgmma reads weights where they stand.
    __device__ void keep_weights() {
#pragma unroll
        for (int k = 0; k < 4; ++k)
            for (int i = 0; i < 4; ++i)
                weights_[k][i] = to_bf16x2(scores_[8 * k + 2 * i], scores_[8 * k + 2 * i + 1]);
    }
    /// To the other warpgroup, once it is done with the ones before. It reads them behind the next
    /// meeting.
    __device__ void lend_weights() {
        meet(5 - self_, 256);
        const int row = thread_ / 32 * 16 + lane() % 16;
        char* to = weight_shelf(self_) + row * 128;
#pragma unroll
        for (int k = 0; k < 4; ++k)
            store_matrix_x4(to + ((2 * k + lane() / 16) ^ row % 8) * 16, weights_[k]);
        fence_shared_for_copies();
    }
    __device__ char* weight_shelf(int of) const {
        return shared_ + layout::weights_at + of * layout::panel_bytes;
    }

    // Results.

    __device__ void store() {
        float* totals = reinterpret_cast<float*>(shared_ + layout::row_numbers_at) + 128;
        for (int r = 0; r < 2; ++r) {
            total_[r] += __shfl_xor_sync(~0u, total_[r], 1);
            total_[r] += __shfl_xor_sync(~0u, total_[r], 2);
            if (wide && lane() % 4 == 0) totals[self_ * 64 + first_row() + 8 * r] = total_[r];
        }
        if constexpr (wide) meet(1, 256);
        for (int r = 0; r < 2; ++r) {
            const int row = first_row() + 8 * r;
            const float total = wide ? totals[row] + totals[64 + row] : total_[r];
            const float inverse = 1 / total;
            bf16_bits* to = args_.out + (work_.row + row) * args_.out_stride +
                            work_.head * layout::head_dim + (wide ? 256 * self_ : 0) +
                            lane() % 4 * 8;
#pragma unroll
            for (int i = 0; i < 8; ++i) {
                unsigned packed[4];
                for (int k = 0; k < 4; ++k)
                    packed[k] = to_bf16x2(sums_[16 * i + 4 * k + 2 * r] * inverse,
                                          sums_[16 * i + 4 * k + 2 * r + 1] * inverse);
                turn(packed);
                if (row < work_.count)
                    *reinterpret_cast<uint4*>(to + 32 * i) =
                        uint4{packed[0], packed[1], packed[2], packed[3]};
            }
        }
    }
    /// Element k of thread t of four to element t of thread k: 16 bytes side by side for each.
    __device__ void turn(unsigned (&packed)[4]) const {
#pragma unroll
        for (int bit = 1; bit <= 2; bit *= 2) {
            const bool upper = (lane() & bit) != 0;
#pragma unroll
            for (int k = 0; k < 4; ++k) {
                if ((k & bit) != 0) continue;
                const unsigned got = __shfl_xor_sync(~0u, upper ? packed[k] : packed[k | bit], bit);
                (upper ? packed[k] : packed[k | bit]) = got;
            }
        }
    }

    const prefill_args& args_;
    char* shared_;
    int self_, ring_, set_, thread_;
    hopper_work work_;
    ring_place<layout::slots> taken_, released_;
    float sums_[128], scores_[32];
    float found_[2], top_[2], total_[2];
    unsigned weights_[4][4];
};

}  // namespace g4k
