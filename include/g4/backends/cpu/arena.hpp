// The memory of a step, all of it reserved at start: the plan's slots, caches, and scratch.
#pragma once
#include "g4/backends/cpu/attention.hpp"
#include "g4/backends/cpu/memory.hpp"
#include "g4/backends/cpu/options.hpp"
#include "g4/backends/cpu/quantised_buffer.hpp"
#include "g4/backends/cpu/stage_pass.hpp"
#include "g4/gate/executor.hpp"

namespace g4::cpu {

/// A plan buffer in its slot: bf16 rows, or f32 for the step's result.
struct placed_buffer {
    std::byte* data = nullptr;
    std::int64_t row_bytes = 0;
    dtype type = dtype::bf16;
    rows of = rows::all;
};

/// Rows of one run of a pass: what anchors give is kept in f32 for so many at most. Longer steps
/// run in several, each of which streams the weights again.
inline constexpr std::int64_t run_rows = 768, run_floats = std::int64_t{1} << 24;
inline std::int64_t most_rows_of_run(const stage_pass& pass) {
    if (pass.result_floats == 0) return run_rows;
    return std::clamp(run_floats / pass.result_floats, std::int64_t{16}, run_rows);
}
/// Even shares of `count` rows.
inline std::int64_t rows_of_run(const stage_pass& pass, std::int64_t count) {
    const std::int64_t most = most_rows_of_run(pass);
    const std::int64_t runs = std::max<std::int64_t>((count + most - 1) / most, 1);
    return (count + runs - 1) / runs;
}

/// Errors: std::bad_alloc.
class arena {
  public:
    arena(const plan& p, const std::vector<stage_pass>& passes, const capacity& reserved,
          int threads) {
        place_buffers(p,
                      {static_cast<double>(reserved.rows), static_cast<double>(reserved.wanted)});
        place_caches(p, reserved);
        reserve_scratch(passes, reserved, threads);
    }

    const placed_buffer& buffer(std::int32_t index) const {
        return buffers_[static_cast<std::size_t>(index)];
    }
    /// The pages of a layer, without those of a sequence.
    const cache_view& cache(std::int32_t index) const {
        return caches_[static_cast<std::size_t>(index)];
    }
    float* results() { return results_.as<float>(); }
    float* scratch(int thread) { return scratch_.as<float>() + thread * thread_floats_; }
    /// Arranged activations of plain linears, and fixed-point ones.
    float* arranged(std::size_t form) {
        return arranged_.as<float>() + static_cast<std::int64_t>(form) * arranged_floats_;
    }
    quantised_buffer& quantised(std::size_t form) { return quantised_[form]; }
    float* states() { return states_.as<float>(); }
    std::int64_t state_count() const { return state_count_; }

    std::size_t slot_bytes() const { return slots_.size(); }
    std::size_t cache_bytes() const { return pages_.size(); }
    std::size_t scratch_bytes() const {
        std::size_t out = results_.size() + scratch_.size() + arranged_.size() + states_.size();
        for (const quantised_buffer& q : quantised_) out += q.bytes();
        return out;
    }

    /// Distinct forms of activations that the anchors of one pass read.
    static constexpr std::size_t most_forms = 4;

  private:
    static std::size_t rounded(double bytes) {
        return (static_cast<std::size_t>(bytes) + 63) / 64 * 64;
    }
    void place_buffers(const plan& p, const launch& size) {
        std::vector<std::size_t> offsets;
        std::size_t bytes = 0;
        for (const slot& s : p.slots) {
            offsets.push_back(bytes);
            bytes += rounded(s.bytes(size));
        }
        slots_ = aligned_memory{bytes};
        for (const g4::buffer& b : p.buffers) {
            const bound_call& c = p.program().at(b.call);
            const node& n = p.program().nodes_of(c).nodes[b.node];
            buffers_.push_back({slots_.data() + offsets[b.slot],
                                static_cast<std::int64_t>(b.bytes_per_row),
                                n.element_bytes == 4 ? dtype::f32 : dtype::bf16, b.of});
        }
    }
    void place_caches(const plan& p, const capacity& reserved) {
        std::vector<std::size_t> offsets;
        std::size_t bytes = 0;
        const auto page_bytes = [&](const cache_layout& c) {
            return static_cast<std::size_t>(c.bytes_per_token) *
                   static_cast<std::size_t>(reserved.page_tokens);
        };
        for (const cache_layout& c : p.caches) {
            offsets.push_back(bytes);
            bytes += page_bytes(c) * static_cast<std::size_t>(reserved.kinds[c.kind].pages);
        }
        pages_ = aligned_memory{bytes};
        for (std::size_t i = 0; i < p.caches.size(); ++i) {
            const cache_layout& c = p.caches[i];
            cache_view view;
            view.base = pages_.data() + offsets[i];
            view.page_bytes = static_cast<std::int64_t>(page_bytes(c));
            view.page_tokens = reserved.page_tokens;
            view.kv_heads = c.kv_heads;
            view.head_dim = c.head_dim;
            caches_.push_back(view);
        }
    }
    void reserve_scratch(const std::vector<stage_pass>& passes, const capacity& reserved,
                         int threads) {
        std::int64_t results = 0, arranged = 0, columns = 0, tokens = 1;
        std::size_t forms = 1;
        thread_floats_ = 2 * state_floats;
        for (const stage_pass& pass : passes) {
            const std::int64_t most = std::min<std::int64_t>(
                pass.of == rows::all ? reserved.rows : reserved.wanted, most_rows_of_run(pass));
            results = std::max(results, most * pass.result_floats);
            thread_floats_ =
                std::max(thread_floats_, pass.scratch_floats + pass.activation_width + 64);
            if (pass.kind != stage_pass::anchors::linear) continue;
            tokens = std::max(tokens, most);
            arranged = std::max(arranged, most * arranged_columns(pass.activation_width));
            columns = std::max(columns, (pass.activation_width + 255) / 256 * 256);
            forms = std::max(forms, pass.anchors_in_order.size());
        }
        results_ = aligned_memory{static_cast<std::size_t>(results) * sizeof(float)};
        scratch_ =
            aligned_memory{static_cast<std::size_t>(thread_floats_ * threads) * sizeof(float)};
        forms = std::min(forms, most_forms);
        arranged_floats_ = arranged;
        arranged_ = aligned_memory{static_cast<std::size_t>(arranged) * forms * sizeof(float)};
        for (std::size_t i = 0; i < forms; ++i) quantised_.emplace_back(tokens, columns);
        state_count_ = 256;
        states_ =
            aligned_memory{static_cast<std::size_t>(state_count_ * state_floats) * sizeof(float)};
    }

    aligned_memory slots_, pages_, results_, scratch_, arranged_, states_;
    std::vector<placed_buffer> buffers_;
    std::vector<cache_view> caches_;
    std::vector<quantised_buffer> quantised_;
    std::int64_t thread_floats_ = 0, arranged_floats_ = 0, state_count_ = 0;
};

}  // namespace g4::cpu
