// From the plan to stage passes: which nodes a class of rows needs, and where their values lie.
#pragma once
#include "g4/backends/cpu/rope_tables.hpp"
#include "g4/backends/cpu/stage_pass.hpp"
#include <deque>
#include <map>

namespace g4::cpu {

/// What all passes share: the plan, its weights, and the numbers that rows need.
struct build_context {
    const plan& planned;
    const packed_weights& weights;
    rope_tables& ropes;
    norm_factors& factors;
    std::map<value, std::int32_t> buffer_of;

    std::int32_t cache_of(std::int16_t layer) const {
        return static_cast<std::int32_t>(&planned.cache_of(layer) - planned.caches.data());
    }
};

/// Builds the pass of one stage for one class of rows.
class pass_builder {
  public:
    pass_builder(build_context& context, int stage, rows of)
        : context_{context},
          stage_{context.planned.stages[static_cast<std::size_t>(stage)]},
          call_{context.planned.call_of(stage_)},
          g_{context.planned.nodes_of(stage_)},
          values_{context.planned.program().values_of(call_)},
          of_{of} {
        for (const value& v : stage_.work) {
            G4_ASSERT(v.call == stage_.call, "cpu: a stage of one call expected");
            in_stage_[static_cast<std::size_t>(v.node)] = true;
        }
        for (const member& m : context.planned.group_of(stage_).members)
            if (m.at == phase::anchor && g_.nodes[m.node].kind != op::embed)
                anchor_[static_cast<std::size_t>(m.node)] = true;
    }

    /// False when no row of this class is published or stored by the stage.
    bool build(stage_pass& out) {
        out.of = of_;
        for (const value& v : stage_.work)
            if (context_.planned.needed(v) == of_ &&
                (buffer_of(v.node) != no_index || node_of(v.node).kind == op::append))
                need(v.node);
        if (needed_.empty()) return false;
        add_anchors(out);
        place_epilogue(out);
        return true;
    }

  private:
    using index_set = std::map<std::int16_t, bool>;

    const node& node_of(std::int16_t n) const { return g_.nodes[n]; }
    bool is_anchor(std::int16_t n) const { return anchor_[static_cast<std::size_t>(n)]; }
    bool in_stage(std::int16_t n) const { return in_stage_[static_cast<std::size_t>(n)]; }
    std::int64_t width_of(std::int16_t n) const {
        return static_cast<std::int64_t>(elements_per_token(node_of(n).result, values_));
    }
    std::int64_t last_axis_of(std::int16_t n) const {
        const shape& s = node_of(n).result;
        return static_cast<std::int64_t>(values_.of[s.axes[s.rank - 1]]);
    }
    std::int32_t buffer_of(std::int16_t n) const {
        const auto found = context_.buffer_of.find({stage_.call, n});
        return found == context_.buffer_of.end() ? no_index : found->second;
    }

    /// Marks a node and all it stands on within the stage.
    void need(std::int16_t n) {
        if (!in_stage(n) || needed_.contains(n)) return;
        needed_[n] = true;
        for (const std::int16_t in : node_of(n).in)
            if (in != none && !is_cache(g_, node_of(in))) need(in);
    }
    /// The part of the needed nodes that `n` stands on, short of anchors.
    void collect(std::int16_t n, index_set& to) const {
        if (!in_stage(n) || is_anchor(n) || to.contains(n)) return;
        to[n] = true;
        for (const std::int16_t in : node_of(n).in)
            if (in != none && !is_cache(g_, node_of(in))) collect(in, to);
    }

    /// A node outside the stage as the buffer that holds it, or a layer's row of one.
    operand outside(std::int16_t n) const {
        const bound_program& p = context_.planned.program();
        const auto from = computed(p, {stage_.call, n});
        G4_ASSERT(from.has_value(), "cpu: node ", n, " has no buffer");
        const auto found = context_.buffer_of.find(*from);
        G4_ASSERT(found != context_.buffer_of.end(), "cpu: node ", n, " is not published");
        std::int64_t offset = 0;
        if (node_of(n).kind == op::input)
            if (const feed& f = call_.inputs[static_cast<std::size_t>(n)]; f.row != none)
                offset = f.row * width_of(n);
        return {operand::buffer, found->second, offset};
    }
    operand place_of(std::int16_t n) const {
        if (!in_stage(n)) return outside(n);
        return places_.at(n);
    }

    void add_anchors(stage_pass& out) {
        std::int16_t reads = none;
        for (const auto& [n, yes] : needed_) {
            if (!is_anchor(n)) continue;
            const node& anchor = node_of(n);
            G4_ASSERT(reads == none || reads == anchor.in[0], "cpu: siblings read one activation");
            reads = anchor.in[0];
            places_[n] = {operand::result, static_cast<std::int32_t>(out.anchors_in_order.size()),
                          0};
            out.anchors_in_order.push_back(anchor.kind == op::linear ? linear(anchor)
                                                                     : attention(anchor));
            out.result_floats += out.anchors_in_order.back().width;
            out.kind = anchor.kind == op::linear ? stage_pass::anchors::linear
                                                 : stage_pass::anchors::attention;
        }
        if (reads == none) return;
        index_set first;
        collect(reads, first);
        out.prologue = place(first, out.scratch_floats);
        out.activation = place_of(reads);
        out.activation_width = width_of(reads);
        for (const auto& [n, yes] : first) places_.erase(n);
    }
    anchor_op linear(const node& n) const {
        anchor_op out;
        out.linear = &context_.weights.linear(context_.planned.program().tensor_name(call_, n));
        out.width = out.linear->rows();
        return out;
    }
    anchor_op attention(const node& n) const {
        anchor_op out;
        out.cache = context_.cache_of(call_.kv_layer);
        out.q_heads = static_cast<std::int32_t>(values_.of[n.result.axes[1]]);
        out.width = static_cast<std::int64_t>(elements_per_token(n.result, values_));
        out.window = static_cast<std::int32_t>(number_of(n.attributes[0], values_));
        out.scale = static_cast<float>(number_of(n.attributes[1], values_));
        return out;
    }

