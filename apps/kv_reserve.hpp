// The longest sequence and the pages of each cache kind, out of a budget of bytes.
#pragma once
#include "apps/start_model.hpp"
#include "g4/engine/kv_sizing.hpp"

namespace g4::apps {

/// Sets max_model_len where the user named none: the model's, halved until one sequence fits.
/// Errors: input_error when a named length is too long for model or budget.
inline std::vector<kv_reservation> reserve(const plan& p, const run_options& options,
                                           kv_budget budget, std::int64_t longest,
                                           std::int32_t& max_model_len, const logger& log) {
    if (options.max_model_len && *options.max_model_len > longest)
        throw input_error{"max_model_len: expected at most ", longest,
                          ", the model's max_position_embeddings, got ", *options.max_model_len};
    max_model_len = options.max_model_len.value_or(static_cast<std::int32_t>(longest));
    for (;;) {
        budget.max_model_len = max_model_len;
        try {
            return reserve_kv(p, budget);
        } catch (const input_error&) {
            if (options.max_model_len || max_model_len < 1024) throw;
            max_model_len = max_model_len / 2;
            log.info("kv cache: ", static_cast<std::int64_t>(budget.bytes),
                     " bytes hold no longer sequence: max_model_len is ", max_model_len);
        }
    }
}

inline void print_reserved(const std::vector<kv_reservation>& kinds, std::int32_t page_tokens,
                           const logger& log) {
    double sum = 0;
    for (const kv_reservation& k : kinds) {
        sum += k.bytes();
        log.info("kv cache: ", k.window_tokens == 0 ? std::string{"whole context"}
                                                    : concat("window of ", k.window_tokens),
                 ": ", k.pages, " pages of ", page_tokens, " tokens, ", fixed(k.page_bytes),
                 " bytes each, ", megabytes(k.bytes()));
    }
    log.info("kv cache: ", megabytes(sum), " in all");
}

}  // namespace g4::apps
