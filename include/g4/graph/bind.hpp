// Binding: the names of a declaration get the numbers of one config. Here the type Model ends.
#pragma once
#include "g4/core/reflect.hpp"
#include "g4/graph/block.hpp"
#include "g4/graph/program.hpp"
#include <string>
#include <utility>
#include <vector>

namespace g4 {

/// One name and its value: `let<hidden>(config.hidden_size)`.
template <class Name> struct let {
    double value;
    constexpr explicit let(double v) : value{v} {}
};

/// Every name of a model with its value: what bind() of a model returns.
template <class... Names> struct binding {
    static constexpr text names[]{name_of<Names>...};
    double values[sizeof...(Names)];
    constexpr binding(let<Names>... lets) : values{lets.value...} {}
};

/// A block of a model, and for each name of its graph the place of the value in the binding.
struct block_entry {
    const graph* nodes;
    name_id slots[graph::max_names]{};
};

template <class Block, class Binding> constexpr block_entry entry_of() {
    const graph& g = graph_of<Block>;
    block_entry out{&g};
    for (int i = 0; i < g.name_count; ++i) {
        auto k = static_cast<name_id>(std::size(Binding::names));
        while (--k >= 0 && !(Binding::names[k] == g.names[i].name)) {}
        out.slots[i] = k;  // none when no name fits
    }
    return out;
}

constexpr text first_name_without_value(const block_entry& block) {
    for (int i = 0; i < block.nodes->name_count; ++i)
        if (const name_entry& entry = block.nodes->names[i];
            entry.size == at_load && block.slots[i] == none) return entry.name;
    return {};
}

/// Value of each entry of graph::names; 0 for an axis that is known at launch only.
struct bound_values { double of[graph::max_names]{}; };

template <class Binding>
constexpr bound_values values_for(const block_entry& block, const Binding& bound) {
    bound_values out;
    for (int i = 0; i < block.nodes->name_count; ++i)
        if (block.slots[i] != none) out.of[i] = bound.values[block.slots[i]];
        else if (const long size = block.nodes->names[i].size; size > 0)
            out.of[i] = static_cast<double>(size);
    return out;
}

constexpr double number_of(const attribute& a, const bound_values& values) {
    return a.name == none ? static_cast<double>(a.literal) : values.of[a.name];
}

/// Newton's method from above; std::sqrt is no constant expression under Clang.
constexpr double square_root(double x) {
    double root = x > 1 ? x : 1, next = (root + x / root) / 2;
    for (; next < root; next = (root + x / root) / 2) root = next;
    return root;
}

// What a compiler is to print must be a template argument of the function that asserts, and text
// must have its exact length: Clang prints an array with spare zeros as numbers.
template <std::size_t Size> struct words {
    char chars[Size];
    constexpr explicit words(const text& t) {
        for (std::size_t i = 0; i < Size; ++i) chars[i] = t.chars[i];
    }
};
template <text Text> inline constexpr words<Text.length + 1> words_of{Text};

template <class Block, words Missing> inline constexpr bool has_value = sizeof Missing == 1;
template <class Block, words Missing> constexpr void require_value() {
    static_assert(has_value<Block, Missing>,
                  "g4: bind: an axis<at_load> or scalar of this block has no let<> in bind()");
}

template <class Model>
using binding_of = decltype(Model::bind(std::declval<typename Model::config>()));

template <class Model, class Block> constexpr block_entry checked_entry() {
    constexpr block_entry out = entry_of<Block, binding_of<Model>>();
    require_value<Block, words_of<first_name_without_value(out)>>();
    return out;
}

template <class Model, class Blocks> struct entry_table;
template <class Model, class... Types> struct entry_table<Model, const hana::tuple<Types...>> {
    static constexpr block_entry value[]{checked_entry<Model, typename Types::type>()...};
};

/// The blocks of a model in the order of Model::blocks: the one bridge from Hana to an array.
template <class Model>
inline constexpr const auto& entries = entry_table<Model, decltype(Model::blocks)>::value;

template <class Model> std::vector<std::string> block_names() {
    return hana::unpack(Model::blocks, [](auto... block) {
        return std::vector{short_name<typename decltype(block)::type>()...};
    });
}

}  // namespace g4
