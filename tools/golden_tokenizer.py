#!/usr/bin/env python3
"""A small tokenizer.json in Gemma 4's form, and what PyPI `tokenizers` makes of texts and ids with it.

    pip install tokenizers==0.23.3
    tools/golden_tokenizer.py tests/golden/tokenizer [--check]

small.json has what a large one has: merges listed in every split of an entry, runs of spaces and newlines, entries that
bridge a space, special tokens that begin alike, an added token that is not special. Unlike a published one it lacks the
bytes F0 to FF, so that characters outside the basic plane become <unk>. small_expected.json holds texts and their ids,
and ids and their texts with and without special tokens.
"""
import argparse
import collections
import json
import random
import sys
from pathlib import Path

SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<|tool>", "<tool|>", "<|tool_call>", "<tool_call|>",
           "<|tool_response>", "<tool_response|>", '<|"|>', "<|think|>", "<|channel>", "<channel|>", "<|turn>", "<turn|>",
           "<|image>", "<|audio>", "<|image|>", "<|audio|>", "<image|>", "<audio|>", "<|video|>"]
NOT_SPECIAL = ["<added>", "<added> twice"]
SPACE = "\u2581"
SAMPLE = """
the capital of France is Paris and the capital of Spain is Madrid; what is the capital of Italy?
an engine reads the prompt, then it writes one token after the other, until the turn ends.
sorting: 3 1 2 becomes 1 2 3. copying: alpha beta gamma. there were thirteen of them there, in the theatre.
{"name": "value", "list": [1, 2, 3], "nested": {"key": null}} <b>bold</b> <i>italics</i> a == b && c != d || e
café naïve façade über Straße żółw język größer schöner; Ωμέγα και άλφα; привет, как дела? хорошо, спасибо.
def function(argument): return argument + argument  # comment    indented    text
日本語の文章。日本語。 中文的句子。中文。 한국어 문장. 한국어.
""" * 3


def words(text):
    """A word with the space before it, or a stretch of other characters: as merges see them."""
    word = ""
    for c in text.replace(" ", SPACE):
        if word and (c in SPACE + "\n" or (word[-1] in SPACE + "\n" and len(word) > 1)):
            yield word
            word = ""
        word += c
    yield word


def trained(most):
    """Entries in the order in which byte-pair encoding finds them."""
    corpus = collections.Counter(tuple(w) for w in words(SAMPLE))
    entries = []
    while len(entries) < most:
        pairs = collections.Counter()
        for word, times in corpus.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += times
        if not pairs:
            break
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        if "".join(best) not in entries:
            entries.append("".join(best))
        merged = collections.Counter()
        for word, times in corpus.items():
            out, i = [], 0
            while i < len(word):
                step = 2 if word[i:i + 2] == best else 1
                out.append("".join(word[i:i + step]))
                i += step
            merged[tuple(out)] += times
        corpus = merged
    return entries


def tokenizer():
    ids = {}
    for text in SPECIAL:
        ids[text] = len(ids)
    runs = ["\n" * n for n in range(2, 17)] + [SPACE * n for n in range(2, 17)]
    bridges = [f"of{SPACE}the", f"{SPACE}is{SPACE}the", "e\n", "<b>", "</b>", "<0", "x0", "A>"]
    singles = sorted((set(SAMPLE.replace(" ", SPACE)) | set(map(chr, range(33, 127))) | {"\t"}) - {"~"})
    found = trained(560)
    for text in runs + [f"<0x{byte:02X}>" for byte in range(0xF0)] + singles + found + bridges:
        ids.setdefault(text, len(ids))
    merges = []
    for text in runs + found + bridges:
        merges += [[text[:k], text[k:]] for k in range(1, len(text)) if text[:k] in ids and text[k:] in ids]
    # letters that spell an entry which stands for a byte, as a published list could have them
    merges += [["<0", "x0"], ["<0x0", "A>"]]
    ids.setdefault("<0x0", len(ids))
    added = {text: ids[text] for text in SPECIAL} | {text: len(ids) + i for i, text in enumerate(NOT_SPECIAL)}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": number, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": text in SPECIAL} for text, number in added.items()],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
        "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
        "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
                                                     {"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
                  "vocab": ids, "merges": merges}}


