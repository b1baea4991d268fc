// Pass fuse: the nodes of each block become groups, each one stage. Rules know roles, never names.
#pragma once
#include "g4/passes/fold.hpp"
#include <algorithm>
#include <span>

namespace g4 {

/// Where a member runs: prologue before the anchors, epilogue behind them.
enum class phase : std::uint8_t { prologue, anchor, epilogue };

struct member {
    std::int16_t node;
    phase at;
    reach needs = reach::element;  // of the anchor's outputs, through all members in between
};

/// Nodes that one stage computes. Anchors stand side by side; members lie in order of declaration.
struct group {
    std::vector<member> members;
    std::vector<std::int16_t> inputs, outputs;  // nodes read from outside, nodes read outside

    bool holds(std::int16_t node) const {
        return std::any_of(members.begin(), members.end(),
                           [&](const member& m) { return m.node == node; });
    }
};

struct fused_block { std::vector<group> groups; };

struct fused_program {
    bound_program program;
    std::vector<fused_block> blocks;  // in the order of program.blocks
};

/// What the rules see of a block: what has been placed, and what waits for its reader.
struct fusion {
    const graph& g;
    std::vector<std::vector<std::int16_t>> readers = readers_of(g);
    std::vector<std::int16_t> home =
        std::vector<std::int16_t>(static_cast<std::size_t>(g.node_count), none);
    std::vector<bool> waits = std::vector<bool>(static_cast<std::size_t>(g.node_count), false);
    std::vector<group> groups{};

