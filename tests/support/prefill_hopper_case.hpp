// A step for the sm_90a prefill kernel on a device: what attention_case makes, uploaded and tiled,
// the result poisoned first. Tests and the benchmark share it.
#pragma once
#include "g4/backends/cuda/attention_hopper.hpp"
#include "g4/runtime/tensor_map.hpp"
#include "tests/support/attention_case.hpp"
#include "tests/support/gpu.hpp"
#include <string>
#include <vector>

namespace g4::testing {

class prefill_hopper_case {
  public:
    static constexpr int gap = 32;  // elements behind each row of the result that must stay

    prefill_hopper_case(gpu& on, const attention_case& host,
                        const g4k::prefill_hopper_config& config)
        : gpu_{on},
          host_{host},
          config_{config},
          tile_list_{cuda::prefill_tiles(host.sequences, cuda::prefill_hopper_rows)},
          queries_{on.upload(host.queries)},
          cache_{on.upload(host.cache)},
          positions_{on.upload(host.positions)},
          sequence_of_{on.upload(host.sequence_of)},
          pages_{on.upload(host.pages)},
          sequences_{on.upload(host.sequences)},
          tiles_{on.upload(tile_list_)},
          out_{on.poisoned<std::uint16_t>(static_cast<std::size_t>(host.rows * out_stride()))},
          kernel_{on.compile(cuda::prefill_hopper_request(config))} {
        args_.work = {.q = queries_.data(),
                      .q_stride = host.q_stride(),
                      .out = out_.data(),
                      .out_stride = out_stride(),
                      .tiles = tiles_.data(),
                      .tile_count = static_cast<int>(tile_list_.size()),
                      .tables = {nullptr, positions_.data(), sequence_of_.data(), sequences_.data(),
                                 pages_.data()},
                      .cache = {reinterpret_cast<char*>(cache_.data()), host.page_bytes(),
                                host.layer_elements() * 2, attention_case::kind}};
        const auto bytes = static_cast<std::int64_t>(cache_.bytes());
        args_.keys = encode_map<g4k::tensor_map>(
            on.device(), cuda::prefill_hopper_keys(config, bytes), cache_.data());
        args_.values = encode_map<g4k::tensor_map>(
            on.device(), cuda::prefill_hopper_values(config, bytes), cache_.data());
        shape_ = cuda::prefill_hopper_launch(config, args_.work, on.info().multiprocessors);
    }

    void launch() const { gpu_.stream().launch(kernel_, shape_, args_); }
    std::vector<std::uint16_t> result() const { return gpu_.download(out_); }
    long long out_stride() const {
        return config_.attention.q_heads * config_.attention.head_dim + gap;
    }
    /// Multiplications and additions of what rows see.
    double flops() const {
        double keys = 0;
        for (const int position : host_.positions)
            if (position >= 0) keys += position - host_.first_seen(position) + 1;
        return 4 * keys * config_.attention.q_heads * config_.attention.head_dim;
    }

    /// Runs, and tells of the first element that is wrong; empty: none. Every `step`-th head of a
    /// row is held against sums in f64, one after the other.
    std::string verify(int step) {
        launch();
        gpu_.stream().synchronize();
        const std::vector<std::uint16_t> out = result();
        const int heads = config_.attention.q_heads;
        for (int i = 0; i < host_.rows * heads; i += step)
            if (std::string wrong = compare(out, i / heads, i % heads); !wrong.empty())
                return wrong;
        for (int row = 0; row < host_.rows; ++row)
            for (long long i = out_stride() - gap; i < out_stride(); ++i)
                if (out[static_cast<std::size_t>(row * out_stride() + i)] != 0xFFFF)
                    return concat("wrote behind row ", row);
        return {};
    }

  private:
    /// Weights are rounded to bf16: 2^-9 of each product, values up to 5; the result is rounded,
    /// too.
    std::string compare(const std::vector<std::uint16_t>& out, int row, int head) const {
        if (host_.positions[static_cast<std::size_t>(row)] < 0) return {};
        const std::vector<double> expected = host_.expected(row, head);
        for (int d = 0; d < config_.attention.head_dim; ++d) {
            const double want = expected[static_cast<std::size_t>(d)];
            const double got = static_cast<double>(bf16_value(out[static_cast<std::size_t>(
                row * out_stride() + head * config_.attention.head_dim + d)]));
            if (!(std::abs(got - want) <= 5 * 0x1p-9 + std::abs(want) * 0x1p-8))
                return concat("row ", row, ", head ", head, ", dimension ", d, ": expected ", want,
                              ", got ", got);
        }
        return {};
    }

    gpu& gpu_;
    const attention_case& host_;
    g4k::prefill_hopper_config config_;
    std::vector<g4k::prefill_tile> tile_list_;
    device_vector<std::uint16_t> queries_, cache_;
    device_vector<int> positions_, sequence_of_, pages_;
    device_vector<g4k::sequence_entry> sequences_;
    device_vector<g4k::prefill_tile> tiles_;
    device_vector<std::uint16_t> out_;
    kernel kernel_;
    g4k::prefill_hopper_args args_{};
    launch_shape shape_;
};

}  // namespace g4::testing
