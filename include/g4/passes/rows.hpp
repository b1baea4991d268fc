// Pass rows: for how many rows of a step each node of each call must run.
#pragma once
#include "g4/passes/fuse.hpp"
#include <compare>
#include <optional>

namespace g4 {

/// How many rows a node is computed for: what of a prefill chunk reaches the wanted logits.
enum class rows : std::uint8_t { nobody, wanted, all };
inline constexpr std::string_view rows_names[]{"nobody", "wanted", "all"};

/// The two sizes that change from step to step. Every planned number is a function of them.
struct launch { double tokens = 1, wanted = 1; };
constexpr double count(rows of, const launch& size) {
    return of == rows::all ? size.tokens : of == rows::wanted ? size.wanted : 0;
}

/// A node of a call. An input stands for the result that it was wired to.
struct value {
    std::int16_t call, node;
    friend auto operator<=>(const value&, const value&) = default;
};
inline std::optional<value> computed(const bound_program& p, value v) {
    const bound_call& c = p.calls[static_cast<std::size_t>(v.call)];
    if (p.nodes_of(c).nodes[v.node].kind != op::input) return v;
    const feed& from = c.inputs[static_cast<std::size_t>(v.node)];
    if (from.from != feed::result) return std::nullopt;
    return value{from.call, p.nodes_of(p.calls[static_cast<std::size_t>(from.call)]).result};
}

/// What the step gives: the result of the last call.
inline value computed_result(const bound_program& p) {
    return {static_cast<std::int16_t>(p.calls.size() - 1), p.nodes_of(p.calls.back()).result};
}

/// Backwards from the logits: a node runs for the rows that its readers need. What enters a cache
/// runs for all, because later steps read it. This is the prefill skip, and it is exact.
inline std::vector<std::vector<rows>> rows_needed(const bound_program& p) {
    std::vector<std::vector<rows>> out;
    for (const bound_call& c : p.calls)
        out.emplace_back(static_cast<std::size_t>(p.nodes_of(c).node_count), rows::nobody);
    out.back()[static_cast<std::size_t>(computed_result(p).node)] = rows::wanted;
    for (std::int16_t call = static_cast<std::int16_t>(p.calls.size() - 1); call >= 0; --call) {
        const graph& g = p.nodes_of(p.calls[static_cast<std::size_t>(call)]);
        for (std::int16_t n = static_cast<std::int16_t>(g.node_count - 1); n >= 0; --n) {
            rows& self = out[static_cast<std::size_t>(call)][static_cast<std::size_t>(n)];
            if (role_of(g.nodes[n]) == role::store) self = rows::all;
            for (const std::int16_t in : g.nodes[n].in) {
                if (in == none || is_cache(g, g.nodes[in])) continue;
                if (const auto v = computed(p, {call, in})) {
                    rows& needed =
                        out[static_cast<std::size_t>(v->call)][static_cast<std::size_t>(v->node)];
                    needed = std::max(needed, self);
                }
            }
        }
    }
    return out;
}

}  // namespace g4
