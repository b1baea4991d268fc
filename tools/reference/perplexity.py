"""What transformers says of texts, by the protocol of `g4-bench perplexity`, token by token.

    python -m tools.reference.perplexity MODEL_DIR --text FILE [--text FILE]... [flags]

Needs the reference (tools/reference/install), or torch and transformers of a machine with a GPU.
Runs in f32 and in bf16; int4 weights are unpacked first. `--against FILE` takes what `g4-bench perplexity
--logprobs FILE` wrote, checks that both saw the same tokens in the same windows, and prints how far
its log-probabilities, and those of bf16, lie from f32.
"""

import argparse
import datetime
import os
import sys
import time

import tokenizers
import torch
import transformers

from tools import logprobs
from tools.reference.large import config_of, load, rounded

ROWS = 256  # of a window whose log-probabilities are taken at a time: f32 over the vocabulary
DTYPES = ("f32", "bf16")


def tokenizer_of(folder):
    """Text that spells a special token stays text, as in g4-bench."""
    words = tokenizers.Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    words.encode_special_tokens = True
    return words


def score_window(model, ids, scored):
    """ln p of ids[scored:], each given what stands before it."""
    before = torch.tensor([ids[:-1]], device=model.device)
    logits = model(before, use_cache=False).logits[0, scored - 1 :]
    targets = torch.tensor(ids[scored:], device=model.device)
    out = []
    for begin in range(0, len(targets), ROWS):
        rows = logits[begin : begin + ROWS].float().log_softmax(-1)
        out += rows.gather(1, targets[begin : begin + ROWS, None])[:, 0].tolist()
    return out


def score_text(model, name, words, begin_token, context, stride):
    content, text = logprobs.read_text(name)
    tokens = words.encode(text, add_special_tokens=False).ids
    if len(tokens) < 2:
        raise SystemExit(f"{name}: expected at least 2 tokens, got {len(tokens)}")
    windows = logprobs.windows_of(len(tokens), context, stride)
    out, started = [], time.perf_counter()
    for begin, scored, end in windows:
        out += score_window(model, [begin_token, *tokens[begin:end]], 1 + scored - begin)
        print(f"\r{name}: {end} of {len(tokens)}", end="", file=sys.stderr)
    print(file=sys.stderr)
    seconds = time.perf_counter() - started
    return logprobs.scored_text(name, content, tokens, windows, out, seconds)


def models(folder, chosen):
    """(dtype, model) in the order in which they are asked for; f32 first, as bf16 is made of it."""
    device = torch.device(chosen.device)
    config, quantiser = config_of(folder)
    exact = load(folder, config, quantiser, device)
    for dtype in DTYPES:
        if dtype in chosen.dtype.split(","):
            yield dtype, exact if dtype == "f32" else rounded(exact, config, device)


def score(model, folder, dtype, chosen):
    words = tokenizer_of(folder)
    begin_token = words.token_to_id("<bos>")
    with torch.no_grad():
        limit = model.config.get_text_config().max_position_embeddings
        context = chosen.context or min(2048, limit)
        if context > limit:
            raise SystemExit(f"--context: expected at most {limit}, got {context}")
        stride = chosen.stride or context - 1
        texts = [score_text(model, t, words, begin_token, context, stride) for t in chosen.text]
    return {
        "model": folder,
        "machine": f"transformers {transformers.__version__}, torch {torch.__version__}, {dtype}, "
        + (f"{torch.get_num_threads()} threads" if chosen.device == "cpu" else chosen.device),
        "date": datetime.date.today().isoformat(),
        "begin_token": begin_token,
        "context": context,
        "stride": stride,
        "texts": texts,
    }


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL_DIR")
    parser.add_argument("--text", action="append", required=True, metavar="FILE")
    parser.add_argument("--context", type=int, help="tokens of a window with <bos> (2048)")
    parser.add_argument("--stride", type=int, help="tokens from window to window (no overlap)")
    parser.add_argument("--dtype", default="f32,bf16", help="f32, bf16 or both (f32,bf16)")
    parser.add_argument("--against", action="append", default=[], metavar="FILE")
    parser.add_argument("--logprobs", metavar="PREFIX", help="also writes PREFIX-f32.json, …")
    parser.add_argument("--threads", type=int, help="of torch")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (cpu)")
    chosen = parser.parse_args()
    wrong = [d for d in chosen.dtype.split(",") if d not in DTYPES]
    if wrong:
        parser.error(f"--dtype: expected f32, bf16 or f32,bf16, got {chosen.dtype}")
    return chosen


def main():
    chosen = parse()
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    scored = {name: logprobs.read(name) for name in chosen.against}
    first = None
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    for dtype, model in models(chosen.model, chosen):
        made = score(model, chosen.model, dtype, chosen)
        if chosen.logprobs:
            logprobs.write(f"{chosen.logprobs}-{dtype}.json", made)
        print(logprobs.title(f"transformers in {dtype}", made) + "\n" + logprobs.table(made))
        if first is None:
            first, name = made, f"transformers in {dtype}"
        else:
            scored = {f"transformers in {dtype}": made, **scored}
    for other, file in scored.items():
        if other in chosen.against:
            print(logprobs.title(other, file) + "\n" + logprobs.table(file))
        print(f"\nfrom {name} to {other}:\n")
        print(logprobs.comparison(first, file, (name, other)))


if __name__ == "__main__":
    main()
