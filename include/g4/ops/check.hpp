// Checks the numbers and the wiring of a bound model: at compile time for published configs.
#pragma once
#include "g4/core/error.hpp"
#include "g4/graph/bind.hpp"

namespace g4 {

/// Why a config does not fit its declaration; nothing is expected when it does.
struct finding {
    text where{}, expected{};
    long got = 0;
    constexpr bool ok() const { return expected.empty(); }
};

/// The rules for the numbers of one operator.
constexpr finding check_node(const graph& g, const node& n, const bound_values& values) {
    const auto size = [&](name_id id) { return static_cast<long>(values.of[id]); };
    const auto name = [&](name_id id) { return last_component(g.names[id].name); };
    const text where{op_name(n.kind)};
    for (int i = 0; i < n.result.rank; ++i) {
        const name_id axis = n.result.axes[i];
        if (g.names[axis].size != at_launch && size(axis) < 1)
            return {where, text{} + name(axis) + " at least 1", size(axis)};
    }
    if (n.kind == op::rope && size(n.result.axes[2]) % 2 != 0)
        return {where, text{} + name(n.result.axes[2]) + " even", size(n.result.axes[2])};
    if (n.kind == op::rope && !(number_of(n.attributes[2], values) > 0))
        return {where, "factor above 0", static_cast<long>(number_of(n.attributes[2], values))};
    if (n.kind == op::attend) {
        const name_id q = n.result.axes[1], kv = g.nodes[n.in[1]].result.axes[0];
        const text expected = text{} + name(q) + " a multiple of " + name(kv) + " " + size(kv);
        if (size(q) % size(kv) != 0) return {where, expected, size(q)};
    }
    return {};
}

/// The head size of the cache that a block attends to; 0 when it has no attention.
constexpr long cache_head_dim(const graph& g, const bound_values& values) {
    for (int i = 0; i < g.node_count; ++i)
        if (const node& n = g.nodes[i]; n.kind == op::attend)
            return static_cast<long>(values.of[g.nodes[n.in[1]].result.axes[1]]);
    return 0;
}

/// Whether `input` of a reader may stand for `result` of a writer, or for one layer's row of it.
constexpr bool feeds(const graph& writer, const graph& reader, const node& input, bool row) {
    const node& result = writer.nodes[writer.result];
    if (result.element_bytes != input.element_bytes) return false;
    if (result.result.rank != input.result.rank + (row ? 1 : 0)) return false;
    for (int i = 0; i < input.result.rank; ++i)
        if (!(writer.names[result.result.axes[row && i > 0 ? i + 1 : i]].name ==
              reader.names[input.result.axes[i]].name)) return false;
    return true;
}

/// Every input of the call at `at` is fed by an earlier result of its axes, or by the token ids.
template <class Model> constexpr finding check_feeds(const program& calls, std::size_t at) {
    const call& c = calls[at];
    const graph& g = *entries<Model>[c.block].nodes;
    const text where = text{"call "} + static_cast<long>(at);
    std::size_t next = 0;
    for (int i = 0; i < g.node_count && g.nodes[i].kind == op::input; ++i) {
        if (is_cache(g, g.nodes[i])) continue;
        if (next == c.inputs.count)
            return {where, "a feed for each input", static_cast<long>(c.inputs.count)};
        const feed& f = c.inputs[next++];
        if (f.from == feed::token_ids) {
            if (g.nodes[i].result.rank != 1 || g.nodes[i].element_bytes != i32::bytes)
                return {where + ": input " + i, "a result, not the token ids", 0};
            continue;
        }
        if (f.call < 0 || f.call >= static_cast<long>(at))
            return {where + ": input " + i, "an earlier call", f.call};
        if (!feeds(*entries<Model>[calls[static_cast<std::size_t>(f.call)].block].nodes, g,
                   g.nodes[i], f.row != none))
            return {where + ": input " + i, "a result of its axes", f.call};
    }
    if (next != c.inputs.count)
        return {where, text{} + static_cast<long>(next) + " feeds",
                static_cast<long>(c.inputs.count)};
    return {};
}

/// Binds a config and checks the numbers: constexpr, so that published configs are asserted.
template <class Model> constexpr finding check(const typename Model::config& config) {
    if (const finding found = Model::check(config); !found.ok()) return found;
    const auto bound = Model::bind(config);
    const program calls = Model::schedule(config);
    bool checked[std::size(entries<Model>)]{};
    long head_dims[program::capacity]{};  // of the cache of each layer
    for (std::size_t at = 0; at < calls.count; ++at) {
        const call& c = calls[at];
        const graph& g = *entries<Model>[c.block].nodes;
        const bound_values values = values_for(entries<Model>[c.block], bound);
        const text where = c.layer == none ? text{"block "} + c.block : text{"layer "} + c.layer;
        if (c.layer != none) {
            if (c.kv_layer == none) return {where, "1 earlier cache of its kind", 0};
            const long head_dim = head_dims[c.layer] = cache_head_dim(g, values);
            if (head_dims[c.kv_layer] != head_dim)
                return {where + ": cache", text{"head_dim "} + head_dim, head_dims[c.kv_layer]};
        }
        for (int i = 0; i < g.node_count && !checked[c.block]; ++i)
            if (const finding found = check_node(g, g.nodes[i], values); !found.ok())
                return {where + ": " + found.where.view(), found.expected, found.got};
        checked[c.block] = true;
        if (const finding found = check_feeds<Model>(calls, at); !found.ok()) return found;
    }
    return {};
}

template <words Where, words Expected, long Got>
inline constexpr bool nothing_is_wrong = sizeof Expected == 1;
template <words Where, words Expected, long Got> constexpr bool require_fit() {
    static_assert(nothing_is_wrong<Where, Expected, Got>,
                  "g4: check: the config does not fit the declaration (where, expected, got)");
    return true;
}
template <class Model, const auto& Config> constexpr bool require_fit_of() {
    constexpr finding found = check<Model>(Config);
    return require_fit<words_of<found.where>, words_of<found.expected>, found.got>();
}

/// For published configs: `static_assert(fits<text_model, e4b>);`.
template <class Model, const auto& Config>
inline constexpr bool fits = require_fit_of<Model, Config>();

/// Throws the finding of check() in the words of an input_error.
template <class Model> void throw_unless_fit(const typename Model::config& config) {
    if (const finding found = check<Model>(config); !found.ok())
        throw input_error{found.where.view(), ": expected ", found.expected.view(), ", got ",
                          found.got};
}

}  // namespace g4
