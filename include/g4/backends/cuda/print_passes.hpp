// Device passes as text, equal ones once: what g4-compile --emit prints for this back end.
#pragma once
#include "g4/backends/cuda/passes.hpp"

namespace g4::cuda {

inline constexpr std::string_view step_names[]{"end",  "gelu_tanh", "silu",    "add",      "mul",
                                               "multiply", "scale", "softcap", "rms_norm", "rope"};

inline std::string print_operand(const operand& o) {
    static constexpr std::string_view places[]{"cache", "b", "activation", "sums", "table"};
    std::string out{places[o.in]};
    if (o.in == operand::buffer || o.in == operand::table) out += std::to_string(o.index);
    if (o.offset != 0) out += concat("+", o.offset);
    return out;
}
inline std::string print_steps(const g4k::step* first, std::size_t most) {
    std::string out;
    for (std::size_t i = 0; i < most && first[i].op != g4k::step_op::end; ++i)
        out += concat(" ", step_names[static_cast<std::size_t>(first[i].op)]);
    return out;
}
inline std::string print(const lowered_plan& p, const linear_pass& l) {
    const matrix_use& m = p.matrices[static_cast<std::size_t>(l.matrix)];
    return concat("linear ", m.rows, "x", m.columns, m.paired ? " paired" : "",
                  print_steps(l.steps.data(), l.steps.size()),
                  l.finished ? "" : " (sums)");
}
inline std::string print(const row_pass& r) {
    std::string out = "rows";
    for (const row_use& c : r.chains) {
        out += concat(out == "rows" ? " " : " | ", c.chain.parts, "x", c.chain.width, ":",
                      print_steps(c.chain.steps, std::size(c.chain.steps)));
        for (int t = 0; t < c.chain.target_count; ++t) {
            static constexpr std::string_view kinds[]{" >bf16", " >f32", " >key", " >value"};
            out += kinds[static_cast<std::size_t>(c.chain.targets[t].kind)];
        }
    }
    return out;
}
inline std::string print(const attention_pass& a) {
    return concat("attend ", a.config.q_heads, " heads of ", a.config.head_dim, ", ",
                  a.config.window == 0 ? std::string{"whole context"}
                                       : concat("window ", a.config.window));
}

/// Equal passes as one line with how often they run, in the order of their first.
inline std::string print(const lowered_plan& p) {
    std::vector<std::pair<std::string, int>> lines;
    for (const device_pass& pass : p.passes) {
        std::string text = pass.of == rows::all ? "all rows | " : "wanted rows | ";
        if (const auto* linear = std::get_if<linear_pass>(&pass.work)) text += print(p, *linear);
        if (const auto* row = std::get_if<row_pass>(&pass.work)) text += print(*row);
        if (const auto* attend = std::get_if<attention_pass>(&pass.work)) text += print(*attend);
        const auto known = std::find_if(lines.begin(), lines.end(),
                                        [&](const auto& line) { return line.first == text; });
        if (known == lines.end()) lines.emplace_back(text, 1);
        else ++known->second;
    }
    std::string out = concat("cuda: ", p.passes.size(), " passes, ", lines.size(), " kinds\n");
    for (const auto& [text, count] : lines) out += concat("  ", count, " x ", text, "\n");
    return out;
}

}  // namespace g4::cuda
