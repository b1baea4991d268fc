// Lowered stages as text, equal ones once: what g4-compile --emit prints for this back end.
#pragma once
#include "g4/backends/cpu/stage_pass.hpp"
#include "g4/graph/print.hpp"

namespace g4::cpu {

inline std::string print_ops(const std::vector<row_op>& ops) {
    std::string out;
    for (const row_op& o : ops) {
        if (o.kind != op::input) out += concat(out.empty() ? "" : " ", op_name(o.kind));
        if (o.publish != no_index) out += out.empty() ? "publish" : " publish";
    }
    return out;
}

/// `int4 2048x2560 g128`, `bf16 10752x2560`, or `attend 8 heads, window 512`.
inline std::string print_anchor(const anchor_op& a) {
    if (a.linear == nullptr)
        return concat("attend ", a.q_heads, " heads, ",
                      a.window == 0 ? std::string{"whole context"} : concat("window ", a.window));
    const std::string size = concat(a.linear->rows(), "x", a.linear->columns());
    if (a.linear->int4) return concat("int4 ", size, " g", a.linear->panels.group);
    return concat(name_of_dtype(a.linear->plain.type), " ", size);
}

/// `wanted rows | before: rms_norm | int4 4096x2560 g128 | by row: rms_norm rope publish`.
inline std::string print(const stage_pass& p) {
    std::string out{p.of == rows::wanted ? "wanted rows" : "all rows"};
    if (!p.prologue.empty()) out += " | before: " + print_ops(p.prologue);
    for (std::size_t i = 0; i < p.anchors_in_order.size(); ++i)
        out += (i == 0 ? " | " : ", ") + print_anchor(p.anchors_in_order[i]);
    if (!p.epilogue.empty())
        out += concat(p.by_element ? " | by element: " : " | by row: ", print_ops(p.epilogue));
    return out;
}

/// Equal passes as one line with how often they run, in the order of their first.
inline std::string print(const std::vector<stage_pass>& passes) {
    std::vector<std::pair<std::string, int>> lines;
    for (const stage_pass& p : passes) {
        const std::string text = print(p);
        const auto known = std::find_if(lines.begin(), lines.end(),
                                        [&](const auto& line) { return line.first == text; });
        if (known == lines.end()) lines.emplace_back(text, 1);
        else ++known->second;
    }
    std::string out = concat("cpu: ", passes.size(), " passes, ", lines.size(), " kinds\n");
    for (const auto& [text, count] : lines) out += concat("  ", count, " x ", text, "\n");
    return out;
}

}  // namespace g4::cpu
