// Pass plan: fused blocks become the stages of one step, with dependencies, buffers and caches.
#pragma once
#include "g4/passes/rows.hpp"
#include <map>
#include <set>

namespace g4 {

/// A result that leaves its stage. Lives from stage `first` to stage `last`.
struct buffer {
    std::int16_t call, node;
    rows of;
    double bytes_per_row;
    int first, last;
    std::size_t slot = 0;
};

/// A piece of the arena. Its tenants do not overlap in time; it is as long as the longest.
struct slot {
    double per_token = 0, per_wanted = 0;
    double bytes(const launch& n) const {
        return std::max(per_token * n.tokens, per_wanted * n.wanted);
    }
};

/// Keys and values of one owning layer; `kind` says which page table, `place` where in a page.
struct cache_layout {
    std::int16_t layer;
    std::int32_t kv_heads, head_dim;
    double bytes_per_token;  // keys and values
    double window = 1;       // tokens that a reader looks back; unbounded: all
    int readers = 0;
    std::size_t kind = 0;
    int place = 0;           // among the layers of its kind
};

/// Layers of equal bytes and window share one page table and lie side by side in a page.
struct cache_group {
    double window;
    double bytes_per_token;  // of one layer
    int layers = 0;
};

/// One group of one call: a kernel launch, or one step of a persistent kernel. `work` is what it
/// computes, in order: the group's members, until a lowering moves some to another stage.
struct stage {
    std::int16_t call;
    std::size_t group;
    std::vector<value> work{};
    rows of = rows::nobody;                      // the most that a member needs
    std::vector<std::size_t> reads{}, writes{};  // buffers
    std::vector<int> after{};                    // stages that publish what this one reads

    bool holds(const value& v) const {
        return std::find(work.begin(), work.end(), v) != work.end();
    }
};

struct plan {
    fused_program fused;
    std::vector<std::vector<rows>> needs;  // [call][node]
    std::vector<stage> stages;
    std::vector<buffer> buffers;
    std::vector<slot> slots;
    std::vector<cache_layout> caches;
    std::vector<cache_group> cache_groups;

    const bound_program& program() const { return fused.program; }
    const bound_call& call_of(const stage& s) const { return fused.program.at(s.call); }
    const graph& nodes_of(const stage& s) const { return fused.program.nodes_of(call_of(s)); }
    const group& group_of(const stage& s) const {
        return fused.blocks[static_cast<std::size_t>(call_of(s).block)].groups[s.group];
    }
    rows needed(const value& v) const {
        return needs[static_cast<std::size_t>(v.call)][static_cast<std::size_t>(v.node)];
    }
    const cache_layout& cache_of(std::int16_t layer) const {
        const auto found = std::find_if(caches.begin(), caches.end(),
                                        [&](const cache_layout& c) { return c.layer == layer; });
        G4_ASSERT(found != caches.end(), "plan: no cache of layer ", layer);
        return *found;
    }
};

/// Calls in order, groups in order: what each stage computes.
inline void add_stages(plan& out) {
    const bound_program& p = out.program();
    for (std::int16_t call = 0; call < static_cast<std::int16_t>(p.calls.size()); ++call) {
        const auto& groups = out.fused.blocks[static_cast<std::size_t>(p.at(call).block)].groups;
        for (std::size_t i = 0; i < groups.size(); ++i) {
            out.stages.push_back({call, i});
            for (const member& m : groups[i].members)
                out.stages.back().work.push_back({call, m.node});
        }
    }
}

/// What a stage reads that others compute, and the layers whose caches it reads or fills.
struct reading { std::vector<value> values; std::vector<std::int16_t> caches, fills; };
inline reading reading_of(const plan& p, const stage& s) {
    const bound_program& program = p.program();
    reading out;
    for (const value& v : s.work) {
        const bound_call& c = program.at(v.call);
        const graph& g = program.nodes_of(c);
        if (g.nodes[v.node].kind == op::append) out.fills.push_back(c.kv_layer);
        if (g.nodes[v.node].kind == op::attend) out.caches.push_back(c.kv_layer);
        for (const std::int16_t in : g.nodes[v.node].in) {
            if (in == none || is_cache(g, g.nodes[in])) continue;
            const auto from = computed(program, {v.call, in});
            if (from && !s.holds(*from)) out.values.push_back(*from);
        }
    }
    return out;
}

/// From the work of all stages: the buffers between them, and who waits for whom.
struct connector {
    plan& out;
    std::map<value, std::size_t> buffer_of{};
    std::map<std::int16_t, int> filled{};  // layer: the stage that fills its cache in this step

