// The choice of each row's token from what the pass over its logits found: one block for a row.
#pragma once
#include "codegen/core/depend.cuh"
#include "codegen/core/shared.cuh"
#include "codegen/sample/bias.cuh"

namespace g4k {

/// Sampling of one row; every method is called by the whole block.
template <sample_config config> struct row_choice {
    const sample_args& args;
    const sample_row& by;
    sample_shared<config>& shared;
    logits_of_row& row;  // in shared memory: registers are few
    long long first_tile;
    unsigned greatest = 0;

    __device__ row_choice(const sample_args& args, int index, sample_shared<config>& shared,
                          logits_of_row& row)
        : args{args},
          by{args.how[index]},
          shared{shared},
          row{row},
          first_tile{static_cast<long long>(index) * config.tiles} {
        if (threadIdx.x == 0) row = {args, index, false};
        __syncthreads();
    }

    __device__ sample_choice run() {
        load_tiles(args.scratch.raw_greatest + first_tile);
        if (!sound(greatest)) return nothing();
        double log_total = 0;
        if (by.top_logprobs >= 0) {
            const float* sums = args.scratch.raw_sum + first_tile;
            log_total = log_of_total(shared, sums, row.tiles(), value_of(greatest));
        }
        if (by.top_logprobs > 0) {
            report_top(row, shared, greatest, by.top_logprobs, log_total, args.top + by.first_top);
        }
        if (by.given >= 0) return report(by.given, row.logits[by.given], log_total);

        change();
        if (!sound(greatest)) return {-1, 0};
        const int token = by.temperature > 0 ? draw() : first_of_greatest();
        if (threadIdx.x == 0 && by.slot >= 0) count(token);
        const float raw = raw_logit(row, args.biases + by.first_bias, by.bias_count,
                                    args.scratch.bias_raw + by.first_bias, token);
        return report(token, raw, log_total);
    }

  private:
    __device__ sample_choice report(int token, float raw, double log_total) const {
        if (by.top_logprobs < 0) return {token, 0};
        return {token, static_cast<float>(static_cast<double>(raw) - log_total)};
    }
    __device__ sample_choice nothing() const {
        for (int i = static_cast<int>(threadIdx.x); i < by.top_logprobs;
             i += static_cast<int>(blockDim.x))
            args.top[by.first_top + i] = {-1, 0};
        return {-1, 0};
    }
    __device__ void count(int token) const {
        unsigned short& seen = args.slots.counts[by.slot * args.slots.count_stride + token];
        if (seen != 0xffffu) ++seen;
    }

    __device__ void load_tiles(const unsigned* from) {
        for (int tile = static_cast<int>(threadIdx.x); tile < row.tiles();
             tile += static_cast<int>(blockDim.x))
            shared.greatest[tile] = from[tile];
        find_greatest();
    }
    __device__ void find_greatest() {
        __syncthreads();
        unsigned own = 0;
        for (int tile = static_cast<int>(threadIdx.x); tile < row.tiles();
             tile += static_cast<int>(blockDim.x))
            own = shared.greatest[tile] > own ? shared.greatest[tile] : own;
        greatest = block_greatest(own, shared.warp_key);
    }
    /// From the model's logits to those that the token is chosen by.
    __device__ void change() {
        const bool penalised = row.has_penalties(by);
        if (penalised) {
            __syncthreads();
            if (threadIdx.x == 0) row.penalise(args, by);
            __syncthreads();
            load_tiles(args.scratch.greatest + first_tile);
        }
        if (by.bias_count == 0) return;
        float* sums = draws_from_all(by, row.vocabulary) ? args.scratch.sum + first_tile : nullptr;
        add_biases(row, shared, args.biases + by.first_bias, by.bias_count,
                   args.scratch.bias_raw + by.first_bias);
        scan_touched(row, shared, sums, by.temperature);
        find_greatest();
    }

    __device__ int first_of_greatest() {
        if (threadIdx.x == 0) shared.found = ~0u;
        __syncthreads();
        for (int tile = static_cast<int>(threadIdx.x); tile < row.tiles();
             tile += static_cast<int>(blockDim.x))
            if (shared.greatest[tile] == greatest)
                atomicMin(&shared.found, static_cast<unsigned>(tile));
        __syncthreads();
        if (threadIdx.x < 32) {
            const int tile = static_cast<int>(shared.found);
            const four_floats values = row.read_by_call(tile);
            int own = lane_logits;
            for (int i = lane_logits; i-- > 0;)
                if (key_of(values[i]) == greatest) own = i;
            const unsigned with = __ballot_sync(~0u, own < lane_logits);
            const int lane = __ffs(static_cast<int>(with)) - 1;
            own = __shfl_sync(~0u, own, lane);
            if (threadIdx.x == 0)
                shared.found = static_cast<unsigned>(tile * sample_tile + lane * 4 + own);
        }
        __syncthreads();
        const int token = static_cast<int>(shared.found);
        __syncthreads();
        return token;
    }

    __device__ int draw() {
        const mass_rule mass{value_of(greatest), by.temperature};
        const double unit = random_unit(by.seed, by.position);
        cut_rule cut{key_of_minus_infinity, 0, by.top_p};
        if (by.min_p > 0) cut.least = key_of(value_of(greatest) + by.temperature * logf(by.min_p));
        if (by.top_k > 0 && by.top_k < row.vocabulary) cut.top_k = by.top_k;
        const bool of_all = draws_from_all(by, row.vocabulary);
        const unsigned long long whole = of_all ? masses_of_tiles(mass) : 0;
        if (of_all && !(cut.top_p < 1)) return draw_from_tiles(mass, unit);
        constexpr int few = 64, many = config.candidates / 2;
        for (int rank = of_all ? few : cut.top_k;; rank = many) {
            const int token = draw_listed(cut, rank, mass, whole, unit);
            if (token >= 0) return token;
            if (!of_all || rank == many) break;
        }
        return draw_selected(row, shared, greatest, cut, mass, unit);
    }

    /// From a list of those that reach the bound of `rank`; -1 when the list is too short or long.
    __device__ int draw_listed(cut_rule cut, int rank, const mass_rule& mass,
                               unsigned long long whole, double unit) {
        if (rank > config.candidates) return -1;
        if (rank > 0) {
            const unsigned bound = bound_of_rank(shared, row.tiles(), greatest, rank);
            cut.least = bound > cut.least ? bound : cut.least;
        }
        const int listed = gather(row, shared, cut.least);
        if (listed > config.candidates) return -1;
        return list_draw<config>{shared, listed}.run(cut, mass, whole, unit);
    }

    /// In shared.in_tile.mass, from the sums that the pass over all logits left.
    __device__ unsigned long long masses_of_tiles(const mass_rule& mass) {
        const float* sums = args.scratch.sum + first_tile;
        unsigned long long own = 0;
        for (int tile = static_cast<int>(threadIdx.x); tile < row.tiles();
             tile += static_cast<int>(blockDim.x)) {
            const float number = mass.number(value_of(shared.greatest[tile])) * sums[tile];
            shared.in_tile.mass[tile] = mass_rule::integer(number);
            own += shared.in_tile.mass[tile];
        }
        return block_scan(own, shared.warp_sum).total;
    }

    __device__ int draw_from_tiles(const mass_rule& mass, double unit) {
        const unsigned long long target = find_tile(shared, row.tiles(), unit);
        if (threadIdx.x < 32) draw_in_tile(mass, target);
        __syncthreads();
        const int token = static_cast<int>(shared.found);
        __syncthreads();
        return token;
    }

    /// The tile's sum is rounded, so that the target may lie behind its last mass: then that one.
    __device__ void draw_in_tile(const mass_rule& mass, unsigned long long target) {
        const int tile = static_cast<int>(shared.found_count);
        const four_floats values = row.read_by_call(tile);
        unsigned long long own = 0;
        for (const float value : values.at) own += mass(value);
        const unsigned long long until = warp_running_sum(own);
        const unsigned long long total = __shfl_sync(~0u, until, 31);
        if (total > 0 && target >= total) target = total - 1;
        unsigned long long before = until - own;
        if (total == 0 && threadIdx.x == 0)  // all of them below the unit of masses
            shared.found = static_cast<unsigned>(tile * sample_tile);
        for (int i = 0; i < lane_logits; ++i) {
            const unsigned long long after = before + mass(values[i]);
            if (before <= target && target < after)
                shared.found = static_cast<unsigned>(row.place(tile, i));
            before = after;
        }
    }
};

/// blockIdx.x is the row.
template <sample_config config> __device__ void choose_tokens(const sample_args& args) {
    auto& shared = *reinterpret_cast<sample_shared<config>*>(shared_memory());
    auto& row = *reinterpret_cast<logits_of_row*>(&shared + 1);
    static_assert(sizeof shared + sizeof row <= config.shared_bytes);
    let_next_start();
    wait_for_inputs();
    const int index = static_cast<int>(blockIdx.x);
    if (args.how[index].active == 0) return;
    const sample_choice chosen = row_choice<config>{args, index, shared, row}.run();
    if (threadIdx.x != 0) return;
    args.tokens[index] = chosen.token;
    args.sampled[index] = chosen;
}

}  // namespace g4k
