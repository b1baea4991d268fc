// Slots on the device as sequences take them: counts cleared, prompts marked when a penalty asks.
#pragma once
#include "g4/backends/cuda/kernel_set.hpp"
#include "g4/backends/cuda/sample.hpp"
#include "g4/runtime/buffer.hpp"
#include "g4/runtime/event.hpp"
#include "g4/runtime/stream.hpp"
#include <optional>

namespace g4::cuda {

class slot_prompts {
  public:
    slot_prompts(const device& on, const stream& order, const sample_kernels& sampler,
                 kernel_set& kernels, const g4k::sample_slots& slots, std::int32_t count)
        : order_{order}, sampler_{sampler}, kernels_{kernels}, slots_{slots},
          prompts_(static_cast<std::size_t>(count)), piece_{on, piece_tokens * 4},
          staging_{on, piece_tokens * 4}, sent_{on} {}

    void start(const slot_start& started) {
        const sample_launch clear = sampler_.clear();
        order_.launch(kernels_.at(kernels_.number_of(clear.request)), clear.shape,
                      g4k::slot_args{slots_, started.slot, nullptr, 0});
        one& self = prompts_[static_cast<std::size_t>(started.slot)];
        self.tokens.assign(started.prompt.begin(), started.prompt.end());
        self.marked = false;
    }
    /// The prompt of a slot must be known to the sampler from this step on.
    void need(std::int32_t slot) {
        one& self = prompts_[static_cast<std::size_t>(slot)];
        if (self.marked) return;
        self.marked = true;
        for (std::size_t done = 0; done < self.tokens.size(); done += piece_tokens) {
            const std::size_t count = std::min(piece_tokens, self.tokens.size() - done);
            if (used_) sent_.synchronize();
            used_ = true;
            std::copy_n(self.tokens.begin() + static_cast<std::ptrdiff_t>(done), count,
                        staging_.as<std::int32_t>().begin());
            order_.copy_to_device(piece_.data(), staging_.data(), count * 4);
            order_.record(sent_);
            const sample_launch mark = sampler_.mark(static_cast<std::int32_t>(count));
            order_.launch(kernels_.at(kernels_.number_of(mark.request)), mark.shape,
                          g4k::slot_args{slots_, slot, piece_.as<int>(), static_cast<int>(count)});
        }
    }

  private:
    static constexpr std::size_t piece_tokens = 16384;
    struct one {
        std::vector<std::int32_t> tokens;
        bool marked = false;
    };

    const stream& order_;
    const sample_kernels& sampler_;
    kernel_set& kernels_;
    g4k::sample_slots slots_;
    std::vector<one> prompts_;
    device_buffer piece_;
    pinned_buffer staging_;
    event sent_;
    bool used_ = false;
};

}  // namespace g4::cuda
