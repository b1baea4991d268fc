// The tensors that make one int4 linear, checked against each other before anyone trusts them.
// Source: the layout that AutoRound's and GPTQ's exports share, stated at g4::weight.
#pragma once
#include "g4/core/dtype.hpp"
#include "g4/core/error.hpp"
#include "g4/gate/weights.hpp"
#include "g4/weights/quantization.hpp"
#include "g4/weights/safetensors.hpp"
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace g4 {

/// The tensors of one quantised linear; those that the file lacks are null.
struct int4_parts {
    const stored_tensor* packed = nullptr;  // qweight
    const stored_tensor* scales = nullptr;
    const stored_tensor* zeros = nullptr;  // qzeros
    const stored_tensor* order = nullptr;  // g_idx
};

namespace detail {

/// "model.…qweight: expected I32 [2, 3], got F32 [2] in file", or nothing when it is right.
inline std::string wrong_form(const stored_tensor& tensor, std::string_view types, bool type_fits,
                              std::initializer_list<std::int64_t> shape) {
    const std::span<const std::int64_t> want{shape.begin(), shape.size()};
    if (type_fits && std::equal(want.begin(), want.end(), tensor.shape.begin(), tensor.shape.end()))
        return {};
    return concat(printable(tensor.name), ": expected ", types, " ", shape_text(want), ", got ",
                  printable(tensor.type_name), " ", shape_text(tensor.shape), " in ", tensor.file);
}

inline std::uint32_t word_at(const stored_tensor& tensor, std::size_t index) {
    std::uint32_t word;
    std::memcpy(&word, tensor.data.data() + index * 4, 4);
    return word;
}

/// The index of the first element that is infinite or not a number.
inline std::optional<std::size_t> first_not_finite(const stored_tensor& tensor, dtype type) {
    const auto width = static_cast<std::size_t>(bytes_of(type));
    const std::uint32_t exponent = type == dtype::f16    ? 0x7c00u
                                   : type == dtype::bf16 ? 0x7f80u
                                                         : 0x7f800000u;
    const std::size_t count = tensor.data.size() / width;
    for (std::size_t i = 0; i < count; ++i) {
        std::uint32_t bits = 0;  // little-endian, as all that g4 runs on
        std::memcpy(&bits, tensor.data.data() + i * width, width);
        if ((bits & exponent) == exponent) return i;
    }
    return std::nullopt;
}

/// Every nibble of every word must be the stored zero: the file is symmetric.
inline std::string wrong_zeros(const stored_tensor& zeros, std::int32_t stored_zero) {
    const std::uint32_t want = 0x11111111u * static_cast<std::uint32_t>(stored_zero);
    const std::size_t count = zeros.data.size() / 4;
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint32_t word = word_at(zeros, i);
        if (word == want) continue;
        int nibble = 0;
        while (((word ^ want) >> 4 * nibble & 15u) == 0) ++nibble;
        const std::uint32_t got = word >> 4 * nibble & 15u;
        const std::uint32_t other = 15u - static_cast<std::uint32_t>(stored_zero);  // 7 and 8
        return concat(printable(zeros.name), ": expected ", stored_zero,
                      " in every nibble, as symmetric files store it, got ", got, " at word ", i,
                      ", nibble ", nibble, " in ", zeros.file,
                      word != 0x11111111u * other ? "; zero points that vary are not supported"
                      : stored_zero == 7
                          ? "; is it checkpoint_format \"gptq_v2\", and the config says v1?"
                          : "; is it checkpoint_format \"gptq\" (v1), and the config says v2?");
    }
    return {};
}

/// Input k must belong to group k / group: another order would need its columns sorted.
inline std::string wrong_order(const stored_tensor& order, std::int32_t group) {
    const std::size_t count = order.data.size() / 4;
    for (std::size_t k = 0; k < count; ++k)
        if (const std::size_t want = k / static_cast<std::size_t>(group); word_at(order, k) != want)
            return concat(printable(order.name), ": expected group ", want, " for input ", k,
                          ", got ", word_at(order, k), " in ", order.file,
                          "; act-order (desc_act) is not supported");
    return {};
}

}  // namespace detail

/// What is wrong with the parts of a linear, or an empty text.
///   want    rows, columns and group of the weight that they must make
///   result  "name: expected what, got what in file"
inline std::string check_int4(const int4_parts& parts, const weight& want,
                              const quantization& config) {
    const stored_tensor& packed = *parts.packed;
    const std::string module = packed.name.substr(0, packed.name.rfind('.'));
    const std::int64_t groups = (want.columns + want.group - 1) / want.group;
    if (want.columns % 8 != 0 || want.rows % 8 != 0)
        return concat(printable(packed.name), ": expected a plain weight, as [", want.rows, ", ",
                      want.columns, "] does not pack into words of 8, got ",
                      shape_text(packed.shape), " in ", packed.file);
    const bool is_word = packed.type() == dtype::i32;
    if (std::string wrong =
            detail::wrong_form(packed, "I32", is_word, {want.columns / 8, want.rows});
        !wrong.empty())
        return wrong;
    for (const auto& [part, name] : {std::pair{parts.scales, ".scales"}, {parts.zeros, ".qzeros"}})
        if (part == nullptr)
            return concat(printable(module), name, ": expected it beside ", printable(packed.name),
                          ", got no tensor of that name in ", packed.file);
    const std::optional<dtype> scale = parts.scales->type();
    if (std::string wrong = detail::wrong_form(
            *parts.scales, concat("for groups of ", want.group, " F16, BF16 or F32"),
            scale && scale != dtype::i32, {groups, want.rows});
        !wrong.empty())
        return wrong;
    if (const auto at = detail::first_not_finite(*parts.scales, *scale))
        return concat(printable(parts.scales->name), ": expected finite scales, got ",
                      element_to_float(parts.scales->data.data(), *scale, *at), " at element ", *at,
                      " in ", parts.scales->file);
    if (std::string wrong = detail::wrong_form(
            *parts.zeros, "I32", parts.zeros->type() == dtype::i32, {groups, want.rows / 8});
        !wrong.empty())
        return wrong;
    if (std::string wrong = detail::wrong_zeros(*parts.zeros, config.stored_zero()); !wrong.empty())
        return wrong;
    if (parts.order == nullptr)
        return config.act_order()
                   ? concat(printable(module), ".g_idx: expected it, as the config says desc_act, ",
                            "got no tensor of that name in ", packed.file)
                   : std::string{};
    if (std::string wrong = detail::wrong_form(*parts.order, "I32",
                                               parts.order->type() == dtype::i32, {want.columns});
        !wrong.empty())
        return wrong;
    return detail::wrong_order(*parts.order, want.group);
}

}  // namespace g4