    void place_epilogue(stage_pass& out) {
        index_set behind;
        for (const auto& [n, yes] : needed_)
            if (context_.planned.needed({stage_.call, n}) == of_ &&
                (buffer_of(n) != no_index || node_of(n).kind == op::append)) {
                if (is_anchor(n)) behind[n] = true;
                else collect(n, behind);
            }
        std::int64_t scratch = 0;
        out.epilogue = place(behind, scratch);
        out.scratch_floats = std::max(out.scratch_floats, scratch);
        out.by_element = !out.epilogue.empty();
        for (const row_op& o : out.epilogue)
            out.by_element = out.by_element && traits_of(o.kind).needs == reach::element &&
                             o.kind != op::append && o.width == out.epilogue[0].width;
    }

    /// Readers of `n` among `nodes`; what is published has one more.
    int readers_in(const index_set& nodes, std::int16_t n) const {
        int count = 0;
        for (const auto& [reader, yes] : nodes)
            for (const std::int16_t in : node_of(reader).in) count += in == n;
        return count;
    }

    /// Nodes in order as row operations; a value that nobody else reads is overwritten in place.
    std::vector<row_op> place(const index_set& nodes, std::int64_t& scratch) {
        std::vector<row_op> out;
        for (const auto& [n, yes] : nodes) {
            row_op o = operation(n);
            if (is_anchor(n)) {
                o.to = places_.at(n);
            } else if (node_of(n).kind != op::append) {
                const std::int16_t left = node_of(n).in[0];
                const bool inside = node_of(n).kind != op::embed && in_stage(left);
                if (inside && readers_in(nodes, left) == 1) {
                    o.to = places_.at(left);
                } else {
                    o.to = {operand::scratch, no_index, scratch};
                    scratch += (o.width + 15) / 16 * 16;
                }
                places_[n] = o.to;
            }
            out.push_back(o);
        }
        return out;
    }
    row_op operation(std::int16_t n) const {
        const node& self = node_of(n);
        row_op out;
        out.kind = is_anchor(n) ? op::input : self.kind;
        out.publish = context_.planned.needed({stage_.call, n}) == of_ ? buffer_of(n) : no_index;
        if (self.kind == op::append) {
            out.from = place_of(self.in[1]);
            out.right = place_of(self.in[2]);
            out.width = width_of(self.in[1]);
            out.cache = context_.cache_of(call_.kv_layer);
            return out;
        }
        out.width = width_of(n);
        out.part = last_axis_of(n);
        if (is_anchor(n)) return out;
        if (self.kind != op::embed) out.from = place_of(self.in[0]);
        if (self.in[1] != none) out.right = place_of(self.in[1]);
        add_numbers(self, out);
        return out;
    }
    void add_numbers(const node& self, row_op& out) const {
        const bound_program& program = context_.planned.program();
        out.number = static_cast<float>(number_of(self.attributes[0], values_));
        if (self.kind == op::embed)
            out.table = &context_.weights.find(program.tensor_name(call_, self));
        if (self.kind == op::scale)
            out.number = context_.weights.vector(program.vector_of(call_, self)).at(0);
        if (self.kind == op::rms_norm && !self.weight.empty()) {
            const bound_vector vector = program.vector_of(call_, self);
            auto [found, is_new] = context_.factors.try_emplace(vector);
            if (is_new) found->second = context_.weights.vector(vector);
            out.factors = found->second.data();
        }
        if (self.kind == op::rope) out.rope = context_.ropes.use(rope_of(self, values_));
    }

    build_context& context_;
    const stage& stage_;
    const bound_call& call_;
    const graph& g_;
    const bound_values& values_;
    rows of_;
    bool in_stage_[graph::max_nodes]{}, anchor_[graph::max_nodes]{};
    index_set needed_;
    std::map<std::int16_t, operand> places_;
};

/// All passes in the order in which they run: of a stage, first what all rows need.
inline std::vector<stage_pass> build_passes(const plan& planned, const packed_weights& weights,
                                            rope_tables& ropes, norm_factors& factors) {
    build_context context{planned, weights, ropes, factors, {}};
    for (std::size_t b = 0; b < planned.buffers.size(); ++b)
        context.buffer_of[{planned.buffers[b].call, planned.buffers[b].node}] =
            static_cast<std::int32_t>(b);
    std::vector<stage_pass> out;
    for (int s = 0; s < static_cast<int>(planned.stages.size()); ++s)
        for (const rows of : {rows::all, rows::wanted}) {
            stage_pass pass;
            const stage& self = planned.stages[static_cast<std::size_t>(s)];
            pass.name = kinds_of(planned.nodes_of(self), planned.group_of(self));
            if (pass_builder{context, s, of}.build(pass)) out.push_back(std::move(pass));
        }
    return out;
}

}  // namespace g4::cpu
