// The header of a safetensors file, read as what it is: input from a stranger.
// Source: github.com/huggingface/safetensors, README "Format" and src/tensor.rs, 0.6.
#pragma once
#include "g4/core/dtype.hpp"
#include "g4/core/error.hpp"
#include "g4/core/json.hpp"
#include "g4/core/json_keys.hpp"
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace g4 {

/// One tensor of a file. `data` points into the mapping and may have any alignment.
struct stored_tensor {
    std::string name;
    std::string type_name;  // as the file spells it
    std::vector<std::int64_t> shape;
    std::span<const std::byte> data;
    std::string file;

    /// The element type when it is one of ours, else nothing: the tensor may lie there unused.
    std::optional<dtype> type() const {
        for (const dtype t : {dtype::bf16, dtype::f16, dtype::f32, dtype::i32})
            if (name_of_dtype(t) == type_name) return t;
        return std::nullopt;
    }
};

/// "[2, 3]", as messages show it.
inline std::string shape_text(std::span<const std::int64_t> shape) {
    std::string out = "[";
    for (const std::int64_t size : shape) out += concat(out.size() > 1 ? ", " : "", size);
    return out + "]";
}

struct safetensors_limits {
    std::size_t header_bytes = 100'000'000;  // as the format's own library
    std::size_t name_bytes = 1024;
    std::size_t axes = 8;
};

namespace detail {

/// Bits per element by the format's names; 0 for a name that is not known here.
inline std::int64_t bits_of_type(std::string_view name) {
    constexpr std::array<std::pair<std::string_view, int>, 20> known{{
        {"BOOL", 8},    {"U8", 8},   {"I8", 8},      {"F8_E4M3", 8}, {"F8_E5M2", 8},
        {"F8_E8M0", 8}, {"F4", 4},   {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"I16", 16},
        {"U16", 16},    {"F16", 16}, {"BF16", 16},   {"I32", 32},    {"U32", 32},
        {"F32", 32},    {"F64", 64}, {"I64", 64},    {"U64", 64},    {"C64", 64},
    }};
    for (const auto& [spelled, bits] : known)
        if (spelled == name) return bits;
    return 0;
}

/// The product, or nothing when it does not fit 63 bits. A zero wins over any overflow.
inline std::optional<std::int64_t> checked_product(std::span<const std::int64_t> factors) {
    if (std::find(factors.begin(), factors.end(), 0) != factors.end()) return 0;
    std::int64_t product = 1;
    for (const std::int64_t factor : factors)
        if (__builtin_mul_overflow(product, factor, &product)) return std::nullopt;
    return product;
}

/// The text of the header. Errors: as parse_safetensors.
inline std::string_view header_text(std::span<const std::byte> file, const std::string& where,
                                    const safetensors_limits& limits) {
    constexpr std::string_view pointer = "version https://git-lfs";
    const std::string_view all{reinterpret_cast<const char*>(file.data()), file.size()};
    if (all.starts_with(pointer))
        throw input_error{where, ": expected safetensors, got a git-lfs pointer; ",
                          "fetch the file itself with git lfs pull"};
    if (file.size() < 8)
        throw input_error{where, ": expected 8 bytes of header length, got ", file.size(),
                          " bytes"};
    std::uint64_t length = 0;
    for (int i = 7; i >= 0; --i)
        length = length << 8 | std::to_integer<std::uint64_t>(file[static_cast<std::size_t>(i)]);
    if (length > limits.header_bytes)
        throw input_error{
            where,  ": expected a header of at most ", limits.header_bytes, " bytes, got ",
            length, "; is it a safetensors file?"};
    if (length > file.size() - 8)
        throw input_error{where,       ": expected a header of ", length, " bytes, got a file of ",
                          file.size(), " bytes; it is cut short"};
    const std::string_view header = all.substr(8, static_cast<std::size_t>(length));
    if (!header.starts_with('{'))
        throw input_error{where, ": expected a header that starts with {, got \"",
                          printable(header.substr(0, 8)), '"'};
    return header;
}

/// One entry of the header, its data still an offset pair. Errors: as parse_safetensors.
struct header_entry {
    stored_tensor tensor;
    std::uint64_t begin = 0, end = 0;
};

inline header_entry read_entry(std::string_view name, const json_view& entry,
                               const safetensors_limits& limits) {
    if (name.empty() || name.size() > limits.name_bytes)
        throw input_error{entry.where(), ": expected a name of 1 to ", limits.name_bytes,
                          " bytes, got ", name.size()};
    for (const auto& [key, value] : entry.members())
        if (key != "dtype" && key != "shape" && key != "data_offsets")
            throw input_error{value.where(), ": expected dtype, shape and data_offsets, got ",
                              printable(key)};
    header_entry out;
    out.tensor.name = name;
    out.tensor.type_name = entry["dtype"].text();
    const auto axes = entry["shape"].elements();
    if (axes.size() > limits.axes) entry["shape"].expected("at most ", limits.axes, " axes");
    for (const json_view& axis : axes) out.tensor.shape.push_back(axis.integer(0));
    const auto offsets = entry["data_offsets"].elements();
    if (offsets.size() != 2) entry["data_offsets"].expected("two offsets");
    out.begin = static_cast<std::uint64_t>(offsets[0].integer(0));
    out.end = static_cast<std::uint64_t>(offsets[1].integer(0));
    if (out.end < out.begin)
        throw input_error{entry.where(), ": expected data_offsets in order, got ", out.begin,
                          " and ", out.end};
    const std::int64_t bits = bits_of_type(out.tensor.type_name);
    const auto count = checked_product(out.tensor.shape);
    std::int64_t total = 0;
    if (!count || (bits != 0 && __builtin_mul_overflow(*count, bits, &total)))
        throw input_error{entry.where(), ": expected a shape that fits a file, got ",
                          shape_text(out.tensor.shape)};
    if (bits != 0 &&
        (total % 8 != 0 || static_cast<std::uint64_t>(total / 8) != out.end - out.begin))
        throw input_error{entry.where(),
                          ": expected ",
                          total / 8,
                          " bytes for ",
                          printable(out.tensor.type_name),
                          " ",
                          shape_text(out.tensor.shape),
                          ", got ",
                          out.end - out.begin};
    return out;
}

}  // namespace detail

/// The tensors of a file, in the order of their data.
///   file   the whole file; the tensors point into it
///   where  its name, for messages and for stored_tensor::file
/// Errors: input_error naming file, tensor and byte counts when the header is too long, cut short
/// or malformed, names a tensor twice, or when the data has overlaps, gaps, or another length.
inline std::vector<stored_tensor> parse_safetensors(std::span<const std::byte> file,
                                                    const std::string& where,
                                                    const safetensors_limits& limits = {}) {
    const std::string_view header = detail::header_text(file, where, limits);
    const std::string place = where + ": header";
    const boost::json::value parsed =
        parse_json(header, place, {.bytes = limits.header_bytes, .depth = 8});
    refuse_duplicate_keys(header, place);
    std::vector<detail::header_entry> entries;
    for (const auto& [name, entry] : json_view{parsed, where}.members()) {
        if (name == "__metadata__") {
            for (const auto& member : entry.members()) member.second.text();
            continue;
        }
        entries.push_back(detail::read_entry(name, entry, limits));
    }
    std::sort(entries.begin(), entries.end(), [](const auto& left, const auto& right) {
        return std::tie(left.begin, left.end, left.tensor.name) <
               std::tie(right.begin, right.end, right.tensor.name);
    });
    const std::span<const std::byte> data = file.subspan(8 + header.size());
    std::uint64_t at = 0;
    std::vector<stored_tensor> out;
    out.reserve(entries.size());
    for (detail::header_entry& entry : entries) {
        const std::string name = where + ": " + printable(entry.tensor.name);
        if (entry.begin != at)
            throw input_error{name,
                              ": expected data at byte ",
                              at,
                              ", got ",
                              entry.begin,
                              entry.begin < at ? "; it overlaps the tensor before it"
                                               : "; the bytes between belong to no tensor"};
        if (entry.end > data.size())
            throw input_error{name,        ": expected data up to byte ",
                              entry.end,   ", got a file with ",
                              data.size(), "; it is cut short"};
        at = entry.end;
        entry.tensor.data = data.subspan(static_cast<std::size_t>(entry.begin),
                                         static_cast<std::size_t>(entry.end - entry.begin));
        entry.tensor.file = where;
        out.push_back(std::move(entry.tensor));
    }
    if (at != data.size())
        throw input_error{where,       ": expected ",
                          at,          " bytes of data, got ",
                          data.size(), "; the bytes at the end belong to no tensor"};
    return out;
}

}  // namespace g4
