// How much one request may ask for: every list, number and text of the API has a cap.
#pragma once
#include <cstddef>
#include <cstdint>

namespace g4::serve {

struct request_limits {
    std::int64_t answers = 128;  // n, and n times the prompts of a batch
    std::size_t prompts = 128;   // of a batch
    std::int64_t logprobs = 20;  // alternatives for each token: --max-logprobs
    std::size_t stop_texts = 64;
    std::size_t stop_text_bytes = 1024;  // of each
    std::size_t stop_tokens = 256;
    std::size_t biases = 1024;
    std::size_t messages = 4096;
    std::size_t tools = 512;
    std::size_t template_kwargs_bytes = 4096;  // chat_template_kwargs as JSON
    std::size_t tokens_listed = 1 << 22;       // prompts of ids, /detokenize
};

}  // namespace g4::serve
