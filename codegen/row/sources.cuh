// What a row kernel reads for one part: everything is asked for before anything is used.
#pragma once
#include "codegen/core/vector.cuh"
#include "codegen/row/layout.cuh"

namespace g4k {

/// The part that a team is at.
struct row_place {
    int row, step_row, part, lane;
};

template <class Layout> struct row_packed {
    packed<Layout::vector> at[Layout::pieces];
};

template <class Layout, class T>
__device__ inline const T* row_of(const row_source_args& source, long long row,
                                  const row_place& place) {
    return static_cast<const T*>(source.data) + row * source.stride +
           place.part * Layout::chain.width;
}

template <class Layout>
__device__ inline void load_bf16_row(row_packed<Layout>& to, const row_source_args& source,
                                     long long row, const row_place& place) {
    const auto* from = row_of<Layout, unsigned short>(source, row, place);
    const bool aligned = aligned_rows<unsigned short, Layout::vector>(
        static_cast<const unsigned short*>(source.data), source.stride);
#pragma unroll
    for (int p = 0; p < Layout::pieces; ++p) {
        to.at[p] = {};
        if (Layout::holds(p, place.lane))
            to.at[p] = load_packed<Layout::vector>(from + Layout::column(p, place.lane), aligned);
    }
}

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

/// Splits are asked for four at a time and added in their order.
template <class Layout>
__device__ inline void add_splits(row_value<Layout>& to, const row_source_args& source,
                                  long long row, const row_place& place) {
    constexpr int at_once = Layout::pieces * Layout::vector <= 8 ? 4 : 1;
    const float* from = row_of<Layout, float>(source, row, place);
    const bool aligned = aligned_rows<float, Layout::vector>(static_cast<const float*>(source.data),
                                                             source.stride | source.split_stride);
    load_float_row<Layout>(to, from, place.lane, aligned);
    for (int first = 1; first < source.splits; first += at_once) {
        row_value<Layout> more[at_once];
#pragma unroll
        for (int k = 0; k < at_once; ++k)
            if (k == 0 || first + k < source.splits)
                load_float_row<Layout>(more[k], from + (first + k) * source.split_stride,
                                       place.lane, aligned);
#pragma unroll
        for (int k = 0; k < at_once; ++k)
            if (k == 0 || first + k < source.splits)
#pragma unroll
                for (int p = 0; p < Layout::pieces; ++p)
#pragma unroll
                    for (int i = 0; i < Layout::vector; ++i) to.at[p][i] += more[k].at[p][i];
    }
}

/// All sources of the chain, in f32. `token` is the row of tables.
template <class Layout>
__device__ inline void load_sources(row_value<Layout>* values, const row_chain_args& args,
                                    const row_place& place, int token) {
    constexpr int count = Layout::chain.source_count;
    row_packed<Layout> raw[count];
    const auto row_at = [&](int i) -> long long {
        return args.sources[i].rows != nullptr ? args.sources[i].rows[place.row] : place.row;
    };
    each<count>([&](auto index) {
        constexpr int i = decltype(index)::value;
        if constexpr (Layout::chain.sources[i] == source_kind::bf16)
            load_bf16_row<Layout>(raw[i], args.sources[i], row_at(i), place);
        if constexpr (Layout::chain.sources[i] == source_kind::table)
            load_bf16_row<Layout>(raw[i], args.sources[i], token, place);
    });
    each<count>([&](auto index) {
        constexpr int i = decltype(index)::value;
        const row_source_args& source = args.sources[i];
        if constexpr (Layout::chain.sources[i] == source_kind::sums) {
            add_splits<Layout>(values[i], source, row_at(i), place);
        } else if constexpr (Layout::chain.sources[i] == source_kind::f32) {
            const bool aligned = aligned_rows<float, Layout::vector>(
                static_cast<const float*>(source.data), source.stride);
            load_float_row<Layout>(values[i], row_of<Layout, float>(source, row_at(i), place),
                                   place.lane, aligned);
        }
    });
    each<count>([&](auto index) {
        constexpr int i = decltype(index)::value;
        if constexpr (Layout::chain.sources[i] == source_kind::bf16 ||
                      Layout::chain.sources[i] == source_kind::table)
#pragma unroll
            for (int p = 0; p < Layout::pieces; ++p) unpack(values[i].at[p], raw[i].at[p]);
    });
}

}  // namespace g4k