    void read(int self, const reading& in) {
        stage& s = out.stages[static_cast<std::size_t>(self)];
        std::set<int> after;
        std::set<std::size_t> reads;
        for (const std::int16_t layer : in.fills) filled[layer] = self;
        for (const std::int16_t layer : in.caches)
            if (filled.contains(layer) && filled[layer] != self) after.insert(filled[layer]);
        for (const value& v : in.values) {
            if (!buffer_of.contains(v))
                throw internal_error{
                    "plan: stage ", self, " reads ",
                    describe(out.program().nodes_of(out.program().at(v.call)), v.node),
                    ": expected from an earlier stage, got none"};
            buffer& from = out.buffers[buffer_of.at(v)];
            from.last = self;
            after.insert(from.first);
            reads.insert(buffer_of.at(v));
        }
        s.after.assign(after.begin(), after.end());
        s.reads.assign(reads.begin(), reads.end());
    }
    void write(int self, const std::set<value>& read_by_others) {
        stage& s = out.stages[static_cast<std::size_t>(self)];
        const bound_program& p = out.program();
        for (const value& v : s.work) {
            s.of = std::max(s.of, out.needed(v));
            const bound_call& c = p.at(v.call);
            const node& n = p.nodes_of(c).nodes[v.node];
            if (!read_by_others.contains(v) || is_cache(p.nodes_of(c), n)) continue;
            buffer_of[v] = out.buffers.size();
            s.writes.push_back(out.buffers.size());
            out.buffers.push_back({v.call, v.node, out.needed(v),
                                   elements_per_token(n.result, p.values_of(c)) * n.element_bytes,
                                   self, self});
        }
    }
};

inline void connect(plan& out) {
    const value result = computed_result(out.program());
    std::vector<reading> all;
    std::set<value> read{result};
    for (const stage& s : out.stages) {
        all.push_back(reading_of(out, s));
        read.insert(all.back().values.begin(), all.back().values.end());
    }
    connector c{out};
    for (int self = 0; self < static_cast<int>(out.stages.size()); ++self) {
        c.read(self, all[static_cast<std::size_t>(self)]);
        c.write(self, read);
    }
    out.buffers[c.buffer_of.at(result)].last = static_cast<int>(out.stages.size());
}

/// For each stage, the stages that have certainly ended when it starts, by waiting alone.
inline std::vector<std::vector<bool>> certainly_before(const plan& p) {
    std::vector<std::vector<bool>> out;
    for (const stage& s : p.stages) {
        std::vector<bool> before(p.stages.size(), false);
        for (const int a : s.after) {
            before[static_cast<std::size_t>(a)] = true;
            for (std::size_t i = 0; i < before.size(); ++i)
                if (out[static_cast<std::size_t>(a)][i]) before[i] = true;
        }
        out.push_back(std::move(before));
    }
    return out;
}

/// A buffer takes the free slot that grows least, the tightest of equals; else a new one. A slot
/// is free for it when all that wrote or read its last tenant has certainly ended, by the waits
/// alone: so reuse is safe in any executor that honours `after`, whatever order it runs in.
struct slot_placer {
    plan& out;
    std::vector<std::vector<bool>> before = certainly_before(out);
    std::vector<std::vector<int>> users{};  // of each slot's last tenant

