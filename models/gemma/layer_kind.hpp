// The two kinds of layer that Gemma's models alternate, and the usual pattern.
// Source: layer_types of Gemma3TextConfig and Gemma4TextConfig in transformers 5.17.
#pragma once
#include "g4/g4.hpp"

namespace g4::gemma {

enum class layer_kind : std::uint8_t { sliding, full };
constexpr std::array<std::string_view, 2> spellings(layer_kind) {
    return {"sliding_attention", "full_attention"};
}
using layer_kinds = list<layer_kind, 128>;

/// `period - 1` sliding layers, then a full one, `count` in all.
constexpr layer_kinds layer_pattern(int period, int count) {
    layer_kinds out;
    for (int i = 1; i <= count; ++i)
        out.push_back(i % period == 0 ? layer_kind::full : layer_kind::sliding);
    return out;
}

/// layer_types as many as a config has layers.
constexpr finding check_layer_count(const layer_kinds& kinds, long layers) {
    if (const long count = static_cast<long>(kinds.count); count != layers)
        return {"config: layer_types", text{} + layers + " entries", count};
    return {};
}

}  // namespace g4::gemma
