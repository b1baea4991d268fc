// One row of logits as kernels read it: tile by tile, with what penalties make of it.
#pragma once
#include "codegen/sample/block.cuh"
#include "codegen/sample/key.cuh"

namespace g4k {

/// A lane's part of a tile: neighbours.
inline constexpr int lane_logits = sample_tile / 32;
struct alignas(16) four_floats {
    float at[lane_logits];
    __device__ float operator[](int i) const { return at[i]; }
};
struct alignas(8) four_counts {
    unsigned short at[4];
};

/// A logit in a penalised row. Rounded step by step, as on the host: equal logits stay equal.
struct penalties {
    float repetition, presence, frequency;

    __device__ float operator()(float value, unsigned count, bool in_prompt) const {
        if (repetition != 1 && (count > 0 || in_prompt))
            value = value > 0 ? __fdiv_rn(value, repetition) : __fmul_rn(value, repetition);
        if (count == 0) return value;
        const float frequent = __fmul_rn(frequency, static_cast<float>(count));
        return __fadd_rn(__fadd_rn(value, -frequent), -presence);
    }
};

/// A warp reads one tile, four neighbours a lane; -infinity past the end.
struct logits_of_row {
    float* logits;
    const unsigned short* counts;  // null: without penalties
    const unsigned* prompt;
    penalties how;
    int vocabulary;
    bool in_fours;

    __device__ logits_of_row(const sample_args& args, int row, bool penalised)
        : logits{args.logits + row * args.logits_stride},
          counts{},
          prompt{},
          how{},
          vocabulary{args.vocabulary},
          in_fours{args.logits_stride % 4 == 0} {
        if (penalised) penalise(args, args.how[row]);
    }
    __device__ void penalise(const sample_args& args, const sample_row& by) {
        how = {by.repetition, by.presence, by.frequency};
        counts = args.slots.counts + by.slot * args.slots.count_stride;
        prompt = args.slots.prompts + by.slot * args.slots.prompt_stride;
    }
    __device__ static bool has_penalties(const sample_row& by) {
        return by.slot >= 0 && (by.repetition != 1 || by.presence != 0 || by.frequency != 0);
    }
    __device__ int tiles() const { return (vocabulary + sample_tile - 1) / sample_tile; }
    __device__ static int place(int tile, int i) {
        return tile * sample_tile + static_cast<int>(threadIdx.x % 32) * lane_logits + i;
    }

    __device__ four_floats read(int tile) const {
        const int at = place(tile, 0);
        four_floats values;
        if (in_fours && at + lane_logits <= vocabulary) {
            values = *reinterpret_cast<const four_floats*>(logits + at);
        } else {
#pragma unroll
            for (int i = 0; i < lane_logits; ++i)
                values.at[i] =
                    at + i < vocabulary ? logits[at + i] : value_of(key_of_minus_infinity);
        }
        if (counts != nullptr && at < vocabulary) penalise(at, values);
        return values;
    }
    /// Where much else is in the kernel: its code is there once.
    __device__ __noinline__ four_floats read_by_call(int tile) const { return read(tile); }

  private:
    /// Counts and bits of the prompt are padded; logits past the end stay -infinity.
    __device__ void penalise(int at, four_floats& values) const {
        const four_counts said = *reinterpret_cast<const four_counts*>(counts + at);
        const unsigned asked = prompt[at / 32] >> at % 32;
#pragma unroll
        for (int i = 0; i < lane_logits; ++i) {
            const bool in_prompt = (asked >> i & 1u) != 0;
            if (at + i < vocabulary && (said.at[i] != 0 || in_prompt))
                values.at[i] = how(values.at[i], said.at[i], in_prompt);
        }
    }
};

/// What a tile's greatest logit and masses are: the same in every kernel that asks.
__device__ inline unsigned greatest_of(const four_floats& values) {
    unsigned greatest = 0;
#pragma unroll
    for (int i = 0; i < lane_logits; ++i) {
        const unsigned key = key_of(values[i]);
        greatest = key > greatest ? key : greatest;
    }
    return warp_greatest(greatest);
}
__device__ inline float sum_of(const four_floats& values, unsigned greatest, float temperature) {
    if (!sound(greatest)) return 0;
    const mass_rule mass{value_of(greatest), temperature};
    float sum = 0;
#pragma unroll
    for (int i = 0; i < lane_logits; ++i) sum += mass.number(values[i]);
    for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_xor_sync(~0u, sum, distance);
    return sum;
}

/// Whether a row's token is drawn with sums over the whole vocabulary.
__device__ inline bool draws_from_all(const sample_row& how, int vocabulary) {
    return how.given < 0 && how.temperature > 0 && !(how.min_p > 0) &&
           !(how.top_k > 0 && how.top_k < vocabulary);
}

}  // namespace g4k
