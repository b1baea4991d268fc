// The passes in order, each verified, with a hook for whoever wants to see what one left behind.
#pragma once
#include "g4/passes/plan_print.hpp"

namespace g4 {

/// Names as --dump takes them, in the order in which the passes run.
inline constexpr std::string_view pass_names[]{"bind", "fold", "fuse", "rows", "plan"};

/// Called after each pass with its name and a function that prints the state; may be empty.
using pass_observer =
    std::function<void(std::string_view pass, const std::function<std::string()>& print)>;

/// For each call and node that does not run for all rows of a step: the rows that it runs for.
inline std::string print_rows(const bound_program& p,
                              const std::vector<std::vector<rows>>& needs) {
    std::string out;
    for (std::size_t call = 0; call < p.calls.size(); ++call) {
        const graph& g = p.nodes_of(p.calls[call]);
        std::string some;
        for (std::int16_t n = 0; n < g.node_count; ++n)
            if (const rows of = needs[call][static_cast<std::size_t>(n)];
                of != rows::all && role_of(g.nodes[n]) != role::input)
                some += concat(" ", describe(g, n),
                               of == rows::wanted ? "" : " nobody");
        out += concat("  ", call, " ", p.block_of(p.calls[call]).name);
        if (p.calls[call].layer != none) out += concat(", layer ", p.calls[call].layer);
        out += (some.empty() ? ": all" : ": wanted only:" + some) + "\n";
    }
    return out;
}

/// Bound program to verified plan. `bytes` is used by the printer alone.
/// Errors: internal_error from a pass or its verify, with the pass's name.
inline plan compile_plan(bound_program program, const stored_bytes& bytes = all_bf16,
                         const pass_observer& seen = {}) {
    const auto show = [&](std::string_view name, const std::function<std::string()>& text) {
        if (seen) seen(name, text);
    };
    show("bind", [&] { return print(program); });
    program = fold(std::move(program));
    verify(program);
    show("fold", [&] { return print(program); });
    fused_program fused = fuse(std::move(program));
    verify(fused);
    show("fuse", [&] { return print(fused); });
    plan out = make_plan(std::move(fused));
    show("rows", [&] { return print_rows(out.program(), out.needs); });
    verify(out);
    show("plan", [&] { return print(out, bytes); });
    return out;
}

}  // namespace g4
