// Bytes that a stage and a step must move: the floor that a measured time is held against.
#pragma once
#include "g4/passes/plan.hpp"
#include <functional>

namespace g4 {

/// Bytes of a weight as it is stored, by full tensor name and size: the checkpoint's word. Whether
/// a linear is quantised is never inferred from its place.
using stored_bytes = std::function<double(const std::string& name, const matrix_size& size)>;

/// Every weight in bf16.
inline double all_bf16(const std::string&, const matrix_size& size) {
    return static_cast<double>(size.rows * size.columns) * bf16::bytes;
}

/// What one stage moves, in bytes.
struct traffic {
    double linears = 0;      // weights of linears, read once for the whole step
    double vectors = 0;      // norm weights and scalars, likewise
    double table_rows = 0;   // rows of embeddings, for each token
    double cache_read = 0, cache_written = 0;
    double flops = 0;        // of the linears

    double sum() const { return linears + vectors + table_rows + cache_read + cache_written; }
    traffic& operator+=(const traffic& more) {
        linears += more.linears;
        vectors += more.vectors;
        table_rows += more.table_rows;
        cache_read += more.cache_read;
        cache_written += more.cache_written;
        flops += more.flops;
        return *this;
    }
};

/// One step: `size.tokens` rows in so many sequences; each sees `context` tokens.
///   cache_read counts each sequence's keys and values once a reading layer
inline traffic traffic_of(const plan& p, const stage& s, const stored_bytes& bytes,
                          const launch& size, double sequences, double context) {
    traffic out;
    const bound_call& c = p.call_of(s);
    const graph& g = p.nodes_of(s);
    const bound_values& values = p.program().values_of(c);
    for (const member& m : p.group_of(s).members) {
        const node& n = g.nodes[m.node];
        const double tokens = count(p.needed({s.call, m.node}), size);
        const matrix_size weight = size_of_weight(n, values);
        const double weights = static_cast<double>(weight.rows * weight.columns);
        if (tokens == 0) continue;
        if (n.kind == op::linear) {
            out.linears += bytes(p.program().tensor_name(c, n), weight);
            out.flops += 2 * weights * tokens;
        } else if (n.kind == op::embed) {
            out.table_rows += tokens * elements_per_token(n.weight_shape, values) * bf16::bytes;
        } else if (!n.weight.empty()) {
            out.vectors += weights * bf16::bytes;
        }
        if (n.kind != op::append && n.kind != op::attend) continue;
        const cache_layout& owned = p.cache_of(c.kv_layer);
        const double window = number_of(n.attributes[0], values);
        const double seen = window == 0 ? context : std::min(context, window);
        if (n.kind == op::append) out.cache_written += tokens * owned.bytes_per_token;
        else out.cache_read += sequences * seen * owned.bytes_per_token;
    }
    return out;
}

inline traffic traffic_of(const plan& p, const stored_bytes& bytes, const launch& size,
                          double sequences, double context) {
    traffic out;
    for (const stage& s : p.stages) out += traffic_of(p, s, bytes, size, sequences, context);
    return out;
}

/// Arena bytes: planned, the least that any plan needs, and without reuse.
struct arena_bytes { double planned = 0, live = 0, unshared = 0; };
inline arena_bytes arena_of(const plan& p, const launch& size) {
    arena_bytes out;
    for (const slot& s : p.slots) out.planned += s.bytes(size);
    const auto bytes = [&](const buffer& b) { return b.bytes_per_row * count(b.of, size); };
    for (const buffer& b : p.buffers) out.unshared += bytes(b);
    for (int at = 0; at < static_cast<int>(p.stages.size()); ++at) {
        double live = 0;
        for (const buffer& b : p.buffers)
            if (b.first <= at && at <= b.last) live += bytes(b);
        out.live = std::max(out.live, live);
    }
    return out;
}

}  // namespace g4
