// Graphs and programs as text, in the form that tests compare and that --dump prints.
#pragma once
#include "g4/graph/bound_program.hpp"

namespace g4 {

/// Axes by name, with the values that are known; "*" joins axes that the file stores as one.
inline std::string print_shape(const graph& g, const shape& s, const bound_values& values = {}) {
    std::string out = "[";
    for (int i = 0; i < s.rank; ++i) {
        out += i == 0 ? "" : s.rows == 0 || i == s.rows ? ", " : "*";
        out += last_component(g.names[s.axes[i]].name);
        if (const double size = values.of[s.axes[i]]; size > 0) out += "=" + literal(size);
    }
    return out + (s.rank == 0 ? "1]" : "]");
}

/// One line of a dump: `13 attend [tokens, q_heads=8, head_dim=256] <- 6 12, width=512, 1`.
inline std::string print_node(const graph& g, int index, const bound_values& values) {
    const node& n = g.nodes[index];
    std::string out = concat(index, " ", op_name(n.kind), " ", print_shape(g, n.result, values));
    for (int i = 0; i < 3 && n.in[i] != none; ++i)
        out += concat(i == 0 ? " <- " : " ", n.in[i]);
    for (const attribute& a : n.attributes)
        if (a.name != none)
            out += concat(", ", last_component(g.names[a.name].name), "=",
                          literal(static_cast<float>(values.of[a.name])));
        else if (a.literal != 0) out += ", " + literal(a.literal);
    if (n.weight.empty()) return out;
    return concat(out, ", ", n.weight.view(), " ", print_shape(g, n.weight_shape, values));
}

inline std::string print_feed(const feed& f) {
    if (f.from == feed::token_ids) return "ids";
    if (f.from == feed::cache) return "cache";
    return concat("call ", f.call) + (f.row == none ? "" : concat("[", f.row, "]"));
}

/// Blocks with their nodes, then one line for each call: `14 decoder_layer<local, kv::own>, layer
/// 12, cache 12 <- call 13 call 1[12] cache`.
inline std::string print(const bound_program& p) {
    std::string out;
    for (const bound_block& b : p.blocks) {
        out += concat(b.name, ": ", b.nodes.node_count, " nodes, result ", b.nodes.result, "\n");
        for (int i = 0; i < b.nodes.node_count; ++i)
            out += "  " + print_node(b.nodes, i, b.values) + "\n";
    }
    out += "calls\n";
    for (std::size_t i = 0; i < p.calls.size(); ++i) {
        const bound_call& c = p.calls[i];
        out += concat("  ", i, " ", p.block_of(c).name);
        if (c.layer != none) out += concat(", layer ", c.layer, ", cache ", c.kv_layer);
        for (std::size_t k = 0; k < c.inputs.size(); ++k)
            out += (k == 0 ? " <- " : " ") + print_feed(c.inputs[k]);
        out += "\n";
    }
    return out;
}

/// `12 rms_norm`: a node in messages.
inline std::string describe(const graph& g, std::int16_t node) {
    return concat(node, " ", op_name(g.nodes[node].kind));
}

}  // namespace g4
