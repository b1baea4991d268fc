// All launches of a step in order: tables resolved, passes, tokens chosen.
#pragma once
#include "g4/backends/cuda/attention_launches.hpp"
#include "g4/backends/cuda/linear_launches.hpp"
#include "g4/backends/cuda/row_launches.hpp"
#include "g4/backends/cuda/sample.hpp"
#include "g4/backends/cuda/step.hpp"

namespace g4::cuda {

/// What chooses tokens, and where it works. Null pointers in a dry run.
struct sample_context {
    const sample_kernels& kernels;
    g4k::sample_slots slots{};
    g4k::sample_scratch scratch{};
    g4k::sample_choice* sampled = nullptr;
    g4k::sample_choice* top = nullptr;
};

/// Hands every launch of a step of this shape to `sink`.
///   padded  the sizes of the launch
///   same    every row is wanted, one a sequence: a decode
template <launch_sink Sink> class step_launches {
  public:
    step_launches(const launch_context& context, const sample_context& sampling,
                  const tile_rows& tiles, const step_shape& shape, const step_sizes& padded,
                  scratch_needs& needs, Sink& sink)
        : c_{context}, sampling_{sampling}, shape_{shape}, rows_{padded, shape.decode, context.at},
          sink_{sink}, linears_{c_, rows_, needs, sink}, row_passes_{c_, rows_, sink},
          attentions_{c_, rows_, tiles, needs, sink} {}

    void run() {
        begin();
        for (const device_pass& pass : c_.lowered.passes) {
            if (rows_.count(pass.of) == 0) continue;
            if (const auto* linear = std::get_if<linear_pass>(&pass.work)) {
                if (!linears_.run(pass, *linear))
                    row_passes_.run(pass, *linear->apart, linears_.sums());
            } else if (const auto* row = std::get_if<row_pass>(&pass.work))
                row_passes_.run(pass, *row, linears_.sums());
            else
                attentions_.run(pass, std::get<attention_pass>(pass.work));
        }
        if (rows_.count(rows::wanted) > 0) choose();
    }

  private:
    void begin() {
        g4k::begin_step_args args{};
        args.rows = rows_.count(rows::all);
        args.asked_tokens = rows_.template part<int>(rows_.layout().token_ids);
        args.last_tokens = c_.at.last_tokens;
        args.token_ids = c_.at.token_ids;
        args.positions = rows_.template part<int>(rows_.layout().positions);
        G4_ASSERT(c_.lowered.ropes.size() <= std::size(args.ropes), "cuda: at most ",
                  std::size(args.ropes), " rope tables");
        for (std::size_t t = 0; t < c_.lowered.ropes.size(); ++t)
            args.ropes[args.rope_count++] = {c_.at.frequencies[t], c_.at.ropes[t],
                                             static_cast<int>(c_.lowered.ropes[t].head_dim / 2)};
        const std::int32_t kernel =
            c_.kernels.remembered(nullptr, 0, [] { return begin_step_request(); });
        sink_(kernel, begin_step_shape(args), &args, sizeof args);
    }

    void choose() {
        const std::int32_t count = rows_.count(rows::wanted);
        const value result = computed_result(c_.planned.program());
        const auto at = std::find_if(
            c_.planned.buffers.begin(), c_.planned.buffers.end(),
            [&](const buffer& b) { return value{b.call, b.node} == result; });
        const placed_buffer& logits =
            c_.at.buffers[static_cast<std::size_t>(at - c_.planned.buffers.begin())];
        if (logits.element_bytes != 4)
            throw input_error{"cuda: the model's result: expected f32 logits (softcap or a ",
                              "linear to f32{} gives them), got elements of ",
                              logits.element_bytes, " bytes"};
        g4k::sample_args args{};
        args.logits = reinterpret_cast<float*>(logits.data);
        args.logits_stride = logits.stride;
        args.vocabulary = static_cast<int>(at->bytes_per_row) / 4;
        args.how = rows_.template part<g4k::sample_row>(rows_.layout().samples);
        args.biases = rows_.template part<g4k::token_bias>(rows_.layout().biases);
        args.slots = sampling_.slots;
        args.scratch = sampling_.scratch;
        args.tokens = c_.at.last_tokens;
        args.sampled = sampling_.sampled;
        args.top = sampling_.top;
        std::uint64_t key = shape_.greedy ? 8 : 0;
        for (const sample_launch& l : sampling_.kernels.choose(count, shape_.greedy)) {
            const std::int32_t kernel =
                c_.kernels.remembered(&sampling_.kernels, key++, [&] { return l.request; });
            sink_(kernel, l.shape, &args, sizeof args);
        }
    }

    const launch_context& c_;
    const sample_context& sampling_;
    const step_shape& shape_;
    step_rows_view rows_;
    Sink& sink_;
    linear_launches<Sink> linears_;
    row_launches<Sink> row_passes_;
    attention_launches<Sink> attentions_;
};

}  // namespace g4::cuda
