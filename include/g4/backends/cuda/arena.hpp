// Device memory of a plan beside its weights: slots, scratch, caches; all of it reserved at start.
#pragma once
#include "g4/backends/cuda/options.hpp"
#include "g4/backends/cuda/passes.hpp"
#include "g4/gate/executor.hpp"
#include "g4/runtime/buffer.hpp"
#include "g4/runtime/stream.hpp"

namespace g4::cuda {

/// Elements from row to row: kernels read 16 bytes at a time.
constexpr std::int64_t row_stride(std::int64_t width) { return (width + 7) / 8 * 8; }

/// A plan buffer where it lies.
struct placed_buffer {
    std::byte* data = nullptr;
    std::int64_t stride = 0;  // elements from row to row
    std::int32_t element_bytes = 2;
    rows of = rows::all;
    std::size_t slot = 0;
};

/// The buffers of a plan, without memory yet.
inline std::vector<placed_buffer> unplaced_buffers(const plan& p) {
    std::vector<placed_buffer> out;
    for (const buffer& b : p.buffers) {
        const node& n = p.program().nodes_of(p.program().at(b.call)).nodes[b.node];
        const auto width = static_cast<std::int64_t>(b.bytes_per_row) / n.element_bytes;
        out.push_back({nullptr, row_stride(width), n.element_bytes, b.of, b.slot});
    }
    return out;
}

/// Bytes of everything that the passes of a step read and write, caches aside.
struct arena_sizes {
    std::vector<std::size_t> slots, ropes;
    std::size_t activation = 0, sums = 0, partial = 0, extent = 0;

    std::size_t sum() const {
        std::size_t out = activation + sums + partial + extent;
        for (const std::size_t bytes : slots) out += bytes;
        for (const std::size_t bytes : ropes) out += bytes;
        return out;
    }
};

class arena {
  public:
    /// Poisoned with NaN: what reads a row that nobody wrote is seen.
    arena(const device& on, const stream& order, const plan& p, const arena_sizes& sizes)
        : activation_{on, sizes.activation}, sums_{on, sizes.sums}, partial_{on, sizes.partial},
          extent_{on, sizes.extent}, bytes_{sizes.sum()} {
        for (const std::size_t bytes : sizes.slots) slots_.emplace_back(on, bytes);
        for (const std::size_t bytes : sizes.ropes) ropes_.emplace_back(on, bytes);
        for (const device_buffer& b : slots_) order.fill(b.data(), 0xff, b.size());
        order.fill(activation_.data(), 0xff, activation_.size());
        order.fill(sums_.data(), 0xff, sums_.size());
        buffers_ = unplaced_buffers(p);
        for (placed_buffer& b : buffers_) b.data = slots_[b.slot].data();
    }
    /// Zeroed: an attention tile may look at keys that nobody wrote, and masks them.
    void reserve_caches(const device& on, const stream& order, const plan& p,
                        const std::vector<cache_kind>& kinds, std::int32_t page_tokens) {
        for (const cache_kind& kind : kinds) {
            kinds_.emplace_back(on, static_cast<std::size_t>(kind.page_bytes) *
                                        static_cast<std::size_t>(kind.pages));
            order.fill(kinds_.back().data(), 0, kinds_.back().size());
            cache_bytes_ += kinds_.back().size();
            pool_bytes_.push_back(static_cast<std::int64_t>(kinds_.back().size()));
        }
        for (const cache_layout& c : p.caches) {
            const auto layer_bytes = static_cast<long long>(c.bytes_per_token) * page_tokens;
            caches_.push_back({kinds_[c.kind].as<char>(), kinds[c.kind].page_bytes,
                               layer_bytes * c.place, static_cast<int>(c.kind)});
        }
    }

    const std::vector<placed_buffer>& buffers() const { return buffers_; }
    const std::vector<g4k::cache_args>& caches() const { return caches_; }
    const std::vector<std::int64_t>& pool_bytes() const { return pool_bytes_; }
    std::byte* activation() const { return activation_.data(); }
    float* sums() const { return sums_.as<float>(); }
    float* partial() const { return partial_.as<float>(); }
    float* extent() const { return extent_.as<float>(); }
    std::vector<float*> ropes() const {
        std::vector<float*> out;
        for (const device_buffer& b : ropes_) out.push_back(b.as<float>());
        return out;
    }
    std::size_t bytes() const { return bytes_; }
    std::size_t cache_bytes() const { return cache_bytes_; }

  private:
    std::vector<device_buffer> slots_, ropes_, kinds_;
    device_buffer activation_, sums_, partial_, extent_;
    std::vector<placed_buffer> buffers_;
    std::vector<g4k::cache_args> caches_;
    std::vector<std::int64_t> pool_bytes_;  // by kind
    std::size_t bytes_ = 0, cache_bytes_ = 0;
};

}  // namespace g4::cuda
