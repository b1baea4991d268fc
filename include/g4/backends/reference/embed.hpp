// Reference of operator embed.
#pragma once
#include "g4/backends/reference/activation.hpp"
#include "g4/backends/reference/weight_row.hpp"

namespace g4::reference {

/// Row ids[t] of the table for each token t. Errors: internal_error for an id outside of it.
inline activation embed(std::span<const std::int32_t> ids, const weight& table) {
    activation out{static_cast<std::int64_t>(ids.size()), table.columns};
    for (std::size_t t = 0; t < ids.size(); ++t) {
        if (ids[t] < 0 || ids[t] >= table.rows)
            throw internal_error{"reference: embed: expected a token below ", table.rows,
                                 ", got ", ids[t]};
        read_row(table, ids[t], out.row(static_cast<std::int64_t>(t)));
    }
    return out;
}

}  // namespace g4::reference