    std::vector<int> users_of(std::size_t b) const {
        std::vector<int> stages{out.buffers[b].first};
        for (int i = 0; i < static_cast<int>(out.stages.size()); ++i) {
            const auto& reads = out.stages[static_cast<std::size_t>(i)].reads;
            if (std::find(reads.begin(), reads.end(), b) != reads.end()) stages.push_back(i);
        }
        if (out.buffers[b].last == static_cast<int>(out.stages.size()))
            stages.push_back(out.buffers[b].last);  // the step's result: read after all stages
        return stages;
    }
    bool is_free(std::size_t slot, int stage) const {
        return std::all_of(users[slot].begin(), users[slot].end(), [&](int user) {
            return user < stage &&
                   before[static_cast<std::size_t>(stage)][static_cast<std::size_t>(user)]; });
    }
    void place(std::size_t b) {
        buffer& self = out.buffers[b];
        const auto grown = [&](slot s) {
            double& size = self.of == rows::all ? s.per_token : s.per_wanted;
            size = std::max(size, self.bytes_per_row);
            return s;
        };
        const auto cost = [&](const slot& s) {
            const slot g = grown(s);
            return std::pair{g.per_token + g.per_wanted - s.per_token - s.per_wanted,
                             s.per_token + s.per_wanted};
        };
        std::size_t best = out.slots.size();
        for (std::size_t i = 0; i < out.slots.size(); ++i)
            if (is_free(i, self.first) &&
                (best == out.slots.size() || cost(out.slots[i]) < cost(out.slots[best]))) best = i;
        if (best == out.slots.size()) {
            out.slots.emplace_back();
            users.emplace_back();
        }
        out.slots[best] = grown(out.slots[best]);
        users[best] = users_of(b);
        self.slot = best;
    }
};

/// Who owns a cache, what a token takes in it, and how far back its readers look.
inline void add_caches(plan& out) {
    const bound_program& p = out.program();
    std::map<std::int16_t, std::size_t> cache_of;
    for (const bound_call& c : p.calls) {
        const graph& g = p.nodes_of(c);
        const bound_values& values = p.values_of(c);
        for (std::int16_t i = 0; i < g.node_count; ++i) {
            const node& n = g.nodes[i];
            if (n.kind == op::append) {
                cache_of[c.layer] = out.caches.size();
                out.caches.push_back(
                    {c.layer, static_cast<std::int32_t>(values.of[n.result.axes[0]]),
                     static_cast<std::int32_t>(values.of[n.result.axes[1]]),
                     2 * elements(n.result, values) * n.element_bytes});
            }
            if (n.kind != op::attend) continue;
            cache_layout& read = out.caches[cache_of.at(c.kv_layer)];
            const double tokens = number_of(n.attributes[0], values);
            const bool whole = tokens == 0 || read.window == 0;  // 0: unbounded
            read.window = whole ? 0 : std::max(read.window, tokens);
            ++read.readers;
        }
    }
    for (cache_layout& c : out.caches) {
        const auto same = [&](const cache_group& k) {
            return k.window == c.window && k.bytes_per_token == c.bytes_per_token; };
        const auto found = std::find_if(out.cache_groups.begin(), out.cache_groups.end(), same);
        c.kind = static_cast<std::size_t>(found - out.cache_groups.begin());
        if (found == out.cache_groups.end())
            out.cache_groups.push_back({c.window, c.bytes_per_token});
        c.place = out.cache_groups[c.kind].layers++;
    }
}

/// A lowering's own pass over the stages, run before buffers are placed.
using stage_pass = void (*)(plan&);

/// The plan of one step. Does not check itself: see verify() in plan_verify.hpp.
inline plan make_plan(fused_program fused, stage_pass lowering = nullptr) {
    plan out{std::move(fused), {}, {}, {}, {}, {}, {}};
    out.needs = rows_needed(out.program());
    add_stages(out);
    if (lowering != nullptr) lowering(out);
    connect(out);
    slot_placer placer{out};
    for (std::size_t b = 0; b < out.buffers.size(); ++b) placer.place(b);
    add_caches(out);
    return out;
}

}  // namespace g4
