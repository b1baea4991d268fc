// The linears of a stage side by side: activations prepared once, rows shared out over all threads.
#pragma once
#include "g4/backends/cpu/row_program.hpp"

namespace g4::cpu {

/// How one form of weights wants its activations.
struct activation_form {
    bool int4 = false;
    dtype type = dtype::bf16;            // of plain weights
    std::int32_t group = 0, groups = 0;  // of int4 ones
    friend bool operator==(const activation_form&, const activation_form&) = default;
};
inline activation_form form_of(const linear_weight& w) {
    if (!w.int4) return {false, w.plain.type, 0, 0};
    return {true, dtype::bf16, w.panels.group, w.panels.groups};
}

/// Rows [first, last) of the pass's class.
class linear_run {
  public:
    linear_run(const step_context& context, const stage_pass& pass, std::int32_t first,
               std::int32_t last)
        : context_{context}, pass_{pass}, first_{first}, tokens_{last - first} {
        float* result = context.memory.results();
        for (const anchor_op& a : pass.anchors_in_order) {
            results_.push_back(result);
            result += a.width * tokens_;
            const activation_form form = form_of(*a.linear);
            auto found = std::find(forms_.begin(), forms_.end(), form);
            form_of_anchor_.push_back(static_cast<std::size_t>(found - forms_.begin()));
            if (found == forms_.end()) forms_.push_back(form);
        }
        G4_ASSERT(forms_.size() <= arena::most_forms, "cpu: ", forms_.size(), " weight forms");
    }

    /// The anchors' results: [anchor][row][width].
    const std::vector<float*>& results() const { return results_; }

    void run() {
        prepare();
        multiply();
    }

  private:
    void prepare() {
        for (std::size_t f = 0; f < forms_.size(); ++f)
            if (forms_[f].int4)
                context_.memory.quantised(f).shape(tokens_, forms_[f].group, forms_[f].groups,
                                                   context_.activation_passes);
        const std::int64_t grain = grain_of(pass_.activation_width * row_operations);
        context_.pool.for_ranges(tokens_, grain,
                                 [&](std::int64_t begin, std::int64_t end, int thread) {
                                     for (; begin < end; ++begin)
                                         prepare_row(static_cast<std::int32_t>(begin), thread);
                                 });
    }
    void prepare_row(std::int32_t token, int thread) const {
        const std::int64_t width = pass_.activation_width;
        row_runner runner{
            context_, {pass_.of, first_ + token, nullptr, context_.memory.scratch(thread), 0, 0}};
        runner.run(pass_.prologue);
        const float* x = runner.read(pass_.activation, width,
                                     context_.memory.scratch(thread) + pass_.scratch_floats);
        for (std::size_t f = 0; f < forms_.size(); ++f) {
            if (forms_[f].int4)
                context_.memory.quantised(f).put(*context_.kernels.rows, token, x, width);
            else
                context_.kernels.plain.arrange(
                    x, width, forms_[f].type,
                    context_.memory.arranged(f) + token * arranged_columns(width));
        }
    }

    /// Rows of weights come in units of 32: two panels.
    static constexpr std::int64_t unit = 32;
    static std::int64_t units_of(const anchor_op& a) { return (a.width + unit - 1) / unit; }

    void multiply() {
        std::int64_t units = 0;
        for (const anchor_op& a : pass_.anchors_in_order) units += units_of(a);
        const std::int64_t grain = grain_of(unit * pass_.activation_width * tokens_);
        context_.pool.for_ranges(units, grain, [&](std::int64_t begin, std::int64_t end, int) {
            std::int64_t before = 0;
            for (std::size_t i = 0; i < pass_.anchors_in_order.size(); ++i) {
                const std::int64_t count = units_of(pass_.anchors_in_order[i]);
                const std::int64_t from = std::max<std::int64_t>(begin - before, 0);
                const std::int64_t to = std::min(end - before, count);
                if (from < to) multiply_units(i, from, to);
                before += count;
            }
        });
    }
    void multiply_units(std::size_t anchor, std::int64_t from, std::int64_t to) const {
        const linear_weight& w = *pass_.anchors_in_order[anchor].linear;
        const std::size_t form = form_of_anchor_[anchor];
        if (w.int4) {
            const std::int64_t panels = unit / panel_rows;
            context_.kernels.int4(w.panels, context_.memory.quantised(form).rows(),
                                  results_[anchor], w.rows(), from * panels,
                                  std::min(to * panels, w.panels.count()));
            return;
        }
        const plain_rows x{context_.memory.arranged(form), arranged_columns(w.columns()), tokens_};
        context_.kernels.plain.multiply(w.plain, x, results_[anchor], w.rows(), from * unit,
                                        std::min(to * unit, w.rows()));
    }

    const step_context& context_;
    const stage_pass& pass_;
    std::int32_t first_, tokens_;
    std::vector<float*> results_;
    std::vector<activation_form> forms_;
    std::vector<std::size_t> form_of_anchor_;
};

}  // namespace g4::cpu
