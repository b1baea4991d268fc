// The bound program as one value: blocks with numbers and wired calls; what every pass starts from.
#pragma once
#include "g4/core/error.hpp"
#include "g4/graph/bind.hpp"

namespace g4 {

struct bound_block {
    std::string name;
    graph nodes;  // its own copy: passes may rewrite it
    bound_values values;
};

/// A tensor that is read as f32, and what is added to each of its elements first.
struct bound_vector {
    std::string tensor;
    float added = 0;
    friend auto operator<=>(const bound_vector&, const bound_vector&) = default;
};

/// One call with a feed for every input node of its block, caches included.
struct bound_call {
    std::int16_t block, layer, kv_layer;
    std::vector<feed> inputs;
};

struct bound_program {
    std::string prefix;  // of every tensor name
    std::vector<bound_block> blocks;
    std::vector<bound_call> calls;

    const bound_block& block_of(const bound_call& c) const {
        return blocks[static_cast<std::size_t>(c.block)];
    }
    const graph& nodes_of(const bound_call& c) const { return block_of(c).nodes; }
    const bound_values& values_of(const bound_call& c) const { return block_of(c).values; }
    const bound_call& at(std::int16_t call) const { return calls[static_cast<std::size_t>(call)]; }

    /// The full name of the tensor that `n` of call `c` reads.
    std::string tensor_name(const bound_call& c, const node& n) const {
        if (c.layer == none) return prefix + string(n.weight);
        return concat(prefix, "layers.", c.layer, ".", n.weight.view());
    }
    /// The factors of a norm or a scale; its tensor is empty when the node reads none.
    bound_vector vector_of(const bound_call& c, const node& n) const {
        if (n.weight.empty()) return {};
        const double added = n.kind == op::rms_norm ? number_of(n.attributes[1], values_of(c)) : 0;
        return {tensor_name(c, n), static_cast<float>(added)};
    }
};

/// Elements a row: the product of all axes but the first, which counts tokens.
inline double elements_per_token(const shape& s, const bound_values& values) {
    double product = 1;
    for (int i = 1; i < s.rank; ++i) product *= values.of[s.axes[i]];
    return product;
}

inline double elements(const shape& s, const bound_values& values) {
    double product = 1;
    for (int i = 0; i < s.rank; ++i) product *= values.of[s.axes[i]];
    return product;
}

/// A weight as a matrix: the file joins its first `rows` axes, and the others.
struct matrix_size { std::int64_t rows = 1, columns = 1; };
inline matrix_size size_of_weight(const node& n, const bound_values& values) {
    matrix_size out;
    for (int i = 0; i < n.weight_shape.rank; ++i)
        (i < n.weight_shape.rows ? out.rows : out.columns) *=
            static_cast<std::int64_t>(values.of[n.weight_shape.axes[i]]);
    return out;
}

/// A tensor that the checkpoint must hold. Used by a linear alone, it may be quantised.
struct declared_tensor {
    std::string name;
    matrix_size size;
    bool linear = true;
};

/// Every tensor of the checkpoint, once, in the order of first use.
inline std::vector<declared_tensor> declared_tensors(const bound_program& p) {
    std::vector<declared_tensor> out;
    for (const bound_call& c : p.calls) {
        const graph& g = p.nodes_of(c);
        for (int i = 0; i < g.node_count; ++i) {
            const node& n = g.nodes[i];
            if (n.weight.empty()) continue;
            std::string name = p.tensor_name(c, n);
            std::size_t known = 0;  // tied tables are few, and only calls outside layers share
            while (known < out.size() && (c.layer != none || out[known].name != name)) ++known;
            if (known < out.size()) out[known].linear &= n.kind == op::linear;
            else out.push_back({std::move(name), size_of_weight(n, p.values_of(c)),
                                n.kind == op::linear});
        }
    }
    return out;
}

/// Binds a config to a model. Does not check itself: see throw_unless_fit() in ops/check.hpp.
template <class Model> bound_program bind_program(const typename Model::config& config) {
    const auto bound = Model::bind(config);
    const std::vector<std::string> names = block_names<Model>();
    bound_program out{std::string{Model::prefix}, {}, {}};
    for (std::size_t b = 0; b < names.size(); ++b)
        out.blocks.push_back({names[b], *entries<Model>[b].nodes,
                              values_for(entries<Model>[b], bound)});
    for (const call& c : Model::schedule(config)) {
        out.calls.push_back({c.block, c.layer, c.kv_layer, {}});
        const graph& g = out.nodes_of(out.calls.back());
        std::size_t next = 0;
        for (int i = 0; i < g.node_count && g.nodes[i].kind == op::input; ++i)
            out.calls.back().inputs.push_back(
                is_cache(g, g.nodes[i]) ? feed{feed::cache} : c.inputs[next++]);
    }
    return out;
}

}  // namespace g4