    role role_at(std::int16_t node) const { return role_of(g.nodes[node]); }
};

/// What a rule says about a node. `wait`: each reader computes its own copy.
struct placement {
    enum kind : std::uint8_t { no_match, wait, join, open } how = no_match;
    std::int16_t group = none;
};

/// The first rule that matches places the node. Nodes come in order of declaration.
struct rule {
    std::string_view name;
    placement (*place)(const fusion&, std::int16_t node);
};

/// A norm that only anchors read: recomputed by each, because that is cheaper than a hop.
inline placement recompute_norm(const fusion& f, std::int16_t n) {
    const auto& readers = f.readers[static_cast<std::size_t>(n)];
    const bool only_anchors = std::all_of(readers.begin(), readers.end(), [&](std::int16_t r) {
        return f.role_at(r) == role::anchor; });
    return {f.role_at(n) == role::norm && !readers.empty() && only_anchors ? placement::wait
                                                                          : placement::no_match};
}

/// A table row, and what is computed from such rows alone, on its way to an epilogue.
inline placement gather_late(const fusion& f, std::int16_t n) {
    if (n == f.g.result) return {};
    for (const std::int16_t r : f.readers[static_cast<std::size_t>(n)])
        if (f.role_at(r) == role::anchor) return {};
    if (f.role_at(n) == role::gather) return {placement::wait};
    if (f.role_at(n) != role::pointwise) return {};
    for (const std::int16_t in : f.g.nodes[n].in)
        if (in != none && !f.waits[static_cast<std::size_t>(in)]) return {};
    return {placement::wait};
}

/// Linears with the same input share a stage: q, k, v; gate and up.
inline placement join_sibling(const fusion& f, std::int16_t n) {
    const node& self = f.g.nodes[n];
    if (self.kind != op::linear) return {};
    for (std::int16_t i = 0; i < n; ++i)
        if (f.g.nodes[i].kind == op::linear && f.g.nodes[i].in[0] == self.in[0])
            return {placement::join, f.home[static_cast<std::size_t>(i)]};
    return {};
}

/// What streams weights or cache opens a stage.
inline placement open_at_anchor(const fusion& f, std::int16_t n) {
    return {f.role_at(n) == role::anchor ? placement::open : placement::no_match};
}

/// Everything else follows its operands into the latest of their stages.
inline placement follow_operands(const fusion& f, std::int16_t n) {
    std::int16_t latest = none;
    for (const std::int16_t in : f.g.nodes[n].in)
        if (in != none) latest = std::max(latest, f.home[static_cast<std::size_t>(in)]);
    if (latest == none) return {};
    return {placement::join, latest};
}

/// What is left stands on inputs and table rows alone: an embedding.
inline placement open_anyway(const fusion&, std::int16_t) { return {placement::open}; }

inline constexpr rule fusion_rules[] = {
    {"recompute_norm", recompute_norm}, {"gather_late", gather_late},
    {"join_sibling", join_sibling},     {"open_at_anchor", open_at_anchor},
    {"follow_operands", follow_operands}, {"open_anyway", open_anyway},
};

/// Puts a node, and what waited for it, into a group; a gather that opens one is its anchor.
inline void put(fusion& f, std::int16_t n, std::int16_t to, phase at) {
    group& target = f.groups[static_cast<std::size_t>(to)];
    if (target.holds(n)) return;
    if (f.role_at(n) == role::gather && target.members.empty()) at = phase::anchor;
    for (const std::int16_t in : f.g.nodes[n].in)
        if (in != none && f.waits[static_cast<std::size_t>(in)])
            put(f, in, to, at == phase::anchor ? phase::prologue : at);
    target.members.push_back({n, at});
    if (!f.waits[static_cast<std::size_t>(n)]) f.home[static_cast<std::size_t>(n)] = to;
}

/// Order, reach, inputs and outputs follow from the members alone.
inline void finish(const fusion& f, group& made) {
    std::sort(made.members.begin(), made.members.end(),
              [](const member& a, const member& b) { return a.node < b.node; });
    reach needs[graph::max_nodes]{};
    for (member& m : made.members) {
        const node& n = f.g.nodes[m.node];
        if (m.at == phase::epilogue) m.needs = reach_of(n);
        for (const std::int16_t in : n.in) {
            if (in == none) continue;
            if (!made.holds(in)) {
                if (std::find(made.inputs.begin(), made.inputs.end(), in) == made.inputs.end())
                    made.inputs.push_back(in);
            } else if (m.at == phase::epilogue) m.needs = std::max(m.needs, needs[in]);
        }
        needs[m.node] = m.needs;
        const auto& readers = f.readers[static_cast<std::size_t>(m.node)];
        const bool read_outside = std::any_of(readers.begin(), readers.end(), [&](std::int16_t r) {
            return !made.holds(r); });
        if ((read_outside && !f.waits[static_cast<std::size_t>(m.node)]) || m.node == f.g.result)
            made.outputs.push_back(m.node);
    }
}

inline fused_block fuse_block(const graph& g, std::span<const rule> rules) {
    fusion f{g};
    for (std::int16_t n = 0; n < g.node_count; ++n) {
        if (f.role_at(n) == role::input) continue;
        placement where;
        for (std::size_t r = 0; r < rules.size() && where.how == placement::no_match; ++r)
            where = rules[r].place(f, n);
        if (where.how == placement::wait) f.waits[static_cast<std::size_t>(n)] = true;
        if (where.how == placement::open) {
            where.group = static_cast<std::int16_t>(f.groups.size());
            f.groups.emplace_back();
        }
        if (where.group != none)
            put(f, n, where.group,
                f.role_at(n) == role::anchor ? phase::anchor : phase::epilogue);
    }
    for (group& made : f.groups) finish(f, made);
    return {std::move(f.groups)};
}

/// Groups of every block. Does not check itself: verify() does, after every pass.
inline fused_program fuse(bound_program program, std::span<const rule> rules = fusion_rules) {
    fused_program out{std::move(program), {}};
    for (const bound_block& b : out.program.blocks)
        out.blocks.push_back(fuse_block(b.nodes, rules));
    return out;
}

/// The kinds of a group by phase, repeats counted: "rms_norm linear*2 gelu_tanh mul".
inline std::string kinds_of(const graph& g, const group& made) {
    std::string out;
    for (const phase at : {phase::prologue, phase::anchor, phase::epilogue}) {
        int count[std::size(traits)]{};
        for (const member& m : made.members)
            if (m.at == at) ++count[static_cast<std::size_t>(g.nodes[m.node].kind)];
        for (const member& m : made.members) {
            const std::size_t kind = static_cast<std::size_t>(g.nodes[m.node].kind);
            int& repeats = count[kind];
            if (m.at != at || repeats == 0) continue;
            out += (out.empty() ? "" : " ") + std::string{traits[kind].name};
            if (repeats > 1) out += "*" + std::to_string(repeats);
            repeats = 0;
        }
    }
    return out;
}

/// Throws internal_error for the first of: a node in no group, or in two unless it may be
/// recomputed; a group that reads a later one or a node nobody publishes; an anchor that reads an
/// epilogue of its own stage; anchors of different kinds; a result that no group publishes.
inline void verify(const fused_block& block, const graph& g, const std::string& name) {
    const auto fail = [&](const std::string& what) {
        throw internal_error{"fuse: " + name + ": " + what};
    };
    std::vector<std::int16_t> first_home(static_cast<std::size_t>(g.node_count), none);
    for (std::int16_t i = 0; i < static_cast<std::int16_t>(block.groups.size()); ++i) {
        const group& made = block.groups[static_cast<std::size_t>(i)];
        const std::string self = "group " + std::to_string(i);
        const auto anchor = std::find_if(made.members.begin(), made.members.end(),
                                         [](const member& m) { return m.at == phase::anchor; });
        if (anchor == made.members.end())
            fail(self + ": expected an anchor, got " + kinds_of(g, made));
        for (const member& m : made.members) {
            std::int16_t& home = first_home[static_cast<std::size_t>(m.node)];
            const bool cheap = role_of(g.nodes[m.node]) != role::anchor &&
                               role_of(g.nodes[m.node]) != role::store;
            if (home != none && !cheap)
                fail(describe(g, m.node) + ": expected in one group, got it in groups " +
                     std::to_string(home) + " and " + std::to_string(i));
            if (home == none) home = i;
            if (m.at == phase::anchor && g.nodes[m.node].kind != g.nodes[anchor->node].kind)
                fail(self + ": expected anchors of one kind, got " + describe(g, anchor->node) +
                     " and " + describe(g, m.node));
            for (const std::int16_t in : g.nodes[m.node].in) {
                if (in == none || m.at != phase::anchor) continue;
                for (const member& other : made.members)
                    if (other.node == in && other.at != phase::prologue)
                        fail(self + ": anchor " + describe(g, m.node) +
                             " reads what its own stage computes behind anchors: " +
                             describe(g, in));
            }
        }
    }
    for (std::int16_t n = 0; n < g.node_count; ++n)
        if (role_of(g.nodes[n]) != role::input && first_home[static_cast<std::size_t>(n)] == none)
            fail(describe(g, n) + ": expected in a group, got none");
    for (std::size_t i = 0; i < block.groups.size(); ++i)
        for (const std::int16_t in : block.groups[i].inputs) {
            if (role_of(g.nodes[in]) == role::input) continue;
            const auto published = [&](const group& by) {
                return std::find(by.outputs.begin(), by.outputs.end(), in) != by.outputs.end();
            };
            const auto end = block.groups.begin() + std::ptrdiff_t(i);
            if (std::none_of(block.groups.begin(), end, published))
                fail("group " + std::to_string(i) + " (" + kinds_of(g, block.groups[i]) +
                     ") reads " + describe(g, in) + ": expected from an earlier group, got group " +
                     std::to_string(first_home[static_cast<std::size_t>(in)]));
        }
    if (first_home[static_cast<std::size_t>(g.result)] == none) fail("nobody computes the result");
}

inline void verify(const fused_program& p) {
    for (std::size_t b = 0; b < p.blocks.size(); ++b)
        verify(p.blocks[b], p.program.blocks[b].nodes, p.program.blocks[b].name);
}

inline std::string print(const graph& g, const group& made) {
    std::string out = kinds_of(g, made) + "\n     ";
    for (const std::int16_t n : made.inputs) out += " <" + std::to_string(n);
    const auto part = [&](std::string_view title, auto&& is_in) {
        std::string text;
        for (const member& m : made.members)
            if (is_in(m)) {
                text += (text.empty() ? "" : ", ") + describe(g, m.node);
                if (const node& n = g.nodes[m.node]; n.weight.length > 0)
                    text += " " + string(n.weight).substr(0, n.weight.view().rfind(".weight"));
            }
        if (!text.empty()) out += " | " + std::string{title} + " " + text;
    };
    part("first", [](const member& m) { return m.at == phase::prologue; });
    part("stream", [](const member& m) { return m.at == phase::anchor; });
    for (const reach needs : {reach::element, reach::part, reach::row})
        part("by " + std::string{reach_names[static_cast<std::size_t>(needs)]},
             [&](const member& m) { return m.at == phase::epilogue && m.needs == needs; });
    out += " |";
    for (const std::int16_t n : made.outputs) out += " >" + std::to_string(n);
    return out;
}

/// Every group of every block, two lines each: what it is, and what it reads, does and publishes.
inline std::string print(const fused_program& p) {
    std::string out;
    for (std::size_t b = 0; b < p.blocks.size(); ++b) {
        const graph& g = p.program.blocks[b].nodes;
        out += p.program.blocks[b].name + ": " + std::to_string(g.node_count) + " nodes, " +
               std::to_string(p.blocks[b].groups.size()) + " groups\n";
        for (std::size_t i = 0; i < p.blocks[b].groups.size(); ++i)
            out += "  " + std::to_string(i) + " " + print(g, p.blocks[b].groups[i]) + "\n";
    }
    return out;
}

}  // namespace g4
