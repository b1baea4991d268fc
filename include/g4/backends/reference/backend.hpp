// The oracle of the tests: runs a bound program node by node in f32, slowly and plainly.
#pragma once
#include "g4/backends/reference/attend.hpp"
#include "g4/backends/reference/elementwise.hpp"
#include "g4/backends/reference/embed.hpp"
#include "g4/backends/reference/linear.hpp"
#include "g4/backends/reference/rms_norm.hpp"
#include "g4/backends/reference/rope.hpp"
#include "g4/graph/bound_program.hpp"
#include <map>

namespace g4::reference {

/// One sequence: how many tokens its caches hold, and the caches by owning layer.
struct sequence {
    std::int64_t past = 0;
    std::map<std::int16_t, cache> caches{};
};

/// What the result of each operator is kept in. bf16: as a back end loses that rounds behind every
/// operator, which says how far from f32 an honest bf16 run of this very model may lie.
enum class rounding : std::uint8_t { none, bf16 };

/// Nothing is fused, skipped or quantised.
class backend {
  public:
    /// `program` and `weights` must outlive it.
    backend(const bound_program& program, const weight_table& weights, unsigned threads = 1,
            rounding kept = rounding::none)
        : program_{program}, weights_{weights}, threads_{threads}, kept_{kept} {}

    /// The result of the last call for each token: logits [tokens, vocabulary]. Continues `s`.
    activation run(sequence& s, std::span<const std::int32_t> ids) const {
        std::vector<activation> results;
        for (const bound_call& c : program_.calls) results.push_back(run_call(s, ids, c, results));
        s.past += static_cast<std::int64_t>(ids.size());
        return std::move(results.back());
    }

  private:
    activation run_call(sequence& s, std::span<const std::int32_t> ids, const bound_call& c,
                        const std::vector<activation>& results) const {
        const graph& g = program_.nodes_of(c);
        std::vector<activation> values(static_cast<std::size_t>(g.node_count));
        for (std::int16_t i = 0; i < g.node_count; ++i)
            values[static_cast<std::size_t>(i)] =
                g.nodes[i].kind == op::input
                    ? input_of(c, c.inputs[static_cast<std::size_t>(i)], results)
                    : rounded(run_node(s, ids, c, i, values), g.nodes[i]);
        return std::move(values[static_cast<std::size_t>(g.result)]);
    }

    activation rounded(activation x, const node& of) const {
        if (kept_ == rounding::bf16 && of.element_bytes == bf16::bytes)
            for (float& value : x.values) value = round_to_bf16(value);
        return x;
    }

    activation input_of(const bound_call&, const feed& f,
                        const std::vector<activation>& results) const {
        if (f.from != feed::result) return {};
        const activation& whole = results[static_cast<std::size_t>(f.call)];
        if (f.row == none) return whole;
        const bound_call& writer = program_.at(f.call);
        const graph& g = program_.nodes_of(writer);
        const shape& axes = g.nodes[g.result].result;
        const auto layers = static_cast<std::int64_t>(
            program_.values_of(writer).of[axes.axes[1]]);
        activation out{whole.rows, whole.width / layers};
        for (std::int64_t t = 0; t < whole.rows; ++t) {
            const auto from = whole.row(t).subspan(static_cast<std::size_t>(f.row * out.width),
                                                   static_cast<std::size_t>(out.width));
            std::copy(from.begin(), from.end(), out.row(t).begin());
        }
        return out;
    }

    activation run_node(sequence& s, std::span<const std::int32_t> ids, const bound_call& c,
                        std::int16_t index, const std::vector<activation>& values) const {
        const graph& g = program_.nodes_of(c);
        const bound_values& bound = program_.values_of(c);
        const node& n = g.nodes[index];
        const auto in = [&](int k) -> const activation& {
            return values[static_cast<std::size_t>(n.in[k])]; };
        const auto stored = [&]() -> const weight& {
            return find_weight(weights_, program_.tensor_name(c, n)); };
        const auto last_axis = [&](const node& of) {
            return static_cast<std::int64_t>(bound.of[of.result.axes[of.result.rank - 1]]); };
        const double first = number_of(n.attributes[0], bound);
        const double second = number_of(n.attributes[1], bound);
        switch (n.kind) {
            case op::embed: return embed(ids, stored());
            case op::linear: return linear(in(0), stored(), threads_);
            case op::rms_norm:
                return rms_norm(in(0), last_axis(n), first,
                                n.weight.empty() ? std::vector<float>{} : read_vector(stored()),
                                second);
            case op::rope:
                return rope(in(0), last_axis(n), first, second, number_of(n.attributes[2], bound),
                            s.past);
            case op::append: append(s.caches[c.kv_layer], in(1), in(2)); return {};
            case op::attend: {
                const node& kept = g.nodes[n.in[1]];
                return attend(in(0), s.caches[c.kv_layer],
                              {static_cast<std::int64_t>(bound.of[kept.result.axes[0]]),
                               last_axis(n), static_cast<std::int64_t>(first), second}, s.past);
            }
            default:
                return elementwise(n.kind, in(0), n.in[1] == none ? nullptr : &in(1),
                                   n.kind == op::scale ? read_vector(stored())[0] : first);
        }
    }

    const bound_program& program_;
    const weight_table& weights_;
    unsigned threads_;
    rounding kept_;
};

}  // namespace g4::reference
