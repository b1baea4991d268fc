// The attention of a stage: tiles of queries over all threads, long contexts cut into parts as
// well.
#pragma once
#include "g4/backends/cpu/row_program.hpp"

namespace g4::cpu {

/// Rows [first, last) of the pass's class, whatever sequences they belong to.
class attention_run {
  public:
    attention_run(const step_context& context, const stage_pass& pass, std::int32_t first,
                  std::int32_t last)
        : context_{context}, pass_{pass}, anchor_{pass.anchors_in_order[0]} {
        const placed_buffer& queries = context.memory.buffer(pass.activation.index);
        for (std::int32_t i = first; i < last; ++i)
            query_rows_.push_back(context.tables.buffer_row(queries.of, pass.of, i));
        for (const row_span& span : context.tables.spans(pass.of)) {
            const std::int32_t from = std::max(span.first, first), to = std::min(span.last, last);
            if (from < to) add_sequence(span.sequence, from, to, first, queries);
        }
    }

    float* result() const { return context_.memory.results(); }

    void run() {
        std::int64_t states = 0;
        for (job& j : jobs_) {
            j.first_state = states;
            states += parts_of(rows_[j.rows], j.tile).count();
            operations_ = std::max(operations_, operations_of(j));
        }
        const bool many = static_cast<int>(jobs_.size()) >= 2 * context_.pool.threads() ||
                          static_cast<std::int64_t>(jobs_.size()) <= grain_of(operations_);
        if (many || states > context_.memory.state_count()) run_tiles();
        else run_parts(states);
    }

  private:
    struct job {
        std::size_t rows = 0;  // into rows_
        query_tile tile{};
        std::int64_t first_state = 0;
    };

    /// Multiply-adds of one tile: keys times queries, for scores and for values.
    std::int64_t operations_of(const job& j) const {
        const attention_rows& q = rows_[j.rows];
        const std::int64_t last = q.positions[j.tile.first_row + j.tile.rows - 1];
        const std::int64_t keys =
            q.window > 0 ? std::min<std::int64_t>(last + 1, q.window + j.tile.rows) : last + 1;
        return 2 * keys * q.cache.head_dim * j.tile.count();
    }

    void add_sequence(std::int32_t sequence, std::int32_t from, std::int32_t to, std::int32_t first,
                      const placed_buffer& queries) {
        attention_rows q;
        q.cache = context_.cache_of(anchor_.cache, sequence);
        q.query = queries.data + pass_.activation.offset * 2;
        q.query_stride = queries.row_bytes;
        q.query_rows = query_rows_.data() + (from - first);
        q.positions = context_.tables.positions_of(pass_.of).data() + from;
        q.result = result() + (from - first) * anchor_.width;
        q.result_stride = anchor_.width;
        q.window = anchor_.window;
        q.scale = anchor_.scale;
        rows_.push_back(q);
        const std::int32_t group = anchor_.q_heads / q.cache.kv_heads;
        const std::int32_t heads = std::min(group, tile_queries), step = tile_queries / heads;
        for (std::int32_t row = 0; row < to - from; row += step)
            for (std::int32_t head = 0; head < anchor_.q_heads;) {
                const std::int32_t count = std::min(heads, group - head % group);
                jobs_.push_back(
                    {rows_.size() - 1,
                     {head / group, head, count, row, std::min(step, to - from - row)}});
                head += count;
            }
    }
    void run_tiles() {
        context_.pool.for_ranges(static_cast<std::int64_t>(jobs_.size()), grain_of(operations_),
                                 [&](std::int64_t begin, std::int64_t end, int thread) {
                                     for (; begin < end; ++begin) {
                                         const job& j = jobs_[static_cast<std::size_t>(begin)];
                                         attend_tile(*context_.kernels.attention, rows_[j.rows],
                                                     j.tile, context_.memory.scratch(thread));
                                     }
                                 });
    }
    /// The same sums, each part by whichever thread is free.
    void run_parts(std::int64_t states) {
        const attention_kernels& kernels = *context_.kernels.attention;
        context_.pool.for_ranges(states, 1, [&](std::int64_t begin, std::int64_t end, int) {
            for (; begin < end; ++begin) {
                std::size_t at = 0;
                while (at + 1 < jobs_.size() && jobs_[at + 1].first_state <= begin) ++at;
                const job& j = jobs_[at];
                const auto part = static_cast<std::int32_t>(begin - j.first_state);
                kernels.attend_part(rows_[j.rows], j.tile,
                                    parts_of(rows_[j.rows], j.tile).first + part, state(begin));
            }
        });
        context_.pool.for_ranges(static_cast<std::int64_t>(jobs_.size()), 1,
                                 [&](std::int64_t begin, std::int64_t end, int thread) {
                                     for (; begin < end; ++begin)
                                         merge_parts(jobs_[static_cast<std::size_t>(begin)],
                                                     thread);
                                 });
    }
    void merge_parts(const job& j, int thread) const {
        const attention_kernels& kernels = *context_.kernels.attention;
        const attention_rows& q = rows_[j.rows];
        const attention_state total = state_at(context_.memory.scratch(thread));
        clear(total, j.tile.count(), q.cache.head_dim);
        const std::int32_t parts = parts_of(q, j.tile).count();
        for (std::int32_t p = 0; p < parts; ++p)
            kernels.merge(total, state(j.first_state + p), j.tile.count(), q.cache.head_dim);
        kernels.finish(q, j.tile, total);
    }
    attention_state state(std::int64_t index) const {
        return state_at(context_.memory.states() + index * state_floats);
    }

    const step_context& context_;
    const stage_pass& pass_;
    const anchor_op& anchor_;
    std::vector<std::int32_t> query_rows_;
    std::vector<attention_rows> rows_;
    std::vector<job> jobs_;
    std::int64_t operations_ = 0;  // of the longest job
};

}  // namespace g4::cpu
