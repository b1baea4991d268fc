// The output head of Gemma 4: it reads the token table again, and caps the logits.
#pragma once
#include "models/gemma4/axes.hpp"

namespace g4::gemma4 {

struct head {
    static constexpr tensor<f32, tokens, vocab> declare(act<hidden> x) {
        return softcap(linear<vocab>(rms_norm(x, "norm"), "embed_tokens"), logit_cap{});
    }
};

}  // namespace g4::gemma4
