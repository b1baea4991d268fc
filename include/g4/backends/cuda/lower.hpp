// From the plan to device passes: what a linear finishes itself, and what row kernels do behind it.
#pragma once
#include "g4/backends/cuda/row_chains.hpp"

namespace g4::cuda {

/// Lowers one stage for one class of rows.
class stage_lowering {
  public:
    stage_lowering(lowering_context& context, int stage, rows of)
        : context_{context}, nodes_{context, stage, of}, stage_{stage}, of_{of} {}

    void run() {
        if (!nodes_.find_needed()) return;
        const std::vector<std::int16_t> anchors = nodes_.anchors();
        if (anchors.empty()) return add_rows(nodes_.behind(), {});
        if (nodes_.node_of(anchors[0]).kind == op::attend) return add_attention(anchors);
        const operand x = add_prologue(nodes_.node_of(anchors[0]).in[0]);
        if (!add_finished_linear(anchors, x)) add_linear_and_rows(anchors, x);
    }

  private:
    std::string name_of(std::string_view part) const { return concat(nodes_.name(), part); }
    void add(std::string name, std::variant<linear_pass, row_pass, attention_pass> work) {
        context_.out.passes.push_back({std::move(name), stage_, of_, std::move(work)});
    }

    /// What the anchors read: a buffer, or the activation that a row pass makes from one.
    operand add_prologue(std::int16_t reads) {
        if (!nodes_.in_stage(reads)) return nodes_.outside(reads);
        row_chains chains{context_, nodes_, {}};
        row_use made = chains.activation(reads);
        const std::int64_t width = nodes_.width_of(reads);
        context_.out.activation_width = std::max(context_.out.activation_width, width);
        add(name_of(": before"), row_pass{{std::move(made)}});
        return {operand::activation, no_index, 0};
    }

    matrix_use matrix_of(const std::vector<std::int16_t>& anchors, bool paired) const {
        matrix_use out;
        out.paired = paired;
        for (const std::int16_t n : anchors) {
            const matrix_size size = size_of_weight(nodes_.node_of(n), nodes_.values());
            out.tensors.push_back(nodes_.tensor_name(n));
            out.rows += size.rows;
            out.columns = size.columns;
        }
        return out;
    }

    /// One kernel does it all when every node behind the anchors treats elements alone.
    bool add_finished_linear(const std::vector<std::int16_t>& anchors, const operand& x) {
        const std::vector<std::int16_t> behind = nodes_.behind();
        const std::int64_t width = nodes_.width_of(anchors[0]);
        if (anchors.size() > 2 || nodes_.width_of(anchors.back()) != width) return false;
        for (const std::int16_t n : behind) {
            const op kind = nodes_.node_of(n).kind;
            if (traits_of(kind).needs != reach::element || kind == op::append ||
                kind == op::embed || nodes_.width_of(n) != width) return false;
        }
        linear_pass out;
        if (!nodes_.number_steps(anchors, behind, out)) return false;
        out.matrix = index_in(context_.out.matrices, matrix_of(anchors, anchors.size() == 2));
        out.x = x;
        out.finished = true;
        add(nodes_.name(), std::move(out));
        return true;
    }

    void add_linear_and_rows(const std::vector<std::int16_t>& anchors, const operand& x) {
        std::map<std::int16_t, operand> sums;
        std::int64_t columns = 0;
        for (const std::int16_t n : anchors) {
            sums[n] = {operand::sums, no_index, columns};
            columns += nodes_.width_of(n);
        }
        context_.out.sums_width = std::max(context_.out.sums_width, columns);
        linear_pass linear;
        linear.matrix = index_in(context_.out.matrices, matrix_of(anchors, false));
        linear.x = x;
        linear.out = {operand::sums, no_index, 0};
        linear.out_type = g4k::number_type::f32;
        add(name_of(": sums"), std::move(linear));
        std::vector<std::int16_t> behind = nodes_.behind();
        for (const std::int16_t n : anchors)
            if (nodes_.buffer_of(n) != no_index) behind.push_back(n);
        add_rows(behind, sums);
    }
    void add_rows(const std::vector<std::int16_t>& behind,
                  const std::map<std::int16_t, operand>& sums) {
        row_chains chains{context_, nodes_, sums};
        for (row_pass& pass : chains.build(behind)) add(name_of(": rows"), std::move(pass));
    }

    void add_attention(const std::vector<std::int16_t>& anchors) {
        const node& n = nodes_.node_of(anchors[0]);
        const std::int32_t buffer = nodes_.buffer_of(anchors[0]);
        if (anchors.size() != 1 || !nodes_.behind().empty() || buffer == no_index)
            throw input_error{"cuda: ", nodes_.name(), ": expected an attention whose result is ",
                              "stored as it is, got operators behind it in its stage"};
        attention_pass out;
        out.q = nodes_.outside(n.in[0]);
        out.out = {operand::buffer, buffer, 0};
        out.cache = context_.cache_of(nodes_.call().kv_layer);
        const cache_layout& cache = context_.planned.caches[static_cast<std::size_t>(out.cache)];
        out.config.head_dim = cache.head_dim;
        out.config.kv_heads = cache.kv_heads;
        out.config.q_heads = static_cast<int>(nodes_.values().of[n.result.axes[1]]);
        out.config.window = static_cast<int>(number_of(n.attributes[0], nodes_.values()));
        out.config.scale = static_cast<float>(number_of(n.attributes[1], nodes_.values()));
        add(nodes_.name(), std::move(out));
    }

    lowering_context& context_;
    stage_nodes nodes_;
    int stage_;
    rows of_;
};

/// All passes in the order in which they run: of a stage, first what all rows need.
/// Errors: input_error for an operator in a place where no kernel family takes it.
inline lowered_plan lower(const plan& planned) {
    lowering_context context{planned, {}, {}};
    for (std::size_t b = 0; b < planned.buffers.size(); ++b)
        context.buffer_of[{planned.buffers[b].call, planned.buffers[b].node}] =
            static_cast<std::int32_t>(b);
    for (int s = 0; s < static_cast<int>(planned.stages.size()); ++s)
        for (const rows of : {rows::all, rows::wanted}) stage_lowering{context, s, of}.run();
    return std::move(context.out);
}

}  // namespace g4::cuda
