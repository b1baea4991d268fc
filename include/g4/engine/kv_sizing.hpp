// How many pages of each cache kind to reserve at start for a budget of bytes.
#pragma once
#include "g4/core/error.hpp"
#include "g4/passes/plan.hpp"
#include <algorithm>
#include <cstdint>
#include <vector>

namespace g4 {

/// What the caches are sized for.
struct kv_budget {
    double bytes = 0;                // for all kinds together
    std::int32_t max_model_len = 0;  // positions of the longest sequence
    std::int32_t max_num_seqs = 0;   // live at once
    std::int32_t step_rows = 0;      // rows of one step: a window's chunk needs room for them
    std::int32_t page_tokens = 16;
};

/// Pages of one kind, and the bytes of one page over all layers of the kind.
struct kv_reservation {
    std::int32_t window_tokens = 0, pages = 0;
    double page_bytes = 0;
    double bytes() const { return pages * page_bytes; }
};

/// Every kind gets the same share of what max_num_seqs sequences of full length would take, and
/// never less than one such sequence needs.
/// Errors: input_error when one sequence of max_model_len does not fit the budget, with both sizes
///         and the length that would fit.
inline std::vector<kv_reservation> reserve_kv(const plan& p, const kv_budget& budget) {
    const auto pages_of = [&](double tokens) {
        return static_cast<std::int32_t>((tokens + budget.page_tokens - 1) / budget.page_tokens);
    };
    struct demand { double one, all; };
    std::vector<demand> demands;
    std::vector<kv_reservation> out;
    double least = 0, most = 0, per_token = 0;
    for (const cache_group& kind : p.cache_groups) {
        const double page_bytes = kind.bytes_per_token * kind.layers * budget.page_tokens;
        const double whole = pages_of(budget.max_model_len);
        const double window =
            kind.window == 0 ? whole : std::min(whole, pages_of(kind.window) + 2.0);
        const double chunk = kind.window == 0 ? 0 : pages_of(budget.step_rows) + 1;
        demands.push_back({std::min(whole, window + chunk), window * budget.max_num_seqs + chunk});
        out.push_back({static_cast<std::int32_t>(kind.window), 0, page_bytes});
        least += demands.back().one * page_bytes;
        most += demands.back().all * page_bytes;
        if (kind.window == 0) per_token += page_bytes / budget.page_tokens;
    }
    if (least > budget.bytes) {
        const double fits =
            per_token == 0 ? 0 : budget.max_model_len - (least - budget.bytes) / per_token;
        throw input_error{"kv cache: expected room for one sequence of max_model_len ",
                          budget.max_model_len, ", which takes ",
                          static_cast<std::int64_t>(least), " bytes, got ",
                          static_cast<std::int64_t>(budget.bytes), " bytes",
                          fits >= 1 ? concat("; a max_model_len of ",
                                             static_cast<std::int64_t>(fits), " would fit")
                                    : std::string{}};
    }
    const double share = most <= budget.bytes || most <= least
                             ? 1 : (budget.bytes - least) / (most - least);
    for (std::size_t k = 0; k < out.size(); ++k)
        out[k].pages = static_cast<std::int32_t>(
            demands[k].one + std::max(0.0, share * (demands[k].all - demands[k].one)));
    return out;
}

}  // namespace g4
