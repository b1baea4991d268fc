// The nodes of one stage as a lowering sees them: which a class of rows needs, and where each lies.
#pragma once
#include "g4/backends/cuda/passes.hpp"
#include <map>

namespace g4::cuda {

/// What all stages share while a plan is lowered.
struct lowering_context {
    const plan& planned;
    lowered_plan out;
    std::map<value, std::int32_t> buffer_of;

    std::int32_t cache_of(std::int16_t layer) const {
        return static_cast<std::int32_t>(&planned.cache_of(layer) - planned.caches.data());
    }
};

inline std::optional<g4k::step_op> step_op_of(op kind) {
    switch (kind) {
        case op::gelu_tanh: return g4k::step_op::gelu_tanh;
        case op::silu: return g4k::step_op::silu;
        case op::add: return g4k::step_op::add;
        case op::mul: return g4k::step_op::mul;
        case op::multiply: return g4k::step_op::multiply;
        case op::scale: return g4k::step_op::scale;
        case op::softcap: return g4k::step_op::softcap;
        case op::rms_norm: return g4k::step_op::rms_norm;
        case op::rope: return g4k::step_op::rope;
        default: return std::nullopt;
    }
}

class stage_nodes {
  public:
    stage_nodes(lowering_context& context, int stage, rows of)
        : context_{context},
          stage_{context.planned.stages[static_cast<std::size_t>(stage)]},
          call_{context.planned.call_of(stage_)},
          g_{context.planned.nodes_of(stage_)},
          values_{context.planned.program().values_of(call_)},
          of_{of} {
        for (const value& v : stage_.work) in_stage_[static_cast<std::size_t>(v.node)] = true;
        for (const member& m : context.planned.group_of(stage_).members)
            if (m.at == phase::anchor && g_.nodes[m.node].kind != op::embed)
                anchor_[static_cast<std::size_t>(m.node)] = true;
    }

    const node& node_of(std::int16_t n) const { return g_.nodes[n]; }
    const bound_values& values() const { return values_; }
    const bound_call& call() const { return call_; }
    std::string name() const {
        const std::string kinds = kinds_of(g_, context_.planned.group_of(stage_));
        return call_.layer == none ? kinds : concat("L", call_.layer, " ", kinds);
    }
    std::string tensor_name(std::int16_t n) const {
        return context_.planned.program().tensor_name(call_, node_of(n));
    }
    bool in_stage(std::int16_t n) const { return in_stage_[static_cast<std::size_t>(n)]; }
    bool is_anchor(std::int16_t n) const { return anchor_[static_cast<std::size_t>(n)]; }
    bool is_cache_node(std::int16_t n) const { return is_cache(g_, node_of(n)); }
    std::int64_t width_of(std::int16_t n) const {
        return static_cast<std::int64_t>(elements_per_token(node_of(n).result, values_));
    }
    std::int64_t last_axis_of(std::int16_t n) const {
        const shape& s = node_of(n).result;
        return static_cast<std::int64_t>(values_.of[s.axes[s.rank - 1]]);
    }
    /// The plan buffer that gets node `n` for this class of rows.
    std::int32_t buffer_of(std::int16_t n) const {
        if (context_.planned.needed({stage_.call, n}) != of_) return no_index;
        const auto found = context_.buffer_of.find({stage_.call, n});
        return found == context_.buffer_of.end() ? no_index : found->second;
    }
    bool is_left_behind(std::int16_t n) const {
        return context_.planned.needed({stage_.call, n}) == of_ &&
               (buffer_of(n) != no_index || node_of(n).kind == op::append);
    }

    /// Marks what this class of rows needs; false when it leaves nothing behind.
    bool find_needed() {
        for (const value& v : stage_.work)
            if (is_left_behind(v.node)) need(v.node);
        return !needed_.empty();
    }
    std::vector<std::int16_t> anchors() const {
        std::vector<std::int16_t> out;
        for (const auto& [n, yes] : needed_)
            if (is_anchor(n)) out.push_back(n);
        return out;
    }
    /// The needed nodes behind the anchors, without them, in order.
    std::vector<std::int16_t> behind() const {
        std::map<std::int16_t, bool> found;
        for (const auto& [n, yes] : needed_)
            if (is_left_behind(n) && !is_anchor(n)) collect(n, found);
        return keys_of(found);
    }
    /// `n` and what it stands on within the stage, short of anchors, in order.
    std::vector<std::int16_t> up_to(std::int16_t n) const {
        std::map<std::int16_t, bool> found;
        collect(n, found);
        return keys_of(found);
    }
    /// A node outside the stage as the buffer that holds it, or a layer's row of one.
    operand outside(std::int16_t n) const {
        const auto from = computed(context_.planned.program(), {stage_.call, n});
        G4_ASSERT(from.has_value(), "cuda: node ", n, " has no buffer");
        const auto found = context_.buffer_of.find(*from);
        G4_ASSERT(found != context_.buffer_of.end(), "cuda: node ", n, " is not published");
        std::int64_t offset = 0;
        if (node_of(n).kind == op::input)
            if (const feed& f = call_.inputs[static_cast<std::size_t>(n)]; f.row != none)
                offset = f.row * width_of(n);
        return {operand::buffer, found->second, offset};
    }

