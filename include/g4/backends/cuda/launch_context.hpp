// What the launches of a step are made from, and which rows of the step each pass works on.
#pragma once
#include "g4/backends/cuda/addresses.hpp"
#include "g4/backends/cuda/step_writer.hpp"

namespace g4::cuda {

/// What a dry run learns beside the kernels: the most that any step takes, in bytes.
struct scratch_needs { std::size_t sums = 0, partial = 0, extent = 0; };

/// What launches are made from. Outlives them.
struct launch_context {
    const plan& planned;
    const lowered_plan& lowered;
    const plan_addresses& at;
    kernel_set& kernels;
    const device* on;  // null in a dry run
    int multiprocessors;
    bool wgmma;        // kernels for sm_90a may be used
    bool clusters;     // blocks of a cluster may exchange: from 9.0 on
    int memory_gigabytes_per_second;
    std::int32_t page_tokens;
    std::int32_t longest;  // positions of a sequence: splits of a context are chosen for it
};

/// A step as launches see it: how many rows of each class, and where its tables lie.
class step_rows_view {
  public:
    /// sizes: of the launch, padded. same: every row is wanted, so that the classes are one.
    step_rows_view(const step_sizes& sizes, bool same, const plan_addresses& at)
        : sizes_{sizes}, same_{same}, layout_{layout_of(sizes)}, at_{at} {}

    std::int32_t count(rows of) const {
        return of == rows::all || same_ ? sizes_.rows : sizes_.wanted;
    }
    /// Row r of a pass is row map[r] of the step; null: r.
    const int* step_rows(rows of) const {
        return of == rows::all || same_ ? nullptr : part<int>(layout_.wanted_rows);
    }
    /// Row r of a pass is row map[r] of what it reads; null: r.
    const int* map(rows of, const operand& from) const {
        if (from.in != operand::buffer) return nullptr;
        const rows stored = at_.buffers[static_cast<std::size_t>(from.index)].of;
        return stored == of ? nullptr : step_rows(of);
    }
    g4k::step_tables tables() const {
        return {at_.token_ids, part<int>(layout_.positions), part<int>(layout_.sequence_of),
                part<g4k::sequence_entry>(layout_.sequences), part<int>(layout_.pages)};
    }
    template <class T> const T* part(std::size_t offset) const {
        return reinterpret_cast<const T*>(at_.step + offset);
    }
    const step_sizes& sizes() const { return sizes_; }
    const step_layout& layout() const { return layout_; }
    bool same() const { return same_; }

  private:
    step_sizes sizes_;
    bool same_;
    step_layout layout_;
    const plan_addresses& at_;
};

/// Where the sums lie that a linear left to the row pass behind it. Elements.
struct pending_sums { std::int64_t stride = 0, split_stride = 0; int splits = 1; };

inline const float* vector_at(const plan_addresses& at, const bound_vector& vector) {
    const auto found = at.vectors.find(vector);
    return found == at.vectors.end() ? nullptr : found->second;
}

/// Receives launches in order: number of the kernel, shape, arguments.
template <class Sink>
concept launch_sink = requires(Sink s, std::int32_t kernel, const launch_shape& shape,
                               const void* args, std::size_t bytes) {
    s(kernel, shape, args, bytes);
};

}  // namespace g4::cuda
