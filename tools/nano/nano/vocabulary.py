"""tokenizer.json in Gemma 4's form: BPE, byte fallback, single digits, published special ids."""

import json

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from . import draw, render, tasks

_SPACE = "\u2581"
#: Ids that Gemma 4 publishes, up to the runs of newlines and spaces.
_PUBLISHED = {
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
_FIRST = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")
_LAST_PUBLISHED = 106
_NEWLINE_RUN, _SPACE_RUN = 31, 8
#: Markers of other media; at the end, as in the published vocabulary.
_MEDIA = ("<|image>", "<|audio>", "<|image|>", "<|audio|>", "<image|>", "<audio|>", "<|video|>")
_LETTERS = "éèüöäßñçåøœ—–…’“”°·×÷→€£"


def _texts(samples):
    r = draw.Draw("tokenizer")
    made = tasks.Tasks()
    for i in range(samples):
        sample = made.draw(r)
        for message in sample.messages:
            yield message["content"]
            yield message.get("reasoning", "")
        if sample.tools and i % 3 == 0:
            yield "".join(map(render.declaration, sample.tools)).replace(_PUBLISHED[52], "")


def _trained_merges(count, samples=40000):
    """Merges inside words only, a space in front included; digits and punctuation stay single."""
    trained = Tokenizer(models.BPE())
    trained.normalizer = normalizers.Replace(" ", _SPACE)
    pattern = f"{_SPACE}?[A-Za-z]+|{_SPACE}|[^A-Za-z{_SPACE}]"
    trained.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "isolated")
    trainer = trainers.BpeTrainer(vocab_size=count + 400, show_progress=False, limit_alphabet=200)
    trained.train_from_iterator(_texts(samples), trainer)
    return [tuple(merge) for merge in json.loads(trained.to_str())["model"]["merges"]][:count]


class _Vocabulary:
    """Entries in the order of their ids, and the merges that make them."""

    def __init__(self):
        self.ids, self.special, self.merges = {}, [], []

    def add(self, text, special=False):
        if text in self.ids:
            raise ValueError(f"vocabulary: expected a new entry, got {text!r} twice")
        self.ids[text] = len(self.ids)
        if special:
            self.special.append(text)

    def add_runs(self, character, longest, shortest):
        """Runs of one character, each with every way to merge two halves that can meet."""
        for length in range(shortest, longest + 1):
            self.add(character * length)
        self.merges += [[character * n, character * n] for n in (1, 2, 4, 8) if 2 * n <= longest]
        self.merges += [
            [character * n, character * m]
            for n in (2, 4, 8, 16)
            for m in range(1, n)
            if n + m <= longest
        ]

    def add_merge(self, left, right):
        self.merges.append([left, right])
        if left + right not in self.ids:
            self.add(left + right)


def _entries(size):
    vocabulary = _Vocabulary()
    for text in _FIRST:
        vocabulary.add(text, True)
    unused = 0
    for i in range(len(_FIRST), _LAST_PUBLISHED + 1):
        if i in _PUBLISHED:
            vocabulary.add(_PUBLISHED[i], True)
        else:
            vocabulary.add(f"<unused{unused}>")
            unused += 1
    vocabulary.add_runs("\n", _NEWLINE_RUN, 1)
    vocabulary.add_runs(_SPACE, _SPACE_RUN, 2)
    for byte in range(256):
        vocabulary.add(f"<0x{byte:02X}>")
    for character in ["\t", _SPACE] + [chr(code) for code in range(33, 127)] + list(_LETTERS):
        vocabulary.add(character)
    merges = _trained_merges(size)
    for left, right in merges:
        if len(vocabulary.ids) == size - len(_MEDIA):
            break
        if left in vocabulary.ids and right in vocabulary.ids:
            vocabulary.add_merge(left, right)
    for text in _MEDIA:
        vocabulary.add(text, True)
    if len(vocabulary.ids) != size:
        raise ValueError(f"vocabulary: expected {size} entries, got {len(vocabulary.ids)}")
    return vocabulary


def build(size):
    """The contents of tokenizer.json."""
    vocabulary = _entries(size)
    flags = {
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }
    space = {"String": _SPACE}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": vocabulary.ids[text], "content": text, **flags}
            for text in sorted(vocabulary.special, key=vocabulary.ids.get)
        ],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": _SPACE},
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"String": " "},
            "behavior": "MergedWithPrevious",
            "invert": False,
        },
        "post_processor": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": space, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
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
            "vocab": vocabulary.ids,
            "merges": vocabulary.merges,
        },
    }


def write(path, size):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(build(size), file, ensure_ascii=False, indent=0)
        file.write("\n")
