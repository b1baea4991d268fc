// What a decode step and a prefill have to do, by the plan: what times are held against.
#pragma once
#include "g4/passes/bytes.hpp"

namespace g4::apps {

/// Bytes of one decode step of `batch` sequences that see `context` tokens each.
inline double decode_bytes(const plan& p, const stored_bytes& bytes, double batch,
                           double context) {
    return traffic_of(p, bytes, {batch, batch}, batch, context).sum();
}

/// Operations of the linears of a prefill.
struct prefill_operations {
    double all_layers = 0;  // as if all rows ran through all layers
    double ran = 0;         // without the layers that only wanted rows need
};

inline prefill_operations operations_of(const plan& p, const stored_bytes& bytes, double prompts,
                                        double length) {
    const double rows = prompts * length;
    // the head runs for wanted rows alone in every implementation: it is no part of "all layers"
    const double head = traffic_of(p, p.stages.back(), bytes, {0, 1}, 0, 0).flops;
    return {traffic_of(p, bytes, {rows, rows}, prompts, length).flops - (rows - prompts) * head,
            traffic_of(p, bytes, {rows, prompts}, prompts, length).flops};
}

}  // namespace g4::apps
