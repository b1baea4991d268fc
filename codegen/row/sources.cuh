// What a row kernel reads for one part: everything is asked for before anything is waited for. A
// thread stops at the first use of what has not come, so the order of this code is what counts.
#pragma once
#include "codegen/core/vector.cuh"
#include "codegen/row/layout.cuh"

namespace g4k {

/// The part that a team is at.
struct row_place {
    int row, step_row, part, lane;
};

template <class Layout>
__device__ inline void load_float_row(row_value<Layout>& to, const float* from, int lane,
                                      bool aligned) {
#pragma unroll
    for (int p = 0; p < Layout::pieces; ++p) {
#pragma unroll
        for (int i = 0; i < Layout::vector; ++i) to.at[p][i] = 0;
        if (Layout::holds(p, lane)) load_floats(to.at[p], from + Layout::column(p, lane), aligned);
    }
}

/// One source of f32: `splits` rows that are added in their order.
template <class Layout, bool Sums> class row_floats {
  public:
    __device__ void ask(const row_source_args& source, long long row, const row_place& place) {
        data_ = static_cast<const float*>(source.data);
        aligned_ = aligned_rows<float, Layout::vector>(data_, source.stride | source.split_stride);
        data_ += row * source.stride + place.part * Layout::chain.width;
        split_stride_ = source.split_stride;
        splits_ = Sums ? source.splits : 1;
        if constexpr (Layout::asks_at_once) ask(0, place.lane);
    }
    __device__ void take(row_value<Layout>& to, const row_place& place) {
        if constexpr (!Layout::asks_at_once) ask(0, place.lane);
        to = split_[0];
        if constexpr (at_once > 1)
            if (splits_ > 1) add<1>(to, 0);
        for (int first = at_once; Sums && first < splits_; first += at_once) {
            ask(first, place.lane);
            add<0>(to, first);
        }
    }

  private:
    static constexpr int at_once = Sums ? Layout::splits_at_once() : 1;

    __device__ void ask(int first, int lane) {
        if (aligned_) ask<0>(first, lane, true);
        else ask<0>(first, lane, false);
    }
    // Nested, so that few splits pass by the code of many in one jump.
    template <int K> __device__ void ask(int first, int lane, bool aligned) {
        load_float_row<Layout>(split_[K], data_ + (first + K) * split_stride_, lane, aligned);
        if constexpr (K + 1 < at_once)
            if (first + K + 1 < splits_) ask<K + 1>(first, lane, aligned);
    }
    template <int K> __device__ void add(row_value<Layout>& to, int first) const {
#pragma unroll
        for (int p = 0; p < Layout::pieces; ++p)
#pragma unroll
            for (int i = 0; i < Layout::vector; ++i) to.at[p][i] += split_[K].at[p][i];
        if constexpr (K + 1 < at_once)
            if (first + K + 1 < splits_) add<K + 1>(to, first);
    }

    row_value<Layout> split_[at_once];
    const float* data_;
    long long split_stride_;
    int splits_;
    bool aligned_;
};

/// One source of bf16, or the row of a table.
template <class Layout> class row_halves {
  public:
    __device__ void ask(const row_source_args& source, long long row, const row_place& place) {
        data_ = static_cast<const bf16_bits*>(source.data);
        aligned_ = aligned_rows<bf16_bits, Layout::vector>(data_, source.stride);
        data_ += row * source.stride + place.part * Layout::chain.width;
        if constexpr (Layout::asks_at_once) ask(place.lane);
    }
    __device__ void take(row_value<Layout>& to, const row_place& place) {
        if constexpr (!Layout::asks_at_once) ask(place.lane);
#pragma unroll
        for (int p = 0; p < Layout::pieces; ++p) unpack(to.at[p], piece_[p]);
    }

  private:
    __device__ void ask(int lane) {
        if (aligned_) ask(lane, true);
        else ask(lane, false);
    }
    __device__ void ask(int lane, bool aligned) {
#pragma unroll
        for (int p = 0; p < Layout::pieces; ++p) {
            piece_[p] = {};
            if (Layout::holds(p, lane))
                piece_[p] = load_packed<Layout::vector>(data_ + Layout::column(p, lane), aligned);
        }
    }

    packed<Layout::vector> piece_[Layout::pieces];
    const bf16_bits* data_;
    bool aligned_;
};

template <class Layout, source_kind Kind> struct row_source_of {
    using type = row_floats<Layout, Kind == source_kind::sums>;
};
template <class Layout> struct row_source_of<Layout, source_kind::bf16> {
    using type = row_halves<Layout>;
};
template <class Layout> struct row_source_of<Layout, source_kind::table> {
    using type = row_halves<Layout>;
};

/// Sources I and behind, one inside the other, as a tuple would be.
template <class Layout, int I = 0, bool End = I == Layout::chain.source_count> class row_sources {
  public:
    /// What does not wait for the token first, then tables.
    __device__ void ask(const row_chain_args& args, const row_place& place) {
        if constexpr (kind != source_kind::table) {
            const row_source_args& source = args.sources[I];
            own_.ask(source, source.rows != nullptr ? source.rows[place.row] : place.row, place);
        }
        rest_.ask(args, place);
    }
    __device__ void ask_tables(const row_chain_args& args, const row_place& place, int token) {
        if constexpr (kind == source_kind::table) own_.ask(args.sources[I], token, place);
        rest_.ask_tables(args, place, token);
    }
    __device__ void take(row_value<Layout>* values, const row_place& place) {
        own_.take(values[I], place);
        rest_.take(values, place);
    }

  private:
    static constexpr source_kind kind = Layout::chain.sources[I];
    typename row_source_of<Layout, kind>::type own_;
    row_sources<Layout, I + 1> rest_;
};
template <class Layout, int I> class row_sources<Layout, I, true> {
  public:
    __device__ void ask(const row_chain_args&, const row_place&) {}
    __device__ void ask_tables(const row_chain_args&, const row_place&, int) {}
    __device__ void take(row_value<Layout>*, const row_place&) {}
};

}  // namespace g4k
