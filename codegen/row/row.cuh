// Row operators in one kernel: chains of pointwise steps, norms and rope, side by side in one grid.
// A team holds a part in registers from its sources to its targets.
#pragma once
#include "codegen/core/depend.cuh"
#include "codegen/core/steps.cuh"
#include "codegen/row/sources.cuh"

namespace g4k {

/// What of the weights a thread needs for every part.
template <class Layout> struct row_weights {
    row_value<Layout> norms[4];
    float scales[4];
};

/// Cosines and sines of this thread's pairs: [slot][2 · vector].
template <class Layout> struct row_angles {
    float at[Layout::slots][2 * Layout::vector];
};

template <class Layout>
__device__ inline void load_weights(row_weights<Layout>& to, const row_chain_args& args, int lane) {
    each<4>([&](auto index) {
        constexpr int v = decltype(index)::value;
        if constexpr (Layout::is_norm_weight(v) && Layout::keeps_weights)
            load_float_row<Layout>(to.norms[v], args.vectors[v], lane, true);
        if constexpr (Layout::is_scale(v)) to.scales[v] = *args.vectors[v];
    });
}

template <class Layout>
__device__ inline void load_angles(row_angles<Layout>& to, const row_chain_args& args,
                                   const row_place& place) {
    const float* from = args.rope + static_cast<long long>(place.step_row) * (2 * Layout::extent);
#pragma unroll
    for (int s = 0; s < Layout::slots; ++s)
        if (Layout::holds(s, place.lane))
            load_floats(to.at[s], from + 2 * Layout::column(s, place.lane), true);
}

/// x / sqrt(mean of squares + epsilon), times the weight if there is one.
template <class Layout, int Vector, class Sum>
__device__ inline void normalise(row_value<Layout>& to, const row_value<Layout>& x, float epsilon,
                                 const row_weights<Layout>& weights, const row_chain_args& args,
                                 int lane, Sum& sum) {
    float squares = 0;
#pragma unroll
    for (int p = 0; p < Layout::pieces; ++p)
#pragma unroll
        for (int i = 0; i < Layout::vector; ++i) squares += x.at[p][i] * x.at[p][i];
    const float factor = rsqrtf(sum(squares) / Layout::chain.width + epsilon);
#pragma unroll
    for (int p = 0; p < Layout::pieces; ++p) {
        float read[Layout::vector];
        if constexpr (Vector >= 0 && !Layout::keeps_weights) {
#pragma unroll
            for (int i = 0; i < Layout::vector; ++i) read[i] = 0;
            if (Layout::holds(p, lane))
                load_floats(read, args.vectors[Vector] + Layout::column(p, lane), true);
        }
#pragma unroll
        for (int i = 0; i < Layout::vector; ++i) {
            to.at[p][i] = x.at[p][i] * factor;
            if constexpr (Vector >= 0)
                to.at[p][i] *= Layout::keeps_weights ? weights.norms[Vector].at[p][i] : read[i];
        }
    }
}

template <class Layout>
__device__ inline void turn(row_value<Layout>& to, const row_value<Layout>& x,
                            const row_angles<Layout>& angles) {
#pragma unroll
    for (int s = 0; s < Layout::slots; ++s)
#pragma unroll
        for (int i = 0; i < Layout::vector; ++i) {
            const float cosine = angles.at[s][2 * i], sine = angles.at[s][2 * i + 1];
            const float first = x.at[s][i], second = x.at[s + Layout::slots][i];
            to.at[s][i] = first * cosine - second * sine;
            to.at[s + Layout::slots][i] = second * cosine + first * sine;
        }
}

/// Where this row's keys and values of kv head `part` go, or null: a padded row.
template <class Layout>
__device__ inline char* cache_row(const cache_args& cache, const step_tables& tables,
                                  const row_place& place) {
    const int position = tables.positions[place.step_row];
    const sequence_entry& sequence = tables.sequences[tables.sequence_of[place.step_row]];
    const int listed = sequence.first_page[cache.kind] + position / Layout::page_tokens -
                       sequence.skipped[cache.kind];
    if (position < 0) return nullptr;
    const long long row = place.part * Layout::page_tokens + position % Layout::page_tokens;
    return cache.base + tables.pages[listed] * cache.page_bytes + cache.layer_offset +
           row * Layout::chain.width * static_cast<long long>(sizeof(bf16_bits));
}

template <class Layout>
__device__ inline void store_bf16_row(const row_value<Layout>& value, bf16_bits* to, int lane,
                                      bool aligned) {
#pragma unroll
    for (int p = 0; p < Layout::pieces; ++p)
        if (Layout::holds(p, lane)) store_bf16(to + Layout::column(p, lane), value.at[p], aligned);
}
template <class Layout>
__device__ inline void store_float_row(const row_value<Layout>& value, float* to, int lane,
                                       bool aligned) {
#pragma unroll
    for (int p = 0; p < Layout::pieces; ++p)
        if (Layout::holds(p, lane))
            store_floats(to + Layout::column(p, lane), value.at[p], aligned);
}

template <class Layout, target_kind Kind>
__device__ inline void store_target(const row_value<Layout>& value, const row_target_args& target,
                                    const row_place& place, char* cache_at) {
    const long long first = place.row * target.stride + place.part * Layout::chain.width;
    if constexpr (Kind == target_kind::bf16) {
        auto* data = static_cast<bf16_bits*>(target.data);
        if (aligned_rows<bf16_bits, Layout::vector>(data, target.stride))
            store_bf16_row<Layout>(value, data + first, place.lane, true);
        else store_bf16_row<Layout>(value, data + first, place.lane, false);
    } else if constexpr (Kind == target_kind::f32) {
        auto* data = static_cast<float*>(target.data);
        if (aligned_rows<float, Layout::vector>(data, target.stride))
            store_float_row<Layout>(value, data + first, place.lane, true);
        else store_float_row<Layout>(value, data + first, place.lane, false);
    } else if (cache_at != nullptr) {
        constexpr long long keys = static_cast<long long>(sizeof(bf16_bits)) * Layout::chain.parts *
                                   Layout::page_tokens * Layout::chain.width;
        cache_at += Kind == target_kind::value ? keys : 0;
        // Pages are aligned to 16 bytes and rows of heads to their vectors.
        store_bf16_row<Layout>(value, reinterpret_cast<bf16_bits*>(cache_at), place.lane, true);
    }
}

/// Step I of the chain: from earlier values to value source_count + I.
template <class Layout, int I, class Sum>
__device__ inline void run_step(row_value<Layout>* values, const row_weights<Layout>& weights,
                                const row_angles<Layout>& angles, const row_chain_args& args,
                                int lane, Sum& sum) {
    constexpr step s = Layout::chain.steps[I];
    row_value<Layout>& to = values[Layout::chain.source_count + I];
    const row_value<Layout>&left = values[s.left], &right = values[s.right];
    if constexpr (s.op == step_op::rms_norm) {
        normalise<Layout, s.vector>(to, left, s.number, weights, args, lane, sum);
    } else if constexpr (s.op == step_op::rope) {
        turn<Layout>(to, left, angles);
    } else {
        float scale = 1;
        if constexpr (s.op == step_op::scale) scale = weights.scales[s.vector];
#pragma unroll
        for (int p = 0; p < Layout::pieces; ++p)
#pragma unroll
            for (int i = 0; i < Layout::vector; ++i)
                to.at[p][i] = apply(s, left.at[p][i], right.at[p][i], scale);
    }
}

template <class Layout, class Sum>
__device__ inline void run_part(const row_chain_args& args, const step_tables& tables,
                                const row_place& place, const row_weights<Layout>& weights,
                                Sum& sum) {
    row_angles<Layout> angles;
    row_sources<Layout> sources;
    sources.ask(args, place);
    if constexpr (Layout::halves == 2) load_angles<Layout>(angles, args, place);
    if constexpr (Layout::reads(source_kind::table))
        sources.ask_tables(args, place, tables.token_ids[place.step_row]);
    char* cache_at[3]{};  // three reads, each of which waits for the one before
    each<Layout::chain.target_count>([&](auto index) {
        constexpr int i = decltype(index)::value;
        constexpr target_kind kind = Layout::chain.targets[i].kind;
        if constexpr (kind == target_kind::key || kind == target_kind::value)
            cache_at[i] = cache_row<Layout>(args.targets[i].cache, tables, place);
    });
    row_value<Layout> values[Layout::values];
    sources.take(values, place);
    each<Layout::steps>([&](auto index) {
        run_step<Layout, decltype(index)::value>(values, weights, angles, args, place.lane, sum);
    });
    each<Layout::chain.target_count>([&](auto index) {
        constexpr int i = decltype(index)::value;
        constexpr row_target target = Layout::chain.targets[i];
        store_target<Layout, target.kind>(values[target.value], args.targets[i], place,
                                          cache_at[i]);
    });
}

/// What the part is found by, while the kernel before still runs.
template <class Layout>
__device__ inline void read_arguments(const row_args& args, const row_chain_args& own) {
    read_early(args.step_rows);
    each<Layout::chain.source_count>([&](auto index) {
        const row_source_args& source = own.sources[decltype(index)::value];
        read_early(source.data);
        read_early(source.stride);
        read_early(source.rows);
    });
    each<Layout::chain.target_count>([&](auto index) {
        const row_target_args& target = own.targets[decltype(index)::value];
        read_early(target.data);
        read_early(target.cache.base);
    });
    if constexpr (Layout::halves == 2) read_early(own.rope);
    if constexpr (Layout::appends() || Layout::reads(source_kind::table))
        read_early(args.tables.token_ids);
}

/// The share of one block, the `block`-th of those that have this chain.
template <const row_config& Config, int Chain>
__device__ inline void run_chain(const row_args& args, int block) {
    using layout = row_layout<Config, Chain>;
    const int lane = static_cast<int>(threadIdx.x) % layout::team;
    const int teams = static_cast<int>(blockDim.x) / layout::team;
    const int team = block * teams + static_cast<int>(threadIdx.x) / layout::team;
    const int items = args.rows * layout::chain.parts;
    const int each_team = row_items_each(Config, items);
    const row_chain_args& own = args.chains[Chain];
    row_weights<layout> weights;
    load_weights<layout>(weights, own, lane);
    read_arguments<layout>(args, own);
    wait_for_inputs();
    row_team_sum<layout::team> sum;
    for (int i = 0; i < each_team; ++i) {
        const int item = team * each_team + i;
        if (item >= items) return;
        row_place place{item / layout::chain.parts, 0, item % layout::chain.parts, lane};
        place.step_row = args.step_rows != nullptr ? args.step_rows[place.row] : place.row;
        run_part<layout>(own, args.tables, place, weights, sum);
    }
}

template <const row_config& Config, int Chain = 0>
__device__ inline void run_chain_of(const row_args& args, int block) {
    if constexpr (Chain + 1 == Config.chain_count) {
        run_chain<Config, Chain>(args, block);
    } else {
        constexpr row_chain chain = Config.chains[Chain];
        constexpr int team = row_team(Config);
        const int teams = static_cast<int>(blockDim.x) / team;
        const int blocks = row_blocks(Config, chain, args.rows, teams);
        if (block < blocks) run_chain<Config, Chain>(args, block);
        else run_chain_of<Config, Chain + 1>(args, block - blocks);
    }
}

template <const row_config& Config> __device__ inline void row(const row_args& args) {
    let_next_start();
    run_chain_of<Config>(args, static_cast<int>(blockIdx.x));
}

}  // namespace g4k
