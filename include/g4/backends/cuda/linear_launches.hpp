// Linear passes as launches: few tokens stream the weights, many go through wgmma tiles.
#pragma once
#include "g4/backends/cuda/gemm.hpp"
#include "g4/backends/cuda/launch_context.hpp"
#include "g4/backends/cuda/linear.hpp"
#include "g4/runtime/tensor_map.hpp"

namespace g4::cuda {

/// The linear passes of one step.
template <launch_sink Sink> class linear_launches {
  public:
    linear_launches(const launch_context& context, const step_rows_view& rows, scratch_needs& needs,
                    Sink& sink)
        : c_{context}, rows_{rows}, needs_{needs}, sink_{sink} {}

    /// Of the last linear that could not finish.
    const pending_sums& sums() const { return sums_; }

    /// False: the steps are left to linear.apart, which must follow.
    bool run(const device_pass& pass, const linear_pass& linear) {
        const device_matrix& m = c_.at.matrices[static_cast<std::size_t>(linear.matrix)];
        const std::int32_t tokens = rows_.count(pass.of);
        const int* map = rows_.map(pass.of, linear.x);
        const bool may_tile = c_.wgmma && m.plain != nullptr && map == nullptr;
        finished_ = linear.finished && !(linear.apart && is_starved(m, tokens));
        if (may_tile && tiles_are_faster(m, tokens)) tile(pass, linear, m, tokens);
        else stream(pass, linear, m, tokens, map);
        return finished_ || !linear.finished;
    }

  private:
    /// wgmma on bf16 weights, though int4 ones are a quarter of the bytes. Microseconds of both
    /// as measured on an H100: units of 16 rows and 64 columns; bytes at 86 % of the memory's
    /// rate.
    bool tiles_are_faster(const device_matrix& m, std::int32_t tokens) const {
        if (tokens <= 32) return false;
        if (tokens > 64 || m.form.form == g4k::weight_form::plain_bf16) return true;
        const double numbers = static_cast<double>(m.rows * m.columns);
        const double streamed = 2 + 0.077 * numbers / (16 * 64) / c_.multiprocessors;
        const double tiled = 2 + numbers * 2 / (0.86e3 * c_.memory_gigabytes_per_second);
        return finished_ && tiled < 0.9 * streamed;  // sums would be split, which costs more
    }

    /// Too few tiles of rows to occupy the device, unless blocks share the columns. Measured on an
    /// H100, 256 rows x 2560 columns: 2 us for 8 tokens, 11 us for 32.
    bool is_starved(const device_matrix& m, std::int32_t tokens) const {
        return tokens > 8 && tokens <= 256 && m.rows / 16 * 4 < c_.multiprocessors;
    }

    /// Choices are made for few distinct numbers of tokens, so that a dry run sees them all.
    static std::int64_t rounded(std::int64_t tokens) {
        return tokens <= 256 ? tokens : (tokens + 127) / 128 * 128;
    }
    template <class Config> void fill(const linear_pass& linear, const device_matrix& m,
                                      Config& config) const {
        config.out = finished_ ? linear.out_type : g4k::number_type::f32;
        if (!finished_) return;
        config.paired = m.paired;
        config.input_count = static_cast<int>(linear.inputs.size());
        std::copy(linear.steps.begin(), linear.steps.end(), config.steps);
    }
    template <class Args> void fill(const device_pass& pass, const linear_pass& linear,
                                    const device_matrix& m, std::int32_t tokens, int splits,
                                    Args& args) {
        args.tokens = tokens;
        args.rows = static_cast<int>(m.rows);
        args.columns = static_cast<int>(m.columns);
        args.splits = splits;
        if (finished_) {
            const placed_buffer& to = c_.at.buffers[static_cast<std::size_t>(linear.out.index)];
            args.out = to.data;
            args.out_stride = to.stride;
        } else {
            args.out = c_.at.sums;
            args.out_stride = row_stride(m.rows);
            args.split_stride = tokens * args.out_stride;
            sums_ = {args.out_stride, args.split_stride, splits};
            needs_.sums = std::max(needs_.sums, static_cast<std::size_t>(splits) *
                                                    static_cast<std::size_t>(args.split_stride) *
                                                    sizeof(float));
        }
        for (std::size_t i = 0; finished_ && i < linear.inputs.size(); ++i) {
            const operand& in = linear.inputs[i];
            const placed_buffer& from = c_.at.buffers[static_cast<std::size_t>(in.index)];
            args.inputs[i] = {reinterpret_cast<const g4k::bf16_bits*>(from.data) + in.offset,
                              from.stride, rows_.map(pass.of, in)};
        }
        for (std::size_t i = 0; i < linear.vectors.size(); ++i)
            args.vectors[i] = vector_at(c_.at, linear.vectors[i]);
    }
    const g4k::bf16_bits* x_of(const linear_pass& linear, std::int64_t& stride) const {
        if (linear.x.in == operand::activation) {
            stride = row_stride(c_.lowered.activation_width);
            return reinterpret_cast<const g4k::bf16_bits*>(c_.at.activation);
        }
        const placed_buffer& from = c_.at.buffers[static_cast<std::size_t>(linear.x.index)];
        stride = from.stride;
        return reinterpret_cast<const g4k::bf16_bits*>(from.data) + linear.x.offset;
    }

    void stream(const device_pass& pass, const linear_pass& linear, const device_matrix& m,
                std::int32_t tokens, const int* map) {
        const linear_sizes sizes{m.form.form, m.form.group, rounded(tokens), m.rows, m.columns,
                                 finished_};
        const linear_tiling tiling = choose_linear(sizes, c_.multiprocessors);
        g4k::linear_config config;
        config.form = m.form.form;
        config.group = m.form.group;
        config.scales = m.form.scales;
        fill(linear, m, config);
        config = with_tiling(config, tiling);
        g4k::linear_args args{};
        fill(pass, linear, m, tokens, tiling.splits, args);
        args.weights = m.packed;
        args.scales = m.scales;
        std::int64_t stride = 0;
        args.x = x_of(linear, stride);
        args.x_stride = stride;
        args.x_rows = map;
        const std::uint64_t key =
            choice_key({0, finished_, tiling.token_tile, tiling.staged, tiling.resident,
                        tiling.row_tiles, tiling.row_warps, tiling.token_warps,
                        tiling.column_warps, tiling.depth, tiling.span, tiling.most_blocks});
        const std::int32_t kernel =
            c_.kernels.remembered(&linear, key, [&] { return linear_request(config); });
        sink_(kernel, linear_shape(config, args), &args, sizeof args);
    }

    void tile(const device_pass& pass, const linear_pass& linear, const device_matrix& m,
              std::int32_t tokens) {
        std::int64_t stride = 0;
        const g4k::bf16_bits* x = x_of(linear, stride);
        gemm_sizes sizes{rounded(tokens), m.rows, m.columns, stride};
        if (!gemm_refuses(sizes).empty()) return stream(pass, linear, m, tokens, nullptr);
        const gemm_tiling tiling =
            choose_gemm(sizes, finished_ ? 1 : most_splits, c_.multiprocessors);
        g4k::gemm_config config;
        fill(linear, m, config);
        config = with_tiling(config, tiling);
        g4k::gemm_args args{};
        fill(pass, linear, m, tokens, tiling.splits, args);
        if (c_.on != nullptr) {
            sizes.tokens = tokens;
            args.x = encode_map<g4k::tensor_map>(*c_.on, gemm_x_array(sizes), x);
            args.weights =
                encode_map<g4k::tensor_map>(*c_.on, gemm_weights_array(config, sizes), m.plain);
        }
        const std::uint64_t key = choice_key({1, finished_, tiling.row_tile, tiling.cluster});
        const std::int32_t kernel =
            c_.kernels.remembered(&linear, key, [&] { return gemm_request(config); });
        sink_(kernel, gemm_launch(config, args, c_.multiprocessors), &args, sizeof args);
    }

    static constexpr int most_splits = 8;

    const launch_context& c_;
    const step_rows_view& rows_;
    scratch_needs& needs_;
    Sink& sink_;
    pending_sums sums_;
    bool finished_ = true;  // the pass that is being launched
};

}  // namespace g4::cuda
