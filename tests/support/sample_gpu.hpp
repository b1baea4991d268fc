// Sampling on a device for tests and benchmarks: the memory of a step, and its launches.
#pragma once
#include "g4/backends/cuda/sample.hpp"
#include "tests/support/gpu.hpp"
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace g4::testing {

/// Kernels by their text: compiled once for several vocabularies.
using loaded_kernels = std::map<std::string, kernel>;

/// Rows of one vocabulary with their slots. The step's tables are uploaded, its kernels run.
class sampling_on_gpu {
  public:
    sampling_on_gpu(gpu& on, loaded_kernels& loaded, cuda::sample_sizes sizes, std::int64_t stride,
                    g4k::sample_config config = {})
        : on_{on},
          loaded_{loaded},
          kernels_{sizes.vocabulary, config},
          sizes_{sizes},
          scratch_{on.filled<char>(kernels_.scratch_bytes(sizes))},
          slots_{on.poisoned<char>(kernels_.slot_bytes(sizes))},
          logits_{on.device(), static_cast<std::size_t>(sizes.rows * stride)},
          how_{on.device(), static_cast<std::size_t>(sizes.rows)},
          biases_{on.device(), static_cast<std::size_t>(sizes.biases + 1)},
          tokens_{on.poisoned<int>(static_cast<std::size_t>(sizes.rows))},
          sampled_{on.poisoned<g4k::sample_choice>(static_cast<std::size_t>(sizes.rows))},
          top_{on.poisoned<g4k::sample_choice>(static_cast<std::size_t>(sizes.rows) * max_top)} {
        args_ = {.logits = logits_.data(),
                 .logits_stride = stride,
                 .vocabulary = sizes.vocabulary,
                 .how = how_.data(),
                 .biases = biases_.data(),
                 .slots = kernels_.slots_at(sizes, slots_.data()),
                 .scratch = kernels_.scratch_at(sizes, scratch_.data()),
                 .tokens = tokens_.data(),
                 .sampled = sampled_.data(),
                 .top = top_.data()};
    }
    static constexpr std::size_t max_top = 24;

    void start(int slot, const std::vector<int>& prompt) {
        g4k::slot_args args{args_.slots, slot, nullptr, 0};
        launch(kernels_.clear(), args);
        const auto piece = on_.upload(prompt.empty() ? std::vector<int>{0} : prompt);
        args.tokens = piece.data();
        args.token_count = static_cast<int>(prompt.size());
        launch(kernels_.mark(args.token_count), args);
        on_.stream().synchronize();
    }
    void upload(const std::vector<float>& logits, const std::vector<g4k::sample_row>& how,
                const std::vector<g4k::token_bias>& biases) {
        const auto& stream = on_.stream();
        stream.copy_to_device(logits_.data(), logits.data(), logits.size() * sizeof(float));
        stream.copy_to_device(how_.data(), how.data(), how.size() * sizeof how[0]);
        if (!biases.empty())
            stream.copy_to_device(biases_.data(), biases.data(), biases.size() * sizeof biases[0]);
        stream.synchronize();
    }
    /// Puts the kernels of `rows` rows on the stream.
    void choose(std::int32_t rows, bool greedy) {
        for (const cuda::sample_launch& one : kernels_.choose(rows, greedy)) launch(one, args_);
    }

    std::vector<int> tokens() const { return on_.download(tokens_); }
    std::vector<g4k::sample_choice> sampled() const { return on_.download(sampled_); }
    std::vector<g4k::sample_choice> top() const { return on_.download(top_); }
    const cuda::sample_kernels& kernels() const { return kernels_; }
    g4k::sample_args& args() { return args_; }

  private:
    template <class Args> void launch(const cuda::sample_launch& one, const Args& args) {
        auto at = loaded_.find(one.request.text);
        if (at == loaded_.end())
            at = loaded_.emplace(one.request.text, on_.compile(one.request)).first;
        on_.stream().launch(at->second, one.shape, args);
    }

    gpu& on_;
    loaded_kernels& loaded_;
    cuda::sample_kernels kernels_;
    cuda::sample_sizes sizes_;
    device_vector<char> scratch_, slots_;
    device_vector<float> logits_;
    device_vector<g4k::sample_row> how_;
    device_vector<g4k::token_bias> biases_;
    device_vector<int> tokens_;
    device_vector<g4k::sample_choice> sampled_, top_;
    g4k::sample_args args_{};
};

}  // namespace g4::testing
