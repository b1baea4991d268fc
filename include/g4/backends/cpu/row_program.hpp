// Runs row operations: the nodes before and behind the anchors of a stage, one row at a time.
#pragma once
#include "g4/backends/cpu/arena.hpp"
#include "g4/backends/cpu/kernel_choice.hpp"
#include "g4/backends/cpu/rope_tables.hpp"
#include "g4/backends/cpu/step_tables.hpp"

namespace g4::cpu {

/// What an element of a row costs beside a multiply-add: norms, conversions, exponentials.
inline constexpr std::int64_t row_operations = 16;

/// All that a pass reads while it runs.
struct step_context {
    const kernel_set& kernels;
    arena& memory;
    const step_tables& tables;
    const rope_tables& ropes;
    const plan& planned;
    thread_pool& pool;
    std::int32_t activation_passes = 2;

    /// The pages of cache `index` as a sequence of the step sees them.
    cache_view cache_of(std::int32_t index, std::int32_t sequence) const {
        cache_view out = memory.cache(index);
        const std::size_t kind = planned.caches[static_cast<std::size_t>(index)].kind;
        const page_list& list = tables.sequences[static_cast<std::size_t>(sequence)].lists[kind];
        out.pages = tables.pages.data() + list.first;
        out.skipped = list.skipped;
        return out;
    }
};

/// One row of a pass, or a range of its columns.
struct row_place {
    rows of = rows::all;
    std::int32_t row = 0;             // of the class
    float* const* results = nullptr;  // this row of each anchor
    float* scratch = nullptr;         // of the thread
    std::int64_t begin = 0, end = 0;  // columns, where operations go by element
};

class row_runner {
  public:
    row_runner(const step_context& context, const row_place& place)
        : context_{context}, kernels_{*context.kernels.rows}, place_{place} {}

    void run(const std::vector<row_op>& ops) {
        for (const row_op& o : ops) run(o);
    }
    /// An operand as floats: where it lies, or widened into `to`.
    const float* read(const operand& from, std::int64_t width, float* to) const {
        if (from.in != operand::buffer) return at(from);
        const placed_buffer& b = context_.memory.buffer(from.index);
        const std::int32_t row = context_.tables.buffer_row(b.of, place_.of, place_.row);
        const std::int64_t size = bytes_of(b.type);
        kernels_.widen(b.data + row * b.row_bytes + (from.offset + place_.begin) * size, b.type, to,
                       width);
        return to;
    }

  private:
    float* at(const operand& place) const {
        if (place.in == operand::result) return place_.results[place.index] + place_.begin;
        return place_.scratch + place.offset + place_.begin;
    }
    std::int64_t width_of(const row_op& o) const {
        return place_.end == 0 ? o.width : place_.end - place_.begin;
    }
    std::int32_t step_row() const { return context_.tables.step_row(place_.of, place_.row); }

    void run(const row_op& o) {
        if (o.kind == op::append) return append(o);
        const std::int64_t n = width_of(o);
        float* to = at(o.to);
        if (o.kind == op::embed) embed(o, to, n);
        else if (o.from.in != operand::absent) fetch(o.from, to, n);
        compute(o, to, n);
        if (o.publish != no_index) publish(o, to, n);
    }
    void fetch(const operand& from, float* to, std::int64_t n) const {
        const float* source = read(from, n, to);
        if (source != to) std::memcpy(to, source, static_cast<std::size_t>(n) * sizeof(float));
    }
    void compute(const row_op& o, float* x, std::int64_t n) const {
        switch (o.kind) {
            case op::rms_norm:
                return kernels_.rms_norm(x, o.factors, o.width / o.part, o.part, o.number);
            case op::rope: {
                const float* cosines = context_.ropes.cosines(o.rope, step_row());
                return kernels_.rope(x, cosines, cosines + o.rope.turning, o.width / o.part, o.part,
                                     o.rope.turning);
            }
            case op::gelu_tanh: return kernels_.gelu_tanh(x, n);
            case op::silu: return kernels_.silu(x, n);
            case op::softcap: return kernels_.softcap(x, n, o.number);
            case op::scale:
            case op::multiply: return kernels_.multiply(x, n, o.number);
            case op::add:
            case op::mul: return with_right(o, x, n);
            default: return;  // an anchor or a table row that is only published
        }
    }
    void with_right(const row_op& o, float* x, std::int64_t n) const {
        const auto apply = o.kind == op::add ? kernels_.add : kernels_.mul;
        if (o.right.in != operand::buffer) return apply(x, at(o.right), n);
        alignas(64) float part[512];
        row_place place = place_;
        for (std::int64_t c = 0; c < n; c += 512) {
            const std::int64_t count = std::min<std::int64_t>(512, n - c);
            place.begin = place_.begin + c;
            apply(x + c, row_runner{context_, place}.read(o.right, count, part), count);
        }
    }
    void embed(const row_op& o, float* to, std::int64_t n) const {
        const weight& table = *o.table;
        const std::int32_t id = context_.tables.token_ids[static_cast<std::size_t>(step_row())];
        G4_ASSERT(id >= 0 && id < table.rows, "cpu: token ", id, " of ", table.rows);
        const std::int64_t first = id * table.columns + place_.begin;
        kernels_.widen(table.data + first * bytes_of(table.type), table.type, to, n);
    }
    void append(const row_op& o) const {
        const std::int32_t row = step_row();
        const cache_view cache =
            context_.cache_of(o.cache, context_.tables.sequence_of[static_cast<std::size_t>(row)]);
        const std::int32_t position = context_.tables.positions[static_cast<std::size_t>(row)];
        const float* key = at(o.from);
        const float* value = at(o.right);
        for (std::int32_t h = 0; h < cache.kv_heads; ++h) {
            const std::int64_t at = std::int64_t{h} * cache.head_dim;
            kernels_.narrow(key + at, reinterpret_cast<std::uint16_t*>(cache.key(h, position)),
                            cache.head_dim);
            kernels_.narrow(value + at, reinterpret_cast<std::uint16_t*>(cache.value(h, position)),
                            cache.head_dim);
        }
    }
    void publish(const row_op& o, const float* from, std::int64_t n) const {
        const placed_buffer& b = context_.memory.buffer(o.publish);
        std::byte* to = b.data + place_.row * b.row_bytes + place_.begin * bytes_of(b.type);
        if (b.type == dtype::f32)
            std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(float));
        else kernels_.narrow(from, reinterpret_cast<std::uint16_t*>(to), n);
    }

    const step_context& context_;
    const row_kernels& kernels_;
    row_place place_;
};

}  // namespace g4::cpu
