// The weights as the kernels read them: int4 packed into panels, plain ones where the file has
// them.
#pragma once
#include "g4/backends/cpu/int4_pack.hpp"
#include "g4/backends/cpu/memory.hpp"
#include "g4/backends/cpu/plain_layout.hpp"
#include "g4/backends/cpu/thread_pool.hpp"
#include "g4/passes/plan.hpp"
#include <string>
#include <unordered_map>
#include <vector>

namespace g4::cpu {

/// The weight of one linear, in one of its two forms.
struct linear_weight {
    bool int4 = false;
    int4_panels panels{};
    plain_matrix plain{};
    std::int64_t rows() const { return int4 ? panels.rows : plain.rows; }
    std::int64_t columns() const { return int4 ? panels.columns : plain.columns; }
};

/// All weights of a plan. Plain data stays the checkpoint's, which must live as long.
/// Errors: input_error for an int4 form that cannot be packed; internal_error for a missing weight.
class packed_weights {
  public:
    packed_weights(const plan& p, const weight_table& weights, thread_pool& pool)
        : weights_{&weights} {
        std::size_t bytes = 0;
        for (const bound_call& c : p.program().calls) {
            const graph& g = p.program().nodes_of(c);
            for (int i = 0; i < g.node_count; ++i)
                if (g.nodes[i].kind == op::linear)
                    add(p.program().tensor_name(c, g.nodes[i]), bytes);
        }
        memory_ = aligned_memory{bytes + 4096};  // kernels prefetch past the end
        for (auto& [name, packed] : linears_) {
            if (!packed.int4) continue;
            std::byte* to = memory_.data() + offsets_.at(name);
            const weight& from = find(name);
            pool.for_ranges(packed.panels.count(), 1,
                            [&](std::int64_t begin, std::int64_t end, int) {
                                pack_panels(from, packed.panels, to, begin, end);
                            });
            packed.panels.data = to;
        }
    }

    const linear_weight& linear(const std::string& name) const { return linears_.at(name); }
    const weight& find(const std::string& name) const {
        const auto found = weights_->find(name);
        G4_ASSERT(found != weights_->end(), "cpu: no weight ", name);
        return found->second;
    }
    /// A weight of one column, or of one element, as floats.
    std::vector<float> vector(const std::string& name) const {
        const weight& from = find(name);
        std::vector<float> out(static_cast<std::size_t>(from.rows * from.columns));
        for (std::size_t i = 0; i < out.size(); ++i)
            out[i] = element_to_float(from.data, from.type, i);
        return out;
    }
    std::size_t bytes() const { return memory_.size(); }

  private:
    void add(const std::string& name, std::size_t& bytes) {
        if (linears_.contains(name)) return;
        const weight& from = find(name);
        linear_weight& to = linears_[name];
        to.int4 = from.stored == weight::form::int4;
        if (to.int4) {
            to.panels = panels_of(from, name);
            offsets_[name] = bytes;
            bytes += static_cast<std::size_t>(to.panels.bytes());
        } else {
            to.plain = {from.data, from.type, from.rows, from.columns};
        }
    }

    const weight_table* weights_;
    std::unordered_map<std::string, linear_weight> linears_;
    std::unordered_map<std::string, std::size_t> offsets_;
    aligned_memory memory_;
};

}  // namespace g4::cpu
