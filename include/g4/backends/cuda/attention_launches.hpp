// Attention passes as launches: single rows in splits of their context, many rows of one sequence
// in tiles.
#pragma once
#include "g4/backends/cuda/attention.hpp"
#include "g4/backends/cuda/attention_hopper.hpp"
#include "g4/backends/cuda/launch_context.hpp"
#include "g4/runtime/tensor_map.hpp"

namespace g4::cuda {

/// Whether an attention's tiles go through wgmma.
inline bool tiles_by_wgmma(const g4k::attention_config& c, bool wgmma) {
    return wgmma && prefill_hopper_refuses(c).empty();
}
inline std::int32_t tile_rows_of(const g4k::attention_config& c, bool wgmma) {
    return tiles_by_wgmma(c, wgmma) ? prefill_hopper_rows : prefill_tile_rows(c);
}

/// The sizes of tiles that the attentions of a plan ask for.
inline tile_rows tile_rows_of(const lowered_plan& lowered, bool wgmma, std::int32_t page_tokens) {
    tile_rows out;
    int count = 0;
    for (const device_pass& pass : lowered.passes) {
        const auto* attention = std::get_if<attention_pass>(&pass.work);
        if (attention == nullptr || pass.of != rows::all) continue;
        g4k::attention_config config = attention->config;
        config.page_tokens = page_tokens;
        const std::int32_t rows = tile_rows_of(config, wgmma);
        if (std::find(out.of, out.of + count, rows) != out.of + count) continue;
        if (count == max_tile_kinds)
            throw input_error{"cuda: expected at most ", max_tile_kinds,
                              " sizes of attention tiles, got more"};
        out.of[count++] = rows;
    }
    return out;
}

template <launch_sink Sink> class attention_launches {
  public:
    attention_launches(const launch_context& context, const step_rows_view& rows,
                       const tile_rows& tiles, scratch_needs& needs, Sink& sink)
        : c_{context}, rows_{rows}, tiles_{tiles}, needs_{needs}, sink_{sink} {}

    void run(const device_pass& pass, const attention_pass& work) {
        g4k::attention_config config = work.config;
        config.page_tokens = c_.page_tokens;
        const step_sizes& sizes = rows_.sizes();
        if (pass.of == rows::wanted || rows_.same()) {
            const int* map = rows_.map(pass.of, work.q);
            return decode(pass, work, config, rows_.count(pass.of), map, nullptr,
                          rows_.step_rows(pass.of));
        }
        const int* single = rows_.part<int>(rows_.layout().decode_rows);
        if (sizes.decode_rows > 0)
            decode(pass, work, config, sizes.decode_rows, single, single, single);
        prefill(work, config);
    }

  private:
    const placed_buffer& buffer(const operand& o) const {
        return c_.at.buffers[static_cast<std::size_t>(o.index)];
    }

    void decode(const device_pass& pass, const attention_pass& work,
                const g4k::attention_config& config, std::int32_t count, const int* q_rows,
                const int* out_rows, const int* step_rows) {
        if (count == 0) return;
        const placed_buffer &q = buffer(work.q), &out = buffer(work.out);
        G4_ASSERT(q.element_bytes == 2 && out.element_bytes == 2, "cuda: ", pass.name, ": bf16");
        g4k::decode_args args{};
        args.q = reinterpret_cast<const g4k::bf16_bits*>(q.data) + work.q.offset;
        args.q_stride = q.stride;
        args.q_rows = q_rows;
        args.out = reinterpret_cast<g4k::bf16_bits*>(out.data);
        args.out_stride = out.stride;
        args.out_rows = out_rows;
        args.rows = count;
        const decode_choice choice =
            choose_decode(config, count, c_.longest, c_.multiprocessors, c_.clusters);
        args.splits = choice.splits;
        args.step_rows = step_rows;
        args.tables = rows_.tables();
        args.cache = c_.at.caches[static_cast<std::size_t>(work.cache)];
        args.partial = c_.at.partial;
        args.extent = c_.at.extent;
        const decode_scratch scratch = decode_scratch_of(choice, count);
        needs_.partial = std::max(needs_.partial, scratch.partial_bytes);
        needs_.extent = std::max(needs_.extent, scratch.extent_bytes);
        const int tile = choice.config.tile, cluster = choice.config.cluster;
        launch(work, choice_key({0, tile, choice.config.slots, cluster}),
               decode_shape(choice.config, args), args,
               [&] { return decode_request(choice.config); });
        if (choice.parts() > 1)
            launch(work, choice_key({1, tile, choice.config.slots, cluster}),
                   merge_shape(choice.config, args), args,
                   [&] { return merge_request(choice.config); });
    }

    void prefill(const attention_pass& work, const g4k::attention_config& config) {
        const std::int32_t rows = tile_rows_of(config, c_.wgmma);
        const auto kind = std::find(tiles_.of, tiles_.of + max_tile_kinds, rows) - tiles_.of;
        G4_ASSERT(kind < max_tile_kinds, "cuda: tiles of ", rows, " rows");
        const std::int32_t count = rows_.sizes().tiles[kind];
        if (count == 0) return;
        const placed_buffer &q = buffer(work.q), &out = buffer(work.out);
        g4k::prefill_args args{};
        args.q = reinterpret_cast<const g4k::bf16_bits*>(q.data) + work.q.offset;
        args.q_stride = q.stride;
        args.out = reinterpret_cast<g4k::bf16_bits*>(out.data);
        args.out_stride = out.stride;
        args.tiles = rows_.part<g4k::prefill_tile>(rows_.layout().tiles[kind]);
        args.tile_count = count;
        args.tables = rows_.tables();
        args.cache = c_.at.caches[static_cast<std::size_t>(work.cache)];
        if (tiles_by_wgmma(config, c_.wgmma)) return by_wgmma(work, config, args);
        launch(work, choice_key({2}), prefill_shape(config, args), args,
               [&] { return prefill_request(config); });
    }
    void by_wgmma(const attention_pass& work, const g4k::attention_config& config,
                  const g4k::prefill_args& args) {
        const g4k::prefill_hopper_config hopper = choose_prefill_hopper(config);
        g4k::prefill_hopper_args with_maps{};
        with_maps.work = args;
        if (c_.on != nullptr) {
            const auto bytes = c_.at.pool_bytes[static_cast<std::size_t>(args.cache.kind)];
            with_maps.keys = encode_map<g4k::tensor_map>(
                *c_.on, prefill_hopper_keys(hopper, bytes), args.cache.base);
            with_maps.values = encode_map<g4k::tensor_map>(
                *c_.on, prefill_hopper_values(hopper, bytes), args.cache.base);
        }
        const launch_shape shape = prefill_hopper_launch(hopper, args, c_.multiprocessors);
        launch(work, choice_key({3}), shape, with_maps,
               [&] { return prefill_hopper_request(hopper); });
    }
    template <class Args, class Make>
    void launch(const attention_pass& work, std::uint64_t key, const launch_shape& shape,
                const Args& args, const Make& make) {
        sink_(c_.kernels.remembered(&work, key, make), shape, &args, sizeof args);
    }

    const launch_context& c_;
    const step_rows_view& rows_;
    const tile_rows& tiles_;
    scratch_needs& needs_;
    Sink& sink_;
};

}  // namespace g4::cuda