TEXTS = ["", " ", "a", "Hello, world!", "The capital of France is Paris.", "  leading and  double  spaces ",
         "newlines\nand\ttabs", "Café naïve façade über Straße żółw język", "Hello 😀🔥 world 🌍✨ test 🤖", "😀é\u0301😀ñ~😀",
         "日本語の文章。한국어 문장.", "What is 2+2?", "\n" * 20, " " * 37, "<bos>hi<eos>", "<|turn>user\nHello<turn|>\n",
         "<|image>", "<|image|>", "<|image", "<|imag<|image|>>", "<<bos>>", "<added>", "<added> twice", "<added> twic",
         "<added>  twice", "<0x0A>", "<0xE2><0x96>", "▁", "of▁the of the", "~", "~~~", "\u00a0\u2028\ufeff", "the" * 40,
         "thetheatrethere", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "}{][<|\"|>", "</s><unused0>", "\x00\x01\x7f", "Ωμέγα привет", "e\ne\n\ne", SAMPLE[:700]]


def expected(path):
    import tokenizers
    reference = tokenizers.Tokenizer.from_file(str(path))
    draw = random.Random(4)
    size = reference.get_vocab_size()
    texts = TEXTS + ["".join(draw.choice(TEXTS[1:-1])[:draw.randint(1, 12)] for _ in range(draw.randint(1, 9)))
                     for _ in range(160)]
    lists = [[draw.randrange(size) for _ in range(draw.randint(0, 12))] for _ in range(80)]
    first_byte = reference.token_to_id("<0x00>")
    lists += [[first_byte + byte for byte in text.encode()] for text in ["é", "€uro", "日本"]]
    lists += [[first_byte + byte for byte in raw] for raw in [b"\xc3", b"\xe2\x82", b"\xe2\x82\xac\xc3", b"\x80a"]]
    lists += [[first_byte + 0xC3, 2, first_byte + 0xA9], [first_byte + 0xC3, first_byte + 0xA9, 200, first_byte + 0xC3]]
    return {
        "made by": "tools/golden_tokenizer.py", "tokenizers": tokenizers.__version__,
        "encode": [{"text": text, "ids": reference.encode(text, add_special_tokens=False).ids} for text in texts],
        "decode": [{"ids": ids, "text": reference.decode(ids, skip_special_tokens=True),
                    "with_special": reference.decode(ids, skip_special_tokens=False)} for ids in lists]}


def lines(document):
    """JSON with one entry of a list on a line."""
    text = []
    for key, value in document.items():
        if isinstance(value, list):
            value = "[\n" + ",\n".join(json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in value) + "]"
        else:
            value = json.dumps(value)
        text.append(f"{json.dumps(key)}: {value}")
    return "{" + ",\n".join(text) + "}\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", action="store_true", help="compare with what is recorded instead of writing")
    arguments = parser.parse_args()
    small, values = arguments.folder / "small.json", arguments.folder / "small_expected.json"
    fixture = json.dumps(tokenizer(), ensure_ascii=False, separators=(",", ":")) + "\n"
    if not arguments.check:
        small.write_text(fixture, encoding="utf-8", newline="\n")
        values.write_text(lines(expected(small)), encoding="utf-8", newline="\n")
        return 0
    recorded, made = json.loads(values.read_text(encoding="utf-8")), expected(small)
    same = small.read_text(encoding="utf-8") == fixture and all(recorded[key] == made[key] for key in ("encode", "decode"))
    print(f"{arguments.folder}: {'as recorded' if same else 'differs from what is recorded'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
