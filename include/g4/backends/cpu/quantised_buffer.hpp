// Activations in fixed point: quantised once, read by every linear that shares them.
#pragma once
#include "g4/backends/cpu/int4_layout.hpp"
#include "g4/backends/cpu/memory.hpp"
#include "g4/backends/cpu/row_kernels.hpp"
#include "g4/core/error.hpp"

namespace g4::cpu {

/// Memory for the fixed-point rows of one step, reused by each stage in turn.
/// Errors: internal_error when a shape exceeds what was reserved.
class quantised_buffer {
  public:
    quantised_buffer() = default;
    /// For `tokens` rows of at most `columns` padded columns, in groups of 32 or more.
    quantised_buffer(std::int64_t tokens, std::int64_t columns)
        : bytes_{static_cast<std::size_t>(tokens * columns * 2)},
          scales_{static_cast<std::size_t>(tokens * (columns / 32) * 4)},
          sums_{static_cast<std::size_t>(tokens * (columns / 32) * 4)} {}

    /// Sets the shape; rows are then filled by put(), from any thread.
    void shape(std::int32_t tokens, std::int32_t group, std::int32_t groups, std::int32_t passes) {
        const std::size_t columns =
            static_cast<std::size_t>(group) * static_cast<std::size_t>(groups);
        G4_ASSERT(static_cast<std::size_t>(tokens) * columns * static_cast<std::size_t>(passes) <=
                          bytes_.size() &&
                      static_cast<std::size_t>(tokens) * static_cast<std::size_t>(groups) * 4 <=
                          scales_.size(),
                  "cpu: ", tokens, " rows of ", columns, " columns exceed the buffer");
        view_ = {bytes_.as<std::int8_t>(),
                 scales_.as<float>(),
                 sums_.as<std::int32_t>(),
                 tokens,
                 passes,
                 group,
                 groups};
    }
    void put(const row_kernels& kernels, std::int32_t token, const float* x, std::int64_t columns) {
        const std::int32_t block = token / block_tokens, at = token % block_tokens;
        const std::int32_t n = view_.tokens_of(block);
        const std::int64_t first = view_.scales_before(block) + at;
        kernels.quantise(
            x, columns, view_.group, view_.groups, view_.passes,
            {bytes_.as<std::int8_t>() + view_.bytes_before(block) + at * view_.passes * 4,
             scales_.as<float>() + first, sums_.as<std::int32_t>() + first, n * view_.passes * 4,
             n});
    }
    const quantised_rows& rows() const { return view_; }
    std::size_t bytes() const { return bytes_.size() + scales_.size() + sums_.size(); }

  private:
    aligned_memory bytes_, scales_, sums_;
    quantised_rows view_;
};

}  // namespace g4::cpu
