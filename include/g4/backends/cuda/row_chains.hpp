// What row kernels compute: nodes that hang together become a chain, chains side by side a pass.
#pragma once
#include "g4/backends/cuda/stage_nodes.hpp"

namespace g4::cuda {

class row_chains {
  public:
    /// `sums`: where the results of the stage's anchors lie.
    row_chains(lowering_context& context, stage_nodes& nodes, std::map<std::int16_t, operand> sums)
        : context_{context}, nodes_{nodes}, sums_{std::move(sums)} {}

    /// All nodes of `behind`, appends included, in as few passes as their number of chains allows.
    std::vector<row_pass> build(const std::vector<std::int16_t>& behind) {
        std::vector<row_pass> out;
        std::map<std::int16_t, std::vector<std::int16_t>> parts;  // by the first node of a chain
        find_parts(behind, parts);
        for (const auto& [first, nodes] : parts) {
            if (out.empty() || out.back().chains.size() == g4k::max_row_chains)
                out.emplace_back();
            out.back().chains.push_back(chain_of(nodes, behind));
        }
        return out;
    }

    /// The chain that ends in what the stage's anchors read.
    row_use activation(std::int16_t reads) {
        row_use out = chain_of(nodes_.up_to(reads), {});
        add_target(out, value_.at(reads), g4k::target_kind::bf16,
                   {operand::activation, no_index, 0});
        return out;
    }

  private:
    bool is_source(std::int16_t n) const {
        return sums_.contains(n) || !nodes_.in_stage(n) || nodes_.node_of(n).kind == op::embed;
    }

    /// Union of nodes that read each other; an append joins nothing, an anchor does.
    void find_parts(const std::vector<std::int16_t>& behind,
                    std::map<std::int16_t, std::vector<std::int16_t>>& parts) const {
        std::map<std::int16_t, std::int16_t> root;
        const auto find = [&](std::int16_t n) {
            while (root.at(n) != n) n = root.at(n);
            return n;
        };
        const auto known = [&](std::int16_t n) { root.try_emplace(n, n); };
        for (const std::int16_t n : behind) {
            if (nodes_.node_of(n).kind == op::append) continue;
            known(n);
            for (const std::int16_t in : nodes_.node_of(n).in) {
                if (in == none || (!nodes_.in_stage(in) && !sums_.contains(in))) continue;
                known(in);
                const std::int16_t a = find(n), b = find(in);
                root[std::max(a, b)] = std::min(a, b);
            }
        }
        for (const std::int16_t n : behind) {  // a linear that goes into a cache as it is
            if (nodes_.node_of(n).kind != op::append) continue;
            known(nodes_.node_of(n).in[1]);
            known(nodes_.node_of(n).in[2]);
        }
        for (const auto& [n, up] : root) parts[find(n)].push_back(n);
    }

    row_use chain_of(const std::vector<std::int16_t>& nodes,
                     const std::vector<std::int16_t>& behind) {
        row_use out;
        value_.clear();
        set_width(nodes, out.chain);
        for (const std::int16_t n : nodes)
            if (is_source(n)) add_source(n, out);
        for (const std::int16_t n : nodes)
            for (const std::int16_t in : nodes_.node_of(n).in)
                if (in != none && !is_source(n) && is_source(in)) add_source(in, out);
        int steps = 0;
        for (const std::int16_t n : nodes)
            if (!is_source(n)) add_step(n, steps++, out);
        for (const std::int16_t n : nodes)
            if (const std::int32_t b = nodes_.buffer_of(n); b != no_index)
                add_target(out, value_.at(n),
                           nodes_.node_of(n).element_bytes == 4 ? g4k::target_kind::f32
                                                                : g4k::target_kind::bf16,
                           {operand::buffer, b, 0});
        add_appends(behind, out);
        return out;
    }
    void set_width(const std::vector<std::int16_t>& nodes, g4k::row_chain& chain) const {
        const std::int64_t width = nodes_.width_of(nodes.back());
        std::int64_t part = width;
        for (const std::int16_t n : nodes) {
            const node& self = nodes_.node_of(n);
            if (nodes_.width_of(n) != width)
                throw input_error{"cuda: ", nodes_.name(), ": expected rows of ", width,
                                  " elements side by side, got ", nodes_.width_of(n)};
            if (!is_source(n) && traits_of(self.kind).needs == reach::part)
                part = nodes_.last_axis_of(n);
        }
        for (const std::int16_t n : nodes)
            if (nodes_.is_anchor(n) && part == width && nodes_.node_of(n).result.rank > 2)
                part = nodes_.last_axis_of(n);  // heads that go into a cache as they are
        chain.width = static_cast<int>(part);
        chain.parts = static_cast<int>(width / part);
    }
    void add_source(std::int16_t n, row_use& out) {
        if (value_.contains(n)) return;
        g4k::row_chain& chain = out.chain;
        if (chain.source_count == std::ssize(chain.sources))
            fail("sources", std::size(chain.sources));
        const node& self = nodes_.node_of(n);
        g4k::source_kind kind = g4k::source_kind::bf16;
        if (sums_.contains(n)) {
            out.sources.push_back(sums_.at(n));
            kind = g4k::source_kind::sums;
        } else if (nodes_.in_stage(n)) {
            const std::int32_t table = index_in(context_.out.tables, nodes_.tensor_name(n));
            out.sources.push_back({operand::table, table, 0});
            kind = g4k::source_kind::table;
        } else {
            out.sources.push_back(nodes_.outside(n));
            if (self.element_bytes == 4) kind = g4k::source_kind::f32;
        }
        value_[n] = chain.source_count;
        chain.sources[chain.source_count++] = kind;
    }
    void add_step(std::int16_t n, int at, row_use& out) {
        g4k::row_chain& chain = out.chain;
        if (at == std::ssize(chain.steps)) fail("steps", std::size(chain.steps));
        const node& self = nodes_.node_of(n);
        const int right = self.in[1] == none ? 0 : value_.at(self.in[1]);
        chain.steps[at] = nodes_.step_of(n, value_.at(self.in[0]), right, out.vectors);
        if (self.kind == op::rope)
            out.rope = index_in(context_.out.ropes, rope_of(self, nodes_.values()));
        value_[n] = chain.source_count + at;
    }
    void add_appends(const std::vector<std::int16_t>& behind, row_use& out) {
        for (const std::int16_t n : behind) {
            const node& self = nodes_.node_of(n);
            if (self.kind != op::append) continue;
            for (int side = 1; side <= 2; ++side) {
                const auto found = value_.find(self.in[side]);
                if (found == value_.end()) continue;
                out.cache = context_.cache_of(nodes_.call().kv_layer);
                add_target(out, found->second,
                           side == 1 ? g4k::target_kind::key : g4k::target_kind::value, {});
            }
        }
    }
    void add_target(row_use& out, int value, g4k::target_kind kind, const operand& to) const {
        g4k::row_chain& chain = out.chain;
        if (chain.target_count == std::ssize(chain.targets))
            fail("results", std::size(chain.targets));
        chain.targets[chain.target_count++] = {value, kind};
        out.targets.push_back(to);
    }
    [[noreturn]] void fail(std::string_view what, std::size_t most) const {
        throw input_error{"cuda: ", nodes_.name(), ": expected at most ", most, " ", what,
                          " in a chain of row operators, got more"};
    }

    lowering_context& context_;
    stage_nodes& nodes_;
    std::map<std::int16_t, operand> sums_;
    std::map<std::int16_t, int> value_;  // of the chain being built
};

}  // namespace g4::cuda
