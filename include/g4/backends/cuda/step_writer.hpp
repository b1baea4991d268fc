// Writes a step into the block of memory that goes to the device: checked, padded, laid out.
#pragma once
#include "g4/backends/cuda/attention.hpp"
#include "g4/backends/cuda/sample.hpp"
#include "g4/backends/cuda/step_layout.hpp"
#include "g4/core/error.hpp"
#include "g4/gate/executor.hpp"
#include <algorithm>
#include <cstring>
#include <vector>

namespace g4::cuda {

/// Rows of one sequence that attend together are cut into tiles of so many query rows.
struct tile_rows { std::int32_t of[max_tile_kinds]{}; };

/// What the launches of a step depend on.
struct step_shape {
    step_sizes sizes;
    bool decode = false;    // every sequence has one row, and every row is wanted
    bool greedy = true;     // every wanted row takes the greatest logit and reports nothing
};

inline step_shape shape_of(const step& next, const tile_rows& tiles) {
    step_shape out;
    out.sizes.rows = static_cast<std::int32_t>(next.token_ids.size());
    out.sizes.wanted = static_cast<std::int32_t>(next.wanted.size());
    out.sizes.sequences = static_cast<std::int32_t>(next.sequences.size());
    out.sizes.biases = static_cast<std::int32_t>(next.biases.size());
    out.sizes.pages = static_cast<std::int64_t>(next.pages.size());
    out.decode = out.sizes.wanted == out.sizes.rows && out.sizes.biases == 0;
    for (const sequence_rows& s : next.sequences) {
        if (s.row_count == 1) {
            ++out.sizes.decode_rows;
            continue;
        }
        out.decode = false;
        for (int k = 0; k < max_tile_kinds; ++k)
            if (tiles.of[k] > 0)
                out.sizes.tiles[k] += prefill_tile_count(s.row_count, tiles.of[k]);
    }
    for (const wanted_row& w : next.wanted) out.greedy = out.greedy && takes_greatest(w);
    return out;
}

/// Fills `to`, which is as long as layout_of(padded) says.
///   padded  the sizes of the launch, not below those of the step
/// Errors: internal_error when rows, sequences and wanted rows do not fit each other.
class step_writer {
  public:
    step_writer(const step& from, const step_shape& shape, const step_sizes& padded,
                const tile_rows& tiles, std::byte* to)
        : from_{from}, own_{shape.sizes}, padded_{padded}, tiles_{tiles},
          at_{layout_of(padded)}, to_{to} {}

    std::size_t write() {
        write_rows();
        write_sequences();
        write_wanted();
        std::copy(from_.pages.begin(), from_.pages.end(), part<int>(at_.pages));
        for (std::size_t i = 0; i < from_.biases.size(); ++i)
            part<g4k::token_bias>(at_.biases)[i] = {from_.biases[i].token, from_.biases[i].added};
        return at_.pages + from_.pages.size() * sizeof(int);
    }

  private:
    template <class T> T* part(std::size_t offset) const {
        return reinterpret_cast<T*>(to_ + offset);
    }

    void write_rows() {
        int* ids = part<int>(at_.token_ids);
        int* positions = part<int>(at_.positions);
        int* sequence_of = part<int>(at_.sequence_of);
        std::copy(from_.token_ids.begin(), from_.token_ids.end(), ids);
        std::int32_t row = 0;
        for (std::int32_t s = 0; s < own_.sequences; ++s) {
            const sequence_rows& self = from_.sequences[static_cast<std::size_t>(s)];
            G4_ASSERT(self.first_row == row && self.row_count > 0 &&
                          self.row_count <= own_.rows - row,
                      "cuda: sequence ", s, " does not follow the one before");
            for (std::int32_t i = 0; i < self.row_count; ++i, ++row) {
                positions[row] = self.past + i;
                sequence_of[row] = s;
            }
        }
        G4_ASSERT(row == own_.rows, "cuda: ", own_.rows, " rows, sequences hold ", row);
        for (; row < padded_.rows; ++row) {
            ids[row] = 0;
            positions[row] = -1;
            sequence_of[row] = 0;
        }
    }
    void write_sequences() {
        auto* sequences = part<g4k::sequence_entry>(at_.sequences);
        int* decode = part<int>(at_.decode_rows);
        for (const sequence_rows& self : from_.sequences) {
            g4k::sequence_entry& to = *sequences++;
            to = {self.first_row, self.row_count, self.past, self.slot, {}, {}};
            for (int k = 0; k < g4k::max_cache_kinds; ++k) {
                to.first_page[k] = self.lists[static_cast<std::size_t>(k)].first;
                to.skipped[k] = self.lists[static_cast<std::size_t>(k)].skipped;
            }
            if (self.row_count == 1) *decode++ = self.first_row;
        }
        for (std::int32_t i = own_.rows; i < padded_.rows && padded_.decode_rows > own_.decode_rows;
             ++i) *decode++ = i;
        const std::span<const g4k::sequence_entry> written{
            part<g4k::sequence_entry>(at_.sequences), from_.sequences.size()};
        for (int k = 0; k < max_tile_kinds; ++k)  // rows that stand alone decode
            if (own_.tiles[k] > 0)
                cut_into_tiles(written, tiles_.of[k], 2, part<g4k::prefill_tile>(at_.tiles[k]));
    }
    void write_wanted() {
        int* rows = part<int>(at_.wanted_rows);
        auto* samples = part<g4k::sample_row>(at_.samples);
        std::int32_t last = -1;
        for (std::int32_t i = 0; i < own_.wanted; ++i) {
            const wanted_row& w = from_.wanted[static_cast<std::size_t>(i)];
            G4_ASSERT(w.row > last && w.row < own_.rows, "cuda: wanted row ", w.row,
                      " out of order");
            last = rows[i] = w.row;
            samples[i] = sample_of(w);
        }
        for (std::int32_t i = own_.wanted; i < padded_.wanted; ++i) {
            rows[i] = std::min(i, padded_.rows - 1);
            samples[i] = {};
        }
    }
    g4k::sample_row sample_of(const wanted_row& w) {
        const std::int32_t sequence = part<int>(at_.sequence_of)[w.row];
        g4k::sample_row out{};
        out.active = 1;
        out.first_top = tops_;
        tops_ += std::max(0, w.how.top_logprobs);
        out.temperature = w.how.temperature;
        out.top_p = w.how.top_p;
        out.min_p = w.how.min_p;
        out.top_k = w.how.top_k;
        out.seed = w.how.seed;
        out.presence = w.how.presence_penalty;
        out.frequency = w.how.frequency_penalty;
        out.repetition = w.how.repetition_penalty;
        out.first_bias = w.how.first_bias;
        out.bias_count = w.how.bias_count;
        out.top_logprobs = w.how.top_logprobs;
        out.given = w.given;
        out.slot = from_.sequences[static_cast<std::size_t>(sequence)].slot;
        out.position = part<int>(at_.positions)[w.row];
        return out;
    }

    const step& from_;
    const step_sizes& own_;
    const step_sizes& padded_;
    const tile_rows& tiles_;
    step_layout at_;
    std::byte* to_;
    std::int32_t tops_ = 0;
};

}  // namespace g4::cuda
