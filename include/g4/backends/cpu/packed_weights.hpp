// The weights as the kernels read them: int4 packed into panels, plain ones where the file has
// them.
#pragma once
#include "g4/backends/cpu/int4_pack.hpp"
#include "g4/backends/cpu/memory.hpp"
#include "g4/backends/cpu/plain_layout.hpp"
#include "g4/backends/cpu/thread_pool.hpp"
#include "g4/passes/plan.hpp"
#include <map>
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

/// The factors of norms; they are never moved.
using norm_factors = std::map<bound_vector, std::vector<float>>;

/// All weights of a plan. Plain linears are copied into huge pages while `copy_bytes` last; further
/// ones, tables and vectors stay the checkpoint's, which must live as long.
/// Errors: input_error for an int4 form that cannot be packed; internal_error for a missing weight.
class packed_weights {
  public:
    packed_weights(const plan& p, const weight_table& weights, thread_pool& pool,
                   std::int64_t copy_bytes)
        : weights_{&weights}, left_to_copy_{copy_bytes} {
        std::size_t bytes = 0;
        for (const bound_call& c : p.program().calls) {
            const graph& g = p.program().nodes_of(c);
            for (int i = 0; i < g.node_count; ++i)
                if (g.nodes[i].kind == op::linear)
                    add(p.program().tensor_name(c, g.nodes[i]), bytes);
        }
        memory_ = aligned_memory{bytes};
        for (const auto& [name, offset] : offsets_)
            fill(linears_.at(name), find(name), memory_.data() + offset, pool);
    }

    const linear_weight& linear(const std::string& name) const { return linears_.at(name); }
    const weight& find(const std::string& name) const {
        const auto found = weights_->find(name);
        G4_ASSERT(found != weights_->end(), "cpu: no weight ", name);
        return found->second;
    }
    /// A weight of one column, or of one element, as floats.
    std::vector<float> vector(const bound_vector& of) const {
        const weight& from = find(of.tensor);
        std::vector<float> out(static_cast<std::size_t>(from.rows * from.columns));
        for (std::size_t i = 0; i < out.size(); ++i)
            out[i] = element_to_float(from.data, from.type, i) + of.added;
        return out;
    }
    std::size_t bytes() const { return memory_.size(); }
    /// Of plain linears that were not copied.
    std::int64_t bytes_in_file() const { return read_from_file_; }

  private:
    void add(const std::string& name, std::size_t& bytes) {
        if (linears_.contains(name)) return;
        const weight& from = find(name);
        linear_weight& to = linears_[name];
        to.int4 = from.stored == weight::form::int4;
        std::int64_t size = static_cast<std::int64_t>(from.bytes());
        if (to.int4) {
            to.panels = panels_of(from, name);
            size = to.panels.bytes();
        } else {
            to.plain = {from.data, from.type, from.rows, from.columns};
            if (size > left_to_copy_) {
                read_from_file_ += size;
                return;
            }
            left_to_copy_ -= size;
        }
        offsets_[name] = bytes;
        bytes += static_cast<std::size_t>((size + 63) / 64 * 64);
    }
    static void fill(linear_weight& to, const weight& from, std::byte* memory, thread_pool& pool) {
        if (to.int4) {
            pool.for_ranges(to.panels.count(), 1, [&](std::int64_t begin, std::int64_t end, int) {
                pack_panels(from, to.panels, memory, begin, end);
            });
            to.panels.data = memory;
            return;
        }
        const auto size = static_cast<std::int64_t>(from.bytes());
        pool.for_ranges(size, 1 << 20, [&](std::int64_t begin, std::int64_t end, int) {
            std::memcpy(memory + begin, from.data + begin, static_cast<std::size_t>(end - begin));
        });
        to.plain.data = memory;
    }

    const weight_table* weights_;
    std::int64_t left_to_copy_ = 0, read_from_file_ = 0;
    std::unordered_map<std::string, linear_weight> linears_;
    std::unordered_map<std::string, std::size_t> offsets_;
    aligned_memory memory_;
};

}  // namespace g4::cpu
