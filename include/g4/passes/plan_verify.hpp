// What must hold after plan, whatever order an executor runs the stages in.
#pragma once
#include "g4/passes/plan.hpp"

namespace g4 {

/// The name of a stage in every message, profile and kernel: "L23.2", or "head.0" outside layers.
inline std::string name_of_stage(const plan& p, int at) {
    if (at == static_cast<int>(p.stages.size())) return "the result's reader";
    const stage& s = p.stages[static_cast<std::size_t>(at)];
    const bound_call& c = p.call_of(s);
    const std::string place = c.layer == none ? p.program().block_of(c).name
                                              : concat("L", c.layer);
    return concat(place, ".", s.group);
}

/// Stages on the longest chain of dependencies: the hops that a step cannot avoid.
inline int longest_chain(const plan& p) {
    std::vector<int> depth;
    for (const stage& s : p.stages) {
        int before = 0;
        for (const int a : s.after) before = std::max(before, depth[static_cast<std::size_t>(a)]);
        depth.push_back(before + 1);
    }
    return depth.empty() ? 0 : *std::max_element(depth.begin(), depth.end());
}

/// Throws internal_error for a buffer whose slot was another's, when a stage that wrote or read
/// the other need not have ended before this one is written.
inline void verify_slots(const plan& p) {
    const auto before = certainly_before(p);
    const auto ended = [&](int user, int writer) {
        return before[static_cast<std::size_t>(writer)][static_cast<std::size_t>(user)]; };
    std::map<std::size_t, std::vector<std::size_t>> tenants;
    for (std::size_t b = 0; b < p.buffers.size(); ++b) {
        const buffer& self = p.buffers[b];
        for (const std::size_t earlier : tenants[self.slot]) {
            const buffer& other = p.buffers[earlier];
            for (int user = other.first; user <= std::min(other.last, self.first); ++user) {
                const bool uses =
                    user == other.first || user == other.last ||
                    std::count(p.stages[static_cast<std::size_t>(user)].reads.begin(),
                               p.stages[static_cast<std::size_t>(user)].reads.end(), earlier) > 0;
                if (uses && (user >= self.first || !ended(user, self.first)))
                    throw internal_error{"plan: slot ", self.slot, ": ",
                                         name_of_stage(p, self.first), " writes what ",
                                         name_of_stage(p, user), " may still use"};
            }
            if (other.last > self.first)
                throw internal_error{"plan: slot ", self.slot, ": ", name_of_stage(p, self.first),
                                     " writes what ", name_of_stage(p, other.last),
                                     " still reads"};
        }
        tenants[self.slot].push_back(b);
    }
}

/// Throws internal_error for a stage that waits for a later one, for a stage whose rows nobody
/// asked for, and for what verify_slots() finds.
inline void verify(const plan& p) {
    for (int i = 0; i < static_cast<int>(p.stages.size()); ++i) {
        const stage& s = p.stages[static_cast<std::size_t>(i)];
        for (const int a : s.after)
            if (a >= i)
                throw internal_error{"plan: ", name_of_stage(p, i), " waits for ",
                                     name_of_stage(p, a), ": expected an earlier stage"};
        if (s.of == rows::nobody)
            throw internal_error{"plan: ", name_of_stage(p, i),
                                 ": expected a reader of its result, got none"};
    }
    verify_slots(p);
}

}  // namespace g4
