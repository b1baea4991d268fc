// The plan as text, in the form that tests compare and --dump prints: stages, slots, caches, bytes.
#pragma once
#include "g4/passes/bytes.hpp"
#include "g4/passes/plan_verify.hpp"
#include <cstdio>

namespace g4 {

inline std::string fixed(double value, int digits = 0) {
    char out[40];
    std::snprintf(out, sizeof out, "%.*f", digits, value);
    return out;
}
inline std::string megabytes(double bytes) { return fixed(bytes / 1e6, 3) + " MB"; }

/// One line: kinds, rows, whom it waits for, slots read and written, weights, cache read at context
/// 1024. [wanted]: only those rows of a slot that holds all.
inline std::string print_stage(const plan& p, int at, const stored_bytes& bytes) {
    const stage& s = p.stages[static_cast<std::size_t>(at)];
    const graph& g = p.nodes_of(s);
    const traffic moved = traffic_of(p, s, bytes, {}, 1, 1024);
    const auto name = [](rows of) { return rows_names[static_cast<std::size_t>(of)]; };
    std::string out = concat(name_of_stage(p, at), " ", kinds_of(g, p.group_of(s)), " | ",
                             name(s.of));
    for (const member& m : p.group_of(s).members)
        if (const rows of = p.needed({s.call, m.node}); m.at == phase::anchor && of != s.of)
            out += concat(", ", describe(g, m.node), " ", name(of));
    out += " | after";
    for (const int a : s.after) out += " " + name_of_stage(p, a);
    out += " |";
    for (const std::size_t b : s.reads)
        out += concat(" s", p.buffers[b].slot, p.buffers[b].of > s.of ? "[wanted]" : "");
    out += " ->";
    for (const std::size_t b : s.writes) out += concat(" s", p.buffers[b].slot);
    if (moved.linears > 0) out += " | " + megabytes(moved.linears);
    if (moved.cache_read > 0) out += " | cache " + megabytes(moved.cache_read);
    return out;
}

inline std::string print_slots(const plan& p) {
    std::string out;
    for (std::size_t i = 0; i < p.slots.size(); ++i) {
        const auto tenants = std::count_if(p.buffers.begin(), p.buffers.end(),
                                           [&](const buffer& b) { return b.slot == i; });
        out += concat("  s", i, " max(", p.slots[i].per_token, "·tokens, ", p.slots[i].per_wanted,
                      "·wanted) bytes, ", tenants, " buffers\n");
    }
    return out;
}

/// Caches by kind: each kind has one page table for all its layers.
inline std::string print_caches(const plan& p) {
    std::string out;
    for (std::size_t k = 0; k < p.cache_groups.size(); ++k) {
        const cache_group& kind = p.cache_groups[k];
        int readers = 0;
        out += concat("  window ", kind.window == 0 ? "all" : fixed(kind.window), ", ",
                      kind.bytes_per_token, " bytes a token and layer, ", kind.layers, " layers:");
        for (const cache_layout& c : p.caches) {
            if (c.kind != k) continue;
            out += concat(" ", c.layer) +
                   (c.readers > 1 ? concat("(", c.readers, " readers)") : "");
            readers += c.readers;
        }
        out += concat("; a step reads ", readers * kind.bytes_per_token,
                      " bytes a token in sight\n");
    }
    return out;
}

inline std::string print_arena(const plan& p, const char* what, const launch& size) {
    const arena_bytes a = arena_of(p, size);
    return concat("  ", what, ": ", fixed(a.planned), " bytes; alive at once ", fixed(a.live),
                  "; without reuse ", fixed(a.unshared), "\n");
}

/// One decoded token: the floor, part by part.
inline std::string print_floor(const plan& p, const stored_bytes& bytes, double context) {
    const traffic t = traffic_of(p, bytes, {}, 1, context);
    traffic layers;
    for (const stage& s : p.stages)
        if (p.call_of(s).layer != none) layers += traffic_of(p, s, bytes, {}, 1, context);
    return concat("  context ", context, ": ", megabytes(t.sum()), " = linears of layers ",
                  megabytes(layers.linears), " + other linears ",
                  megabytes(t.linears - layers.linears), " + cache read ",
                  megabytes(t.cache_read), " + norms ", megabytes(t.vectors), " + table rows ",
                  megabytes(t.table_rows), " + cache written ", megabytes(t.cache_written), "\n");
}

/// Everything: what g4-compile prints with --dump after=plan.
inline std::string print(const plan& p, const stored_bytes& bytes) {
    std::size_t waits = 0;
    for (const stage& s : p.stages) waits += s.after.size();
    std::string out = concat("plan: ", p.stages.size(), " stages, longest chain ",
                             longest_chain(p), ", ", waits, " waits, ", p.buffers.size(),
                             " buffers in ", p.slots.size(), " slots, ", p.caches.size(),
                             " caches\n");
    for (int at = 0; at < static_cast<int>(p.stages.size()); ++at)
        out += "  " + print_stage(p, at, bytes) + "\n";
    out += "slots\n" + print_slots(p) + "arena\n" + print_arena(p, "decode, 1 sequence", {1, 1}) +
           print_arena(p, "decode, 64 sequences", {64, 64}) +
           print_arena(p, "chunk of 512, 1 wanted", {512, 1}) + "caches\n" + print_caches(p) +
           "floor of one decoded token\n";
    for (const double context : {128, 1024, 16384}) out += print_floor(p, bytes, context);
    return out;
}

}  // namespace g4
