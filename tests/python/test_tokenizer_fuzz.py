"""Our tokenizer equals PyPI `tokenizers` on 100,000 random texts and 100,000 random lists of ids a vocabulary.

The vocabularies: the small one of tests/golden, those of the bundled checkpoints, and the one that G4_GEMMA4_TOKENIZER
names (a full tokenizer.json of Gemma 4), which is skipped aloud when it is absent.
"""
import json
import os
import random
import subprocess
from pathlib import Path

import pytest
from tokenizers import Tokenizer

SOURCE = Path(os.environ["G4_SOURCE_DIR"])
PROGRAM = Path(os.environ["G4_BINARY_DIR"]) / "bin" / "g4-tokenize-lines"
COUNT = int(os.environ.get("G4_FUZZ_COUNT", 100_000))
FULL = os.environ.get("G4_GEMMA4_TOKENIZER")

PIECES = ["hello", "world", "The ", " the", "naïve café", "Straße", "ΑΣ", "żółw", "日本語", "한국어", "العربية", "हिन्दी", "ไทย",
          "😀🔥", "👩‍👩‍👧", "e\u0301", "\u00a0", "\u2028", "\u3000", "\u200b", "\ufeff", "\x00", "\x7f", "\u2581", "\ufffd",
          "\U0010ffff", "\n", "\n\n", "\t", "\r\n", " ", "   ", "'", '"', "\\", "{", "}", "</s>", "<0x0A>", "<0xE2>", "<0x", "<",
          "<|", "|>", "<|turn", "<unused0>", "1234567890", "3.14159 == pi;", "==", "--------", "http://", "def f(x):\n    "]
SPELT = ["<bos>", "<eos>", "<pad>", "<unk>", "<mask>", "<|turn>", "<turn|>", "<|channel>", "<channel|>", "<|image|>",
         "<|image>", "<image|>", '<|"|>', "<|think|>", "<|tool_call>", "<start_of_turn>", "<added>", "<added> twice"]


def vocabularies():
    yield pytest.param(SOURCE / "tests/golden/tokenizer/small.json", id="small")
    bundled = {path.read_bytes(): path for path in sorted(SOURCE.glob("models/gemma4/nano/*/tokenizer.json"))}
    for path in bundled.values():  # those that hold the same are compared once
        yield pytest.param(path, id=f"nano-{path.parent.name}")
    absent = pytest.mark.skipif(not FULL, reason="G4_GEMMA4_TOKENIZER names no full tokenizer.json")
    yield pytest.param(Path(FULL or "absent"), id="full", marks=absent)


class Source:
    """Random texts, drawn from words, entries of the vocabulary, runs, and any characters."""

    def __init__(self, reference, seed):
        self.random = random.Random(seed)
        self.size = reference.get_vocab_size()
        self.entry = lambda number: (reference.id_to_token(number) or "").replace("\u2581", " ")

    def character(self):
        point = self.random.choice([self.random.randrange(0x20, 0x7F), self.random.randrange(0x3000),
                                    self.random.randrange(0x110000)])
        return "\ufffd" if 0xD800 <= point < 0xE000 else chr(point)

    def piece(self):
        draw = self.random.random()
        if draw < 0.35:
            return self.random.choice(PIECES)
        if draw < 0.70:
            return self.entry(self.random.randrange(self.size))
        if draw < 0.76:
            return self.random.choice(SPELT)
        if draw < 0.82:
            return self.random.choice(PIECES) * self.random.randrange(1, 40)
        return "".join(self.character() for _ in range(self.random.randrange(1, 6)))

    def text(self):
        separator = self.random.choice(["", "", " ", "\n"])
        return separator.join(self.piece() for _ in range(self.random.randrange(0, 12)))

    def ids(self):
        bytes_too = self.random.random() < 0.5
        return [self.random.choice(self.bytes) if bytes_too and self.bytes and self.random.random() < 0.6
                else self.random.randrange(self.size) for _ in range(self.random.randrange(0, 12))]


def ask(path, lines):
    result = subprocess.run([PROGRAM, path], input="\n".join(lines) + "\n", capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    answers = result.stdout.split("\n")[:-1]
    assert len(answers) == len(lines)
    return answers


@pytest.fixture(params=vocabularies())
def vocabulary(request):
    return request.param, Tokenizer.from_file(str(request.param))


def test_texts_become_the_same_ids(vocabulary):
    path, reference = vocabulary
    source = Source(reference, 1)
    texts = [source.text() for _ in range(COUNT)]
    ours = ask(path, ["encode " + text.encode().hex() for text in texts])
    for text, encoding, got in zip(texts, reference.encode_batch(texts, add_special_tokens=False), ours):
        assert got == " ".join(map(str, encoding.ids)), repr(text)


def test_texts_that_spell_special_tokens_stay_text(vocabulary):
    path, reference = vocabulary
    special = {token["id"] for token in json.loads(path.read_text(encoding="utf-8"))["added_tokens"] if token["special"]}
    unknown = reference.token_to_id("<unk>")  # stands for a character that has no bytes, not for what is spelt
    source = Source(reference, 2)
    texts = [source.text() + source.random.choice(SPELT) + source.text() for _ in range(COUNT // 10)]
    plain = ask(path, ["text " + text.encode().hex() for text in texts])
    reference.encode_special_tokens = True
    for text, encoding, got in zip(texts, reference.encode_batch(texts, add_special_tokens=False), plain):
        assert got == " ".join(map(str, encoding.ids)), repr(text)
        assert not (set(encoding.ids) & special) - {unknown}, repr(text)


def test_pieces_become_the_ids_of_the_joined_text(vocabulary):
    path, reference = vocabulary
    source = Source(reference, 3)
    requests, joined = [], []
    for _ in range(COUNT // 10):
        pieces = []
        for _ in range(source.random.randrange(1, 6)):
            markup = source.random.random() < 0.4
            text = source.random.choice(SPELT[:14]) if markup else source.random.choice(PIECES[:20])
            pieces.append((markup, text))
        requests.append("pieces " + " ".join("tm"[markup] + text.encode().hex() for markup, text in pieces))
        joined.append("".join(text for _, text in pieces))
    for text, encoding, got in zip(joined, reference.encode_batch(joined, add_special_tokens=False), ask(path, requests)):
        assert got == " ".join(map(str, encoding.ids)), repr(text)


def test_ids_become_the_same_text_at_once_and_streamed(vocabulary):
    path, reference = vocabulary
    source = Source(reference, 4)
    source.bytes = [number for number in (reference.token_to_id(f"<0x{byte:02X}>") for byte in range(256))
                    if number is not None]
    lists = [source.ids() for _ in range(COUNT)]
    for what, skip in (("decode", True), ("decode-all", False)):
        ours = ask(path, [what + "".join(f" {number}" for number in ids) for ids in lists])
        for ids, text, got in zip(lists, reference.decode_batch(lists, skip_special_tokens=skip), ours):
            assert got == text.encode().hex(), f"{ids}: expected {text!r}"
