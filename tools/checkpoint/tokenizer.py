"""A tokenizer.json in Gemma 4's form for small vocabularies: published ids up to 144, every byte,
ASCII, letter pairs.
"""

import string

PUBLISHED = {
    46: "<|tool>",
    47: "<tool|>",
    48: "<|tool_call>",
    49: "<tool_call|>",
    50: "<|tool_response>",
    51: "<tool_response|>",
    52: '<|"|>',
    98: "<|think|>",
    100: "<|channel>",
    101: "<channel|>",
    105: "<|turn>",
    106: "<turn|>",
}
FIRST = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")
MEDIA = ("<|image>", "<|audio>", "<|image|>", "<|audio|>", "<image|>", "<audio|>", "<|video|>")
SPACE = "\u2581"


class _Vocabulary:
    def __init__(self):
        self.ids, self.merges = {}, []

    def add(self, token):
        self.ids[token] = len(self.ids)

    def add_run(self, char, longest):
        """char repeated up to `longest` times, and the merges that make each run from parts."""
        for length in range(1, longest + 1):
            if char * length not in self.ids:
                self.add(char * length)
        halves = [1 << i for i in range(longest.bit_length()) if 2 << i <= longest]
        self.merges += [[char * n, char * n] for n in halves]
        self.merges += [
            [char * (1 << i), char * n]
            for i in range(1, longest.bit_length())
            for n in range(1, 1 << i)
            if (1 << i) + n <= longest
        ]


def _fill(words, size):
    """Letter pairs, then a space with a letter, until the vocabulary has `size` entries."""
    letters = string.ascii_lowercase
    pairs = [(SPACE, a) for a in letters] + [(a, b) for a in "etaoinshrdlu" for b in letters]
    for first, second in pairs:
        if len(words.ids) == size:
            return
        words.merges.append([first, second])
        words.add(first + second)
    while len(words.ids) < size:
        words.add(f"<unused{10000 + len(words.ids)}>")


def build(vocab):
    """The content of tokenizer.json with exactly `vocab` entries; at least 520."""
    words, unused = _Vocabulary(), 0
    for token in FIRST:
        words.add(token)
    for number in range(len(FIRST), 107):
        if number in PUBLISHED:
            words.add(PUBLISHED[number])
        else:
            words.add(f"<unused{unused}>")
            unused += 1
    words.add_run("\n", 31)
    for length in range(2, 9):
        words.add(SPACE * length)
    for byte in range(256):
        words.add(f"<0x{byte:02X}>")
    for char in ["\t", SPACE] + [chr(code) for code in range(33, 127)]:
        words.add(char)
    words.add_run(SPACE, 8)
    if vocab < len(words.ids) + len(MEDIA):
        raise SystemExit(
            f"tokenizer: expected at least {len(words.ids) + len(MEDIA)} entries, got {vocab}"
        )
    _fill(words, vocab - len(MEDIA))
    for token in MEDIA:
        words.add(token)
    return _document(words)


def _document(words):
    special = [token for token in (*FIRST, *PUBLISHED.values(), *MEDIA)]
    flags = {
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }
    added = [
        {"id": words.ids[token], "content": token, **flags}
        for token in sorted(special, key=words.ids.get)
    ]
    return document(words.ids, words.merges, added)


def document(vocab, merges, added, post_processor=None):
    """The content of a tokenizer.json in the form of Gemma's."""
    spaces = {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"String": " "},
            "behavior": "MergedWithPrevious",
            "invert": False,
        },
        "post_processor": post_processor,
        "decoder": {
            "type": "Sequence",
            "decoders": [spaces, {"type": "ByteFallback"}, {"type": "Fuse"}],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": vocab,
            "merges": merges,
        },
    }