    /// One node as a step; `vectors` gets the tensor that it reads.
    g4k::step step_of(std::int16_t n, int left, int right, std::vector<bound_vector>& vectors) {
        const node& self = node_of(n);
        const auto kind = step_op_of(self.kind);
        if (!kind)
            throw input_error{"cuda: ", name(), ": expected an operator that a row kernel knows, ",
                              "got ", op_name(self.kind)};
        g4k::step out{*kind, left, right, 0, -1};
        if (self.kind == op::rms_norm || self.kind == op::multiply || self.kind == op::softcap)
            out.number = static_cast<float>(number_of(self.attributes[0], values_));
        if (!self.weight.empty()) {
            const bound_vector vector = context_.planned.program().vector_of(call_, self);
            out.vector = index_in(vectors, vector);
            index_in(context_.out.vectors, vector);
        }
        return out;
    }

    /// The nodes behind the anchors as steps of a linear: false when they are too many, read more
    /// than two rows from outside, or leave more than their last value behind.
    bool number_steps(const std::vector<std::int16_t>& anchors,
                      const std::vector<std::int16_t>& behind, linear_pass& out) {
        const std::int16_t last = behind.empty() ? anchors.back() : behind.back();
        int left_behind = 0;
        for (const std::int16_t n : anchors) left_behind += is_left_behind(n);
        for (const std::int16_t n : behind) left_behind += is_left_behind(n);
        if (left_behind != 1 || !is_left_behind(last) || behind.size() > max_steps ||
            (anchors.size() == 2 && behind.empty())) return false;
        std::map<std::int16_t, int> number;
        for (const std::int16_t n : anchors) number[n] = static_cast<int>(number.size());
        for (const std::int16_t n : behind)
            for (const std::int16_t in : node_of(n).in) {
                if (in == none || number.contains(in) || in_stage(in)) continue;
                number[in] = static_cast<int>(number.size());
                out.inputs.push_back(outside(in));
            }
        if (out.inputs.size() > 2) return false;
        for (const std::int16_t n : behind) {
            const auto& in = node_of(n).in;
            const int right = in[1] == none ? 0 : number.at(in[1]);
            out.steps.push_back(step_of(n, number.at(in[0]), right, out.vectors));
            number[n] = static_cast<int>(number.size());
        }
        if (out.vectors.size() > 2) return false;
        out.out = {operand::buffer, buffer_of(last), 0};
        out.out_type = node_of(last).element_bytes == 4 ? g4k::number_type::f32
                                                        : g4k::number_type::bf16;
        if (anchors.size() == 1 && !behind.empty()) out.apart = row_pass{{apart(out, last)}};
        return true;
    }

  private:
    static constexpr std::size_t max_steps = 8;

    /// A linear's steps as a chain: sources and steps are numbered alike.
    row_use apart(const linear_pass& of, std::int16_t last) const {
        row_use out;
        g4k::row_chain& chain = out.chain;
        chain.width = static_cast<int>(width_of(last));
        chain.parts = 1;
        chain.sources[chain.source_count++] = g4k::source_kind::sums;
        out.sources.push_back({operand::sums, no_index, 0});
        for (const operand& in : of.inputs) {
            chain.sources[chain.source_count++] = g4k::source_kind::bf16;
            out.sources.push_back(in);
        }
        std::copy(of.steps.begin(), of.steps.end(), chain.steps);
        const int value = chain.source_count + static_cast<int>(of.steps.size()) - 1;
        chain.targets[chain.target_count++] = {
            value, of.out_type == g4k::number_type::f32 ? g4k::target_kind::f32
                                                        : g4k::target_kind::bf16};
        out.targets.push_back(of.out);
        out.vectors = of.vectors;
        return out;
    }

    static std::vector<std::int16_t> keys_of(const std::map<std::int16_t, bool>& nodes) {
        std::vector<std::int16_t> out;
        for (const auto& [n, yes] : nodes) out.push_back(n);
        return out;
    }
    void need(std::int16_t n) {
        if (!in_stage(n) || needed_.contains(n)) return;
        needed_[n] = true;
        for (const std::int16_t in : node_of(n).in)
            if (in != none && !is_cache_node(in)) need(in);
    }
    void collect(std::int16_t n, std::map<std::int16_t, bool>& to) const {
        if (!in_stage(n) || is_anchor(n) || to.contains(n)) return;
        to[n] = true;
        for (const std::int16_t in : node_of(n).in)
            if (in != none && !is_cache_node(in)) collect(in, to);
    }

    lowering_context& context_;
    const stage& stage_;
    const bound_call& call_;
    const graph& g_;
    const bound_values& values_;
    rows of_;
    bool in_stage_[graph::max_nodes]{}, anchor_[graph::max_nodes]{};
    std::map<std::int16_t, bool> needed_;
};

}  // namespace g4::cuda
