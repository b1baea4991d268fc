// Pass fold: what the bound numbers make needless is taken out of the blocks.
#pragma once
#include "g4/graph/print.hpp"
#include <algorithm>

namespace g4 {

/// A multiply by a number that is known; `by` is its value once the model is bound.
struct known_factor {
    bool is = false;
    double by = 1;
};
inline known_factor factor_of(const node& n, const bound_values& values) {
    if (n.kind != op::multiply) return {};
    return {true, number_of(n.attributes[0], values)};
}

/// Readers of node `from` read node `to` instead.
inline void redirect(graph& g, std::int16_t from, std::int16_t to) {
    for (std::int16_t i = 0; i < g.node_count; ++i)
        for (std::int16_t& in : g.nodes[i].in)
            if (in == from) in = to;
    if (g.result == from) g.result = to;
}

/// A multiply whose operand is a multiply that nobody else reads takes both factors; one by 1 goes.
inline void fold_factors(graph& g, const bound_values& values) {
    for (std::int16_t i = 0; i < g.node_count; ++i) {
        const known_factor outer = factor_of(g.nodes[i], values);
        if (!outer.is) continue;
        const std::int16_t below = g.nodes[i].in[0];
        const known_factor inner = factor_of(g.nodes[below], values);
        const auto readers = readers_of(g)[static_cast<std::size_t>(below)].size();
        if (inner.is && readers == 1 && g.result != below) {
            g.nodes[i].attributes[0] = {static_cast<float>(outer.by * inner.by), none};
            g.nodes[i].in[0] = g.nodes[below].in[0];
        } else if (outer.by == 1) {
            redirect(g, i, below);
        }
    }
}

/// Nodes that neither the result nor a store needs go; inputs stay, because calls count on them.
inline void drop_unread(graph& g) {
    bool needed[graph::max_nodes]{};
    needed[g.result] = true;
    for (std::int16_t i = static_cast<std::int16_t>(g.node_count - 1); i >= 0; --i) {
        const role is = role_of(g.nodes[i]);
        needed[i] |= is == role::store || is == role::input;
        if (needed[i])
            for (const std::int16_t in : g.nodes[i].in)
                if (in != none) needed[in] = true;
    }
    std::int16_t place[graph::max_nodes]{}, count = 0;
    for (std::int16_t i = 0; i < g.node_count; ++i) {
        if (!needed[i]) continue;
        place[i] = count;
        g.nodes[count] = g.nodes[i];
        for (std::int16_t& in : g.nodes[count].in)
            if (in != none) in = place[in];
        ++count;
    }
    for (std::int16_t i = count; i < g.node_count; ++i) g.nodes[i] = {};
    g.result = place[g.result];
    g.node_count = count;
}

inline bound_program fold(bound_program p) {
    for (bound_block& b : p.blocks) {
        fold_factors(b.nodes, b.values);
        drop_unread(b.nodes);
    }
    return p;
}

/// Throws internal_error for an operand that does not stand before its reader, and for an input
/// that is not among the first nodes.
inline void verify(const bound_program& p) {
    for (const bound_block& b : p.blocks) {
        const graph& g = b.nodes;
        bool inputs_ended = false;
        for (std::int16_t i = 0; i < g.node_count; ++i) {
            const bool input = role_of(g.nodes[i]) == role::input;
            if (input && inputs_ended)
                throw internal_error{"fold: ", b.name, ": ", describe(g, i),
                                     ": expected among the first nodes"};
            inputs_ended |= !input;
            for (const std::int16_t in : g.nodes[i].in)
                if (in >= i)
                    throw internal_error{"fold: ", b.name, ": ", describe(g, i), " reads node ",
                                         in, ": expected an earlier node"};
        }
        if (g.result < 0 || g.result >= g.node_count)
            throw internal_error{"fold: ", b.name, ": expected a result, got node ", g.result};
    }
}

}  // namespace g4
