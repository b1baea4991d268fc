// What a step says of each row: its token, its position, its sequence's pages; checked on the way
// in.
#pragma once
#include "g4/backends/cpu/attention_layout.hpp"
#include "g4/core/error.hpp"
#include "g4/gate/executor.hpp"
#include "g4/passes/rows.hpp"
#include <vector>

namespace g4::cpu {

/// Rows of one sequence among those of a class.
struct row_span {
    std::int32_t sequence = 0, first = 0, last = 0;
};

/// The step, row by row. Classes of rows: all, and the wanted ones as an own numbering.
class step_tables {
  public:
    /// Copies what outlives the step's spans. `sampled` are the tokens of the step before.
    /// Errors: internal_error when the step exceeds what was reserved.
    void take(const step& next, const capacity& reserved,
              const std::vector<std::int32_t>& sampled) {
        const auto rows = static_cast<std::int32_t>(next.token_ids.size());
        G4_ASSERT(rows <= reserved.rows &&
                      static_cast<std::int32_t>(next.wanted.size()) <= reserved.wanted &&
                      static_cast<std::int32_t>(next.sequences.size()) <= reserved.sequences,
                  "cpu: a step of ", rows, " rows, ", next.wanted.size(), " wanted, ",
                  next.sequences.size(), " sequences exceeds what was reserved");
        token_ids.assign(next.token_ids.begin(), next.token_ids.end());
        for (std::int32_t& id : token_ids)
            if (id < 0) {
                const std::size_t row = static_cast<std::size_t>(-1 - id);
                G4_ASSERT(row < sampled.size(), "cpu: no row ", row, " in the last step");
                id = sampled[row];
            }
        pages.assign(next.pages.begin(), next.pages.end());
        sequences.assign(next.sequences.begin(), next.sequences.end());
        add_rows(rows);
        add_wanted(next, rows);
    }

    std::int32_t count(rows of) const {
        return static_cast<std::int32_t>(of == rows::all ? token_ids.size() : wanted.size());
    }
    /// Row i of a class as a row of the step, and as a row of a buffer that holds `stored`.
    std::int32_t step_row(rows of, std::int32_t i) const {
        return of == rows::all ? i : wanted[static_cast<std::size_t>(i)];
    }
    std::int32_t buffer_row(rows stored, rows of, std::int32_t i) const {
        return stored == of ? i : step_row(of, i);
    }
    const std::vector<row_span>& spans(rows of) const {
        return of == rows::all ? all_spans : wanted_spans;
    }
    const std::vector<std::int32_t>& positions_of(rows of) const {
        return of == rows::all ? positions : wanted_positions;
    }

    std::vector<std::int32_t> token_ids, pages, positions, sequence_of, wanted, wanted_positions;
    std::vector<sequence_rows> sequences;
    std::vector<row_span> all_spans, wanted_spans;

  private:
    void add_rows(std::int32_t rows) {
        positions.resize(token_ids.size());
        sequence_of.resize(token_ids.size());
        all_spans.clear();
        std::int32_t next_row = 0;
        for (std::size_t s = 0; s < sequences.size(); ++s) {
            const sequence_rows& self = sequences[s];
            G4_ASSERT(self.first_row == next_row && self.row_count > 0 &&
                          self.row_count <= rows - next_row,
                      "cpu: sequence ", s, " does not follow the one before");
            for (std::int32_t i = 0; i < self.row_count; ++i, ++next_row) {
                positions[static_cast<std::size_t>(next_row)] = self.past + i;
                sequence_of[static_cast<std::size_t>(next_row)] = static_cast<std::int32_t>(s);
            }
            all_spans.push_back({static_cast<std::int32_t>(s), self.first_row, next_row});
        }
        G4_ASSERT(next_row == rows, "cpu: ", rows, " rows, sequences hold ", next_row);
    }
    void add_wanted(const step& next, std::int32_t rows) {
        wanted.clear();
        wanted_positions.clear();
        wanted_spans.clear();
        for (const wanted_row& w : next.wanted) {
            const auto i = static_cast<std::int32_t>(wanted.size());
            G4_ASSERT(w.row >= 0 && w.row < rows && (i == 0 || w.row > wanted.back()),
                      "cpu: wanted row ", w.row, " out of order");
            const std::int32_t sequence = sequence_of[static_cast<std::size_t>(w.row)];
            wanted.push_back(w.row);
            wanted_positions.push_back(positions[static_cast<std::size_t>(w.row)]);
            if (wanted_spans.empty() || wanted_spans.back().sequence != sequence)
                wanted_spans.push_back({sequence, i, i});
            wanted_spans.back().last = i + 1;
        }
    }
};

}  // namespace g4::cpu
