// Lowering pass merge_rows: a row pass takes over the one behind it, which reads what it made.
#pragma once
#include "g4/backends/cuda/passes.hpp"

namespace g4::cuda {

/// The target of `chain` that `read` names; no_index when it reads anything else.
inline std::int32_t target_of(const row_use& chain, const operand& read) {
    for (std::size_t t = 0; t < chain.targets.size(); ++t)
        if (chain.targets[t] == read) return static_cast<std::int32_t>(t);
    return no_index;
}

/// Appends `next` to `into`, whose value it reads from a register: in f32, before it was rounded.
/// False, and nothing is changed, when the numbers of a chain do not suffice.
inline bool append_chain(row_use& into, const row_use& next) {
    g4k::row_chain joined = into.chain;
    const auto steps_of = [](const g4k::row_chain& c) {
        int count = 0;
        while (count < std::ssize(c.steps) && c.steps[count].op != g4k::step_op::end) ++count;
        return count;
    };
    const int own_steps = steps_of(into.chain), more_steps = steps_of(next.chain);
    const std::int32_t read = target_of(into, next.sources[0]);
    if (next.sources.size() != 1 || read == no_index || next.rope != no_index ||
        next.chain.width != into.chain.width || next.chain.parts != into.chain.parts ||
        own_steps + more_steps > std::ssize(joined.steps) ||
        joined.target_count + next.chain.target_count > std::ssize(joined.targets)) return false;
    const int value = joined.targets[read].value;
    const int first = joined.source_count + own_steps;  // number of next's first step
    const auto renumbered = [&](int v) { return v == 0 ? value : first + v - 1; };
    std::vector<bound_vector> vectors = into.vectors;
    for (int i = 0; i < more_steps; ++i) {
        g4k::step s = next.chain.steps[i];
        s.left = renumbered(s.left);
        s.right = renumbered(s.right);
        if (s.vector >= 0)
            s.vector = index_in(vectors, next.vectors[static_cast<std::size_t>(s.vector)]);
        joined.steps[own_steps + i] = s;
    }
    if (vectors.size() > std::size(g4k::row_chain_args{}.vectors)) return false;
    for (int t = 0; t < next.chain.target_count; ++t) {
        joined.targets[joined.target_count] = next.chain.targets[t];
        joined.targets[joined.target_count++].value =
            renumbered(next.chain.targets[t].value);
    }
    into.chain = joined;
    into.vectors = std::move(vectors);
    into.targets.insert(into.targets.end(), next.targets.begin(), next.targets.end());
    return true;
}

/// One launch less a norm: of two row passes in a row, for the same rows, the second of one chain.
inline void merge_rows(lowered_plan& lowered) {
    std::vector<device_pass> out;
    for (device_pass& pass : lowered.passes) {
        auto* next = std::get_if<row_pass>(&pass.work);
        auto* last = out.empty() ? nullptr : std::get_if<row_pass>(&out.back().work);
        if (next != nullptr && last != nullptr && pass.of == out.back().of &&
            last->chains.size() == 1 && next->chains.size() == 1 &&
            append_chain(last->chains[0], next->chains[0])) {
            out.back().name += " + " + pass.name;
            continue;
        }
        out.push_back(std::move(pass));
    }
    lowered.passes = std::move(out);
}

}  // namespace g4::cuda
