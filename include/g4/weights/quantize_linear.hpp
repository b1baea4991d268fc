// A plain linear becomes an int4 one, in the layout that AutoRound and GPTQ share (g4::weight).
#pragma once
#include "g4/core/dtype.hpp"
#include "g4/core/error.hpp"
#include "g4/gate/weights.hpp"
#include "g4/weights/round_int4.hpp"
#include "g4/weights/search_int4.hpp"
#include "g4/weights/slices.hpp"
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace g4 {

/// How the scale of a group is chosen: as auto-round does without tuning, or sought.
enum class int4_rounding : std::uint8_t { plain, search };

/// The parts of a linear as they are stored; zero points need no numbers.
struct int4_linear {
    std::vector<std::uint32_t> words;   // qweight [columns / 8, rows]
    std::vector<std::uint16_t> scales;  // fp16 [columns / group, rows]
    double error = 0, energy = 0;       // sums of squares: of what changed, of the weights

    /// sqrt(error / energy), or 0 for a tensor of zeros.
    double relative_error() const { return energy > 0 ? std::sqrt(error / energy) : 0; }
};

/// Whether quantisers pack a linear of this size; the others stay plain.
/// Source: auto-round 0.16.1 keeps plain what is no multiple of 32 either way. It pads the last
/// group of a row, which vLLM's kernels refuse: here such a linear stays plain too.
constexpr bool packs_as_int4(std::int64_t rows, std::int64_t columns, std::int32_t group) {
    return rows % 32 == 0 && columns % 32 == 0 && columns % group == 0;
}

/// Rounds and packs a plain weight. The same bytes for any number of threads.
///   from   plain, and packs_as_int4
///   where  its name, for messages
/// Errors: input_error naming the element for a weight that is infinite, not a number, or too large
///         for a scale in fp16.
/// Cost:   reads the weight once; with search about 56 roundings instead of one.
int4_linear quantize_linear(const weight& from, std::string_view where, std::int32_t group,
                            int4_rounding rounding, unsigned threads = 0);

namespace detail {

struct int4_row {
    const float* weights = nullptr;
    std::size_t columns = 0, group = 0;
    int4_rounding rounding = int4_rounding::plain;
    std::uint32_t* words = nullptr;
    std::uint16_t* scales = nullptr;
    double error = 0, energy = 0;
};

G4_WEIGHTS_INLINE void round_row_as_compiled(int4_row& row) {
    for (std::size_t at = 0; at < row.columns; at += row.group) {
        const weight_group group{row.weights + at, row.group};
        const std::uint16_t scale = row.rounding == int4_rounding::search
                                        ? searched_int4_scale(group)
                                        : plain_int4_scale(group);
        row.scales[at / row.group] = scale;
        round_int4(group, scale, row.words + at / 8);
        row.error += int4_error(group, scale);
        eight_doubles squares{};
        for (std::size_t i = 0; i < group.size; i += 8) {
            eight_floats w;
            std::memcpy(&w, group.data + i, sizeof w);
            const auto wide = __builtin_convertvector(w, eight_doubles);
            squares += wide * wide;
        }
        for (int k = 0; k < 8; ++k) row.energy += squares[k];
    }
}
#ifdef __x86_64__
// Without FMA, which would round less often: every processor writes the same bytes.
__attribute__((target("avx2"))) inline void round_row_avx2(int4_row& row) {
    round_row_as_compiled(row);
}
#endif
inline void round_row(int4_row& row) {
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2")) return round_row_avx2(row);
#endif
    round_row_as_compiled(row);
}

/// One row as floats. Errors: as quantize_linear.
inline void widen_row(const weight& from, std::size_t row, std::string_view where, float* out) {
    const auto columns = static_cast<std::size_t>(from.columns);
    for (std::size_t i = 0; i < columns; ++i)
        out[i] = element_to_float(from.data, from.type, row * columns + i);
    bool fits = true;
    for (std::size_t i = 0; i < columns; ++i) fits &= std::abs(out[i]) < int4_weight_limit;
    for (std::size_t i = 0; !fits && i < columns; ++i)
        if (!(std::abs(out[i]) < int4_weight_limit))
            throw input_error{where,
                              ": expected finite weights below ",
                              int4_weight_limit,
                              ", an eighth of which fits an fp16 scale, got ",
                              out[i],
                              " at row ",
                              row,
                              ", column ",
                              i,
                              "; keep this linear plain with --skip"};
}

}  // namespace detail

inline int4_linear quantize_linear(const weight& from, std::string_view where, std::int32_t group,
                                   int4_rounding rounding, unsigned threads) {
    G4_ASSERT(from.stored == weight::form::plain && packs_as_int4(from.rows, from.columns, group),
              where, " [", from.rows, ", ", from.columns, "]");
    constexpr std::size_t block = 16;  // rows: their words fill a cache line of the result
    const auto rows = static_cast<std::size_t>(from.rows);
    const auto columns = static_cast<std::size_t>(from.columns);
    const auto size = static_cast<std::size_t>(group);
    const std::size_t words = columns / 8, groups = columns / size;
    int4_linear out;
    out.words.resize(words * rows);
    out.scales.resize(groups * rows);
    std::vector<double> errors(rows), energies(rows);
    for_slices(rows, block, threads, [&](std::size_t begin, std::size_t end) {
        std::vector<float> row(columns);
        std::vector<std::uint32_t> packed(block * words);
        std::vector<std::uint16_t> scales(groups);
        for (std::size_t first = begin; first < end; first += block) {
            for (std::size_t k = 0; k < block; ++k) {
                detail::widen_row(from, first + k, where, row.data());
                detail::int4_row work{row.data(),         columns,      size, rounding,
                                      &packed[k * words], scales.data()};
                detail::round_row(work);
                errors[first + k] = work.error;
                energies[first + k] = work.energy;
                for (std::size_t g = 0; g < groups; ++g)
                    out.scales[g * rows + first + k] = scales[g];
            }
            for (std::size_t w = 0; w < words; ++w)
                for (std::size_t k = 0; k < block; ++k)
                    out.words[w * rows + first + k] = packed[k * words + w];
        }
    });
    for (std::size_t r = 0; r < rows; ++r) {
        out.error += errors[r];
        out.energy += energies[r];
    }
    return out;
}

}  // namespace g4
