// Which tokens of a text each run of a model sees, and which of them it scores.
#pragma once
#include "g4/core/error.hpp"
#include <algorithm>
#include <cstdint>
#include <vector>

namespace g4::apps {

/// A part of a text that goes through a model by itself, behind a <bos>. Places are those of the
/// text's tokens, without any <bos>: it holds [begin, end) and scores [scored, end).
struct text_window {
    std::int32_t begin = 0, scored = 0, end = 0;

    bool operator==(const text_window&) const = default;
};

/// Windows of which each begins `stride` tokens behind the one before and scores what none before
/// it held: every token of the text once, in order.
///   tokens   of the text, at least one
///   context  tokens of a window, its <bos> among them
/// Errors: input_error unless 1 <= stride < context.
inline std::vector<text_window> windows_of(std::int32_t tokens, std::int32_t context,
                                           std::int32_t stride) {
    if (stride < 1 || stride >= context)
        throw input_error{"--stride: expected 1 to ",     context - 1,
                          ", the tokens of a window of ", context,
                          " beside its <bos>, got ",      stride};
    std::vector<text_window> out;
    std::int32_t scored = 0;
    for (std::int32_t begin = 0; scored < tokens; begin += stride) {
        const std::int32_t end = begin + std::min(context - 1, tokens - begin);
        out.push_back({begin, scored, end});
        scored = end;
    }
    return out;
}

}  // namespace g4::apps
