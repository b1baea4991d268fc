// Weights on their way into the forms of the linear family: what they take, and who writes them.
#pragma once
#include "codegen/linear/pack_config.hpp"
#include "g4/core/error.hpp"
#include "g4/emit/request.hpp"
#include "g4/gate/weights.hpp"
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>

namespace g4::cuda {

/// How a matrix of some tensors lies on the device.
struct packed_form {
    g4k::weight_form form = g4k::weight_form::plain_bf16;
    g4k::scale_form scales = g4k::scale_form::f16;  // int4
    int group = 0;                                  // int4
    friend bool operator==(const packed_form&, const packed_form&) = default;
};

inline g4k::scale_form scale_form_of(dtype type) {
    return type == dtype::f16 ? g4k::scale_form::f16
           : type == dtype::bf16 ? g4k::scale_form::bf16 : g4k::scale_form::f32;
}

/// int4 when all are; else bf16. A matrix whose tensors differ in scale type has f32 scales, one
/// whose groups differ the greatest that divides them all.
inline packed_form packed_form_of(std::span<const weight* const> tensors) {
    packed_form out;
    bool first = true;
    for (const weight* w : tensors) {
        if (w->stored != weight::form::int4) return {};
        const g4k::scale_form scales = scale_form_of(w->scale_type);
        out.group = g4k::device_group(std::gcd(out.group, w->group));
        out.scales = first || out.scales == scales ? scales : g4k::scale_form::f32;
        first = false;
    }
    out.form = g4k::weight_form::int4;
    return out;
}

inline std::size_t packed_weight_bytes(const packed_form& of, std::int64_t rows,
                                       std::int64_t columns) {
    const int r = static_cast<int>(rows), c = static_cast<int>(columns);
    if (of.form == g4k::weight_form::plain_bf16)
        return static_cast<std::size_t>(rows * g4k::plain_stride(c)) * 2;
    return static_cast<std::size_t>(g4k::stored_tiles(r)) *
           static_cast<std::size_t>(g4k::units_of(c)) * g4k::int4_unit_bytes;
}
inline std::size_t packed_scale_bytes(const packed_form& of, std::int64_t rows,
                                      std::int64_t columns) {
    if (of.form == g4k::weight_form::plain_bf16) return 0;
    return static_cast<std::size_t>(g4k::stored_tiles(static_cast<int>(rows))) *
           static_cast<std::size_t>(g4k::stored_groups(static_cast<int>(columns), of.group)) *
           static_cast<std::size_t>(g4k::unit_rows * g4k::scale_bytes(of.scales));
}

/// A tensor whose bytes stand at `data` and `scales` on the device, as in the checkpoint.
inline g4k::matrix_source source_of(const weight& w, const void* data, const void* scales) {
    const auto form = w.stored == weight::form::int4 ? g4k::source_form::int4
                      : w.type == dtype::bf16        ? g4k::source_form::bf16
                      : w.type == dtype::f16         ? g4k::source_form::f16
                                                     : g4k::source_form::f32;
    return {data, scales, form, scale_form_of(w.scale_type), w.group, static_cast<int>(w.rows)};
}

/// One launch each. int4 takes two: the words, then the scales. unpack_bf16 takes int4 too: the
/// copy that the family for many tokens reads.
enum class packing { int4_words, int4_scales, bf16 };

inline kernel_request pack_request(packing what) {
    const char* kernel = what == packing::int4_words    ? "pack_int4"
                         : what == packing::int4_scales ? "pack_scales" : "unpack_bf16";
    return {concat("g4_", kernel),
            concat("#include \"codegen/linear/pack.cuh\"\nusing namespace g4k;\n",
                   "extern \"C\" __global__ void __launch_bounds__(", g4k::pack_threads, ")\ng4_",
                   kernel, "(const __grid_constant__ pack_args args) { ", kernel, "(args); }\n")};
}

inline launch_shape pack_shape(packing what, const g4k::pack_args& args) {
    const std::int64_t tiles = g4k::stored_tiles(args.rows);
    const std::int64_t threads =
        what == packing::int4_words ? tiles * g4k::units_of(args.columns) * 128
        : what == packing::int4_scales
            ? tiles * g4k::stored_groups(args.columns, args.group) * g4k::unit_rows
            : args.rows * ((g4k::plain_stride(args.columns) + g4k::unpacked_columns - 1) /
                           g4k::unpacked_columns);
    return {.grid_x = static_cast<unsigned>((threads + g4k::pack_threads - 1) / g4k::pack_threads),
            .threads = static_cast<unsigned>(g4k::pack_threads)};
}

}  // namespace g4::cuda
