// Row passes as launches: each source and target gets its address.
#pragma once
#include "g4/backends/cuda/launch_context.hpp"
#include "g4/backends/cuda/row.hpp"

namespace g4::cuda {

template <launch_sink Sink> class row_launches {
  public:
    row_launches(const launch_context& context, const step_rows_view& rows, Sink& sink)
        : c_{context}, rows_{rows}, sink_{sink} {}

    void run(const device_pass& pass, const row_pass& work, const pending_sums& sums) {
        g4k::row_config config;
        g4k::row_args args{};
        args.rows = rows_.count(pass.of);
        args.step_rows = rows_.step_rows(pass.of);
        args.tables = rows_.tables();
        config.page_tokens = c_.page_tokens;
        for (const row_use& use : work.chains) {
            config.chains[config.chain_count] = use.chain;
            fill(pass, use, sums, args.chains[config.chain_count++]);
        }
        config.many_rows = args.rows >= g4k::row_many_rows;
        const std::int32_t kernel =
            c_.kernels.remembered(&work, config.many_rows, [&] { return row_request(config); });
        sink_(kernel, row_shape(config, args.rows), &args, sizeof args);
    }

  private:
    void fill(const device_pass& pass, const row_use& use, const pending_sums& sums,
              g4k::row_chain_args& to) const {
        for (std::size_t s = 0; s < use.sources.size(); ++s)
            to.sources[s] = source(pass, use.sources[s], sums);
        for (std::size_t t = 0; t < use.targets.size(); ++t)
            to.targets[t] = target(use, use.targets[t]);
        for (std::size_t v = 0; v < use.vectors.size(); ++v)
            to.vectors[v] = vector_at(c_.at, use.vectors[v]);
        if (use.rope != no_index) to.rope = c_.at.ropes[static_cast<std::size_t>(use.rope)];
    }
    g4k::row_source_args source(const device_pass& pass, const operand& from,
                                const pending_sums& sums) const {
        if (from.in == operand::sums)
            return {c_.at.sums + from.offset, sums.stride, sums.split_stride, sums.splits, nullptr};
        if (from.in == operand::table) {
            const auto table = static_cast<std::size_t>(from.index);
            return {c_.at.tables[table], c_.at.table_strides[table], 0, 1, nullptr};
        }
        G4_ASSERT(from.in == operand::buffer, "cuda: ", pass.name, ": a row pass reads a buffer");
        const placed_buffer& b = c_.at.buffers[static_cast<std::size_t>(from.index)];
        return {b.data + from.offset * b.element_bytes, b.stride, 0, 1, rows_.map(pass.of, from)};
    }
    g4k::row_target_args target(const row_use& use, const operand& to) const {
        g4k::row_target_args out{};
        if (to.in == operand::buffer) {
            const placed_buffer& b = c_.at.buffers[static_cast<std::size_t>(to.index)];
            out.data = b.data;
            out.stride = b.stride;
        } else if (to.in == operand::activation) {
            out.data = c_.at.activation;
            out.stride = row_stride(c_.lowered.activation_width);
        } else {
            out.cache = c_.at.caches[static_cast<std::size_t>(use.cache)];
        }
        return out;
    }

    const launch_context& c_;
    const step_rows_view& rows_;
    Sink& sink_;
};

}  // namespace g4::cuda
