"""Log-probabilities of the tokens of texts, as `g4-bench perplexity --logprobs` writes them: the
protocol for programs that make such files, and a comparison of files, token by token.

    python3 -m tools.logprobs FIRST.json OTHER.json...

prints of every file its perplexities, and of every OTHER how far it lies from FIRST. Needs Python
3.9 alone.
"""

import argparse
import hashlib
import json
import math
import os


def windows_of(tokens, context, stride):
    """[begin, scored, end] of each window, as apps/bench/text_windows.hpp has them: a window is
    <bos> and the tokens [begin, end) of a text, and scores [scored, end)."""
    if not 1 <= stride < context:
        raise SystemExit(f"--stride: expected 1 to {context - 1}, got {stride}")
    windows, scored, begin = [], 0, 0
    while scored < tokens:
        end = min(begin + context - 1, tokens)
        windows.append([begin, scored, end])
        scored, begin = end, begin + stride
    return windows


def read_text(name):
    """The bytes of a file, and the text that they are."""
    with open(name, "rb") as file:
        content = file.read()
    try:
        return content, content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SystemExit(f"{name}: expected UTF-8, got {error}") from error


def scored_text(name, content, tokens, windows, logprobs, seconds):
    return {
        "text": name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "windows": windows,
        "tokens": tokens,
        "logprobs": logprobs,
        "seconds": seconds,
    }


def write(name, file):
    with open(name, "w", encoding="utf-8") as to:
        json.dump(file, to, separators=(",", ":"))
        to.write("\n")


def read(name):
    with open(name, encoding="utf-8") as file:
        held = json.load(file)
    if not isinstance(held, dict) or "texts" not in held or "context" not in held:
        raise SystemExit(f"{name}: expected what g4-bench perplexity --logprobs writes, got other")
    return held


def figures(text):
    """mean nll, its standard error, perplexity, bits a byte."""
    losses = [-x for x in text["logprobs"]]
    count, total = len(losses), math.fsum(losses)
    mean = total / count
    squares = math.fsum((x - mean) ** 2 for x in losses)
    return (
        mean,
        math.sqrt(squares / (count - 1) / count),
        math.exp(mean),
        total / math.log(2) / text["bytes"],
    )


def table(file):
    """The table that g4-bench prints."""
    lines = [
        "| text | bytes | tokens | windows | nll | perplexity | bits/byte | tok/s |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for text in file["texts"]:
        mean, error, perplexity, bits = figures(text)
        rate = f"{len(text['logprobs']) / text['seconds']:.1f}" if text.get("seconds") else "–"
        lines.append(
            f"| {os.path.basename(text['text'])} | {text['bytes']} | {len(text['logprobs'])} "
            f"| {len(text['windows'])} | {mean:.4f} ± {error:.4f} | {perplexity:.3f} "
            f"| {bits:.4f} | {rate} |"
        )
    return "\n".join(lines)


def check_same_work(first, other, names):
    """The same texts as the same tokens in the same windows, else no two values belong together."""

    def work(file):
        return [(t["sha256"], t["windows"], t["tokens"]) for t in file["texts"]]

    if len(first["texts"]) != len(other["texts"]):
        raise SystemExit(
            f"{names[1]}: expected the {len(first['texts'])} texts of {names[0]}, "
            f"got {len(other['texts'])}"
        )
    for mine, theirs, text in zip(work(first), work(other), first["texts"]):
        for what, a, b in zip(("sha256", "windows", "tokens"), mine, theirs):
            if a != b:
                raise SystemExit(
                    f"{names[1]}: {os.path.basename(text['text'])}: expected the {what} of "
                    f"{names[0]}, got others"
                )


def differences(first, other):
    """|ln p - ln p'| of a text: mean and the greatest; then the difference of mean nll with its
    standard error, which is far below that of either nll, since both saw the same tokens."""
    moved = [a - b for a, b in zip(first["logprobs"], other["logprobs"])]
    count, mean = len(moved), math.fsum(moved) / len(moved)
    squares = math.fsum((x - mean) ** 2 for x in moved)
    absolute = [abs(x) for x in moved]
    return (
        math.fsum(absolute) / count,
        max(absolute),
        mean,
        math.sqrt(squares / (count - 1) / count),
    )


def comparison(first, other, names):
    """How far `other` lies from `first`, text by text."""
    check_same_work(first, other, names)
    lines = [
        "| text | mean abs diff of ln p | max | nll moved by | perplexity x |",
        "|---|--:|--:|--:|--:|",
    ]
    for a, b in zip(first["texts"], other["texts"]):
        mean, most, moved, error = differences(a, b)
        lines.append(
            f"| {os.path.basename(a['text'])} | {mean:.5f} | {most:.4f} "
            f"| {moved:+.5f} ± {error:.5f} | {math.exp(moved):.5f} |"
        )
    return "\n".join(lines)


def title(name, file):
    return f"\n{name}: {file['model']}, {file['machine']}\n"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("first", metavar="FIRST.json")
    parser.add_argument("others", metavar="OTHER.json", nargs="*")
    chosen = parser.parse_args()
    first = read(chosen.first)
    print(title(chosen.first, first) + "\n" + table(first))
    for name in chosen.others:
        other = read(name)
        print(title(name, other) + "\n" + table(other))
        print(f"\nfrom {chosen.first} to {name}:\n")
        print(comparison(first, other, (chosen.first, name)))


if __name__ == "__main__":
    main()
