// The weights as a back end gets them: views of a checkpoint, by full tensor name, nothing packed.
#pragma once
#include "g4/core/dtype.hpp"
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace g4 {

/// One weight. Owned by the checkpoint that was opened; valid as long as it lives.
///   plain  data [rows, columns] row-major, of `type`
///   int4   value[r, c] = scale[c / group, r] * (nibble - 8), where
///          nibble of (r, c) = (qweight[c / 8, r] >> 4 * (c % 8)) & 15
///          data   int32 [columns / 8, rows]          (qweight, as GPTQ and AutoRound store it)
///          scales scale_type [ceil(columns / group), rows]; may be negative or subnormal
/// Each pointer is aligned to its element, and need not be to more: files pack tensors densely.
struct weight {
    enum class form : std::uint8_t { plain, int4 };
    form stored = form::plain;
    dtype type = dtype::bf16;  // of plain data
    std::int64_t rows = 0, columns = 0;
    const std::byte* data = nullptr;
    const std::byte* scales = nullptr;
    dtype scale_type = dtype::f16;
    std::int32_t group = 0;

    std::size_t bytes() const {  // that a pass over it reads; zero points of symmetric files: none
        const std::size_t count = static_cast<std::size_t>(rows * columns);
        if (stored == form::plain) return count * static_cast<std::size_t>(bytes_of(type));
        const std::size_t groups = static_cast<std::size_t>((columns + group - 1) / group);
        return count / 2 + groups * static_cast<std::size_t>(rows) * 2;
    }
};

/// By the full name that the declaration derives: "model.language_model.norm.weight".
using weight_table = std::unordered_map<std::string, weight>;

}  // namespace g4
