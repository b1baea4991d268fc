// What g4-bench --help says, and g4-bench perplexity --help.
#pragma once
#include <string_view>

namespace g4::apps {

inline constexpr std::string_view bench_help =
    R"(g4-bench: how fast a model runs here, beside what the machine's memory allows.

usage: g4-bench latency|throughput|sweep MODEL_DIR [flags]
       g4-bench perplexity MODEL_DIR --text FILE [flags]    (g4-bench perplexity --help)

  latency      one batch that runs in step: time of a prefill and of each decoded token
  throughput   many requests through the engine: tokens a second in all
  sweep        one start, then tables in Markdown: decode by context and batch, prefill by length
  perplexity   how well the model predicts text: another question, with a help of its own

  --input-len N               tokens of each prompt (512)
  --output-len N              tokens to generate (32)
  --batch-size N              latency: sequences side by side (1)
  --num-iters N               latency, and prompts of a sweep: repeats, of which medians are
                              taken (3)
  --num-prompts N             throughput: requests (64)
  --max-num-seqs N            throughput: requests that run at once (64)
  --contexts N,N,...          sweep: tokens in the caches (128,1024,4096,16384)
  --batches N,N,...           sweep: sequences side by side (1,8,32,64,128)
  --prompts N,N,...           sweep: tokens of a prompt (128,512,2048,8192,16384)
  --max-prefill-tokens N      sweep: leaves out batches of a context that take more to fill
                              (600000)
  --breakdown                 on a GPU, latency and sweep: every launch timed alone, summed by
                              kernel and grid; a sweep prints that in place of its tables
  --max-num-batched-tokens N  rows of a step, as in g4-serve (512, on a GPU 4096; sweep 8192)
  --device auto|cpu|cuda      where to run; auto takes a GPU when there is one
  --threads N                 of the CPU back end; 0: all that this process may use
  --activations exact|int8    what activations keep in int4 linears of the CPU: 16 bits, or 8
                              (exact)
  --load-format auto|dummy    dummy: weights of the config's sizes are made up, none are read
  --cuda-driver FILE          the driver's library (libcuda.so.1)
  --seed N                    of the prompts (0)
  --json FILE                 also writes what was measured

The share of the limit is bytes that the plan says a step must read, over the time that it took,
over the read bandwidth that the same run measures, the better of before and behind: of all
threads on the CPU, of a kernel with 16-byte loads on a GPU.

A decode step is timed as it is served: from one result to the next, on a GPU with two steps in
flight, the second of which takes its tokens from the first. Its contexts are really prefilled.
A prefill is timed from its submission to its token. Operations are those of the linears, counted
as they ran, and as if all rows ran through all layers.

examples:
  g4-bench latency models/gemma4/nano/autoround
  g4-bench latency ~/gemma-4-E4B-it --input-len 1024 --batch-size 64 --breakdown
  g4-bench throughput ~/gemma-4-E4B-it --num-prompts 32 --json result.json
  g4-bench sweep ~/gemma-4-E4B-it --contexts 1024,4096 --batches 1,64 --json sweep.json
)";

inline constexpr std::string_view perplexity_help =
    R"(g4-bench perplexity: how well a model predicts texts, as g4 runs it here.

usage: g4-bench perplexity MODEL_DIR --text FILE [--text FILE]... [flags]

  --text FILE                 UTF-8, taken byte for byte; text that spells a special token stays
                              text. Each file is scored by itself
  --context N                 tokens of a window, <bos> among them (2048, or the model's limit)
  --stride N                  tokens of the text by which windows lie apart, at most N - 1 of
                              --context (just that: windows do not overlap)
  --logprobs FILE             also writes each token's log-probability, as JSON
  --json FILE                 also writes the figures
  --device auto|cpu|cuda      where to run; auto takes a GPU when there is one
  --threads N                 of the CPU back end; 0: all that this process may use
  --activations exact|int8    what activations keep in int4 linears of the CPU: 16 bits, or 8
                              (exact)
  --max-num-batched-tokens N  rows of a step (512, on a GPU 4096)
  --cuda-driver FILE          the driver's library (libcuda.so.1)

The protocol: MODEL_DIR's tokenizer makes tokens t1 ... tn of a text, without <bos>. A window is
<bos> and the next N - 1 tokens; the first scores all of them, the first of them from <bos> alone.
Each later window begins --stride tokens further, again with <bos>, and scores the tokens that no
window before it held. So every token of the text is scored exactly once, and the figures of two
programs that do the same with the same tokens may be compared token by token. Without overlap a
token sees (N - 1) / 2 tokens in the mean; a stride of half the window gives every token but those
of the first window at least half of it, for twice the work.

What is printed of each text:
  nll         mean of -ln p(token | what its window holds before it), and its standard error, as if
              tokens were independent
  perplexity  exp(nll). It depends on the tokenizer: compare it between forms of one model
  bits/byte   all tokens' -log2 p over the file's bytes: may be compared between tokenizers
  tok/s       scored tokens over the time of all steps, their head's 262,144 logits included

examples:
  g4-bench perplexity models/gemma4/nano/autoround --text README.md
  g4-bench perplexity gemma-3-270m --text en.txt --text de.txt --context 1024 --stride 512
  g4-bench perplexity gemma-3-270m-w4 --text en.txt --logprobs w4.json
)";

}  // namespace g4::apps
