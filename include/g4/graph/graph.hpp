// What one block does, in order of declaration: an array of nodes and the names that they use.
#pragma once
#include "g4/core/axis.hpp"
#include "g4/core/type_name.hpp"
#include "g4/graph/node.hpp"
#include <concepts>
#include <cstddef>
#include <vector>

namespace g4 {

/// A name that the graph uses, and its size where that is a constant.
struct name_entry {
    text name;
    long size = at_load;
};

/// An attribute as the author writes it: a literal, or a scalar that the config gives.
struct number {
    float literal = 0;
    text name{};
    constexpr number(float value) : literal{value} {}
    template <std::derived_from<scalar> Name> constexpr number(Name) : name{name_of<Name>} {}
};

/// Plain data without pointers. Inputs come first: input k is node k.
struct graph {
    static constexpr std::int16_t max_nodes = 48, max_names = 16;
    node nodes[max_nodes]{};
    name_entry names[max_names]{};
    std::int16_t node_count = 0, name_count = 0;  // they count on past the maximum
    std::int16_t result = none;

    constexpr std::int16_t push(const node& n) {
        if (node_count < max_nodes) nodes[node_count] = n;
        return node_count++;
    }
    constexpr name_id id(const text& name, long size) {
        for (std::int16_t i = 0; i < name_count && i < max_names; ++i)
            if (names[i].name == name) return static_cast<name_id>(i);
        if (name_count < max_names) names[name_count] = {name, size};
        return static_cast<name_id>(name_count++);
    }
    template <class... Axes> constexpr shape shape_of(std::size_t rows) {
        return {{id(name_of<Axes>, Axes::size)...}, sizeof...(Axes),
                static_cast<std::uint8_t>(rows)};
    }
    constexpr attribute attribute_of(const number& n) {
        return {n.literal, n.name.empty() ? static_cast<name_id>(none) : id(n.name, at_load)};
    }
};

/// A cache has no token axis: the runtime owns its pages.
constexpr bool is_cache(const graph& g, const node& n) {
    return g.names[n.result.axes[0]].size != at_launch;
}

/// Nodes that read each node of a graph.
inline std::vector<std::vector<std::int16_t>> readers_of(const graph& g) {
    std::vector<std::vector<std::int16_t>> out(static_cast<std::size_t>(g.node_count));
    for (std::int16_t i = 0; i < g.node_count; ++i)
        for (const std::int16_t in : g.nodes[i].in)
            if (in != none) out[static_cast<std::size_t>(in)].push_back(i);
    return out;
}

}  // namespace g4
