"""tokenizer.json of Gemma 3 from what a GGUF file keeps of it: texts, scores and kinds.

Source: tokenizers' conversion of SentencePiece BPE (a merge for every way to cut an entry in two
entries, in the order of the scores); llama.cpp's gguf-py/gguf/constants.py (TokenType).
"""

import json
import re

from tools.checkpoint import tokenizer
from tools.checkpoint.tokenizer import SPACE

NORMAL, CONTROL, USER_DEFINED, BYTE = 1, 3, 4, 6
UNUSED = re.compile(r"<unused\d+>")


def entries(pieces, kinds):
    """The texts as the published file spells them: the GGUF file has blanks in those that are cut
    out of the text as they are.
    """
    return [
        piece.replace(" ", SPACE) if kind == USER_DEFINED else piece
        for piece, kind in zip(pieces, kinds)
    ]


def merges(texts, scores, kinds):
    """[left, right] in the order in which they are tried: first what is cut out as it is (runs of
    blanks and newlines, tags), by id, then the others by falling score. All cuts of one entry
    follow one another, by the ids of their parts.
    """
    ids = {text: number for number, text in enumerate(texts)}
    joined = [i for i, kind in enumerate(kinds) if kind in (NORMAL, USER_DEFINED)]
    joined.sort(key=lambda i: (kinds[i] == NORMAL, -scores[i] if kinds[i] == NORMAL else 0.0, i))
    found = []
    for number in joined:
        text, cuts = texts[number], []
        for at in range(1, len(text)):
            left, right = ids.get(text[:at]), ids.get(text[at:])
            if left is not None and right is not None:
                cuts.append((left, right))
        found += [[texts[left], texts[right]] for left, right in sorted(cuts)]
    return found


def added(texts, kinds):
    """What is cut out before BPE. <unusedN> are control entries, but not special: no decoder hides
    them.
    """
    return [
        {
            "id": number,
            "content": text,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": kind == CONTROL and not UNUSED.fullmatch(text),
        }
        for number, (text, kind) in enumerate(zip(texts, kinds))
        if kind in (CONTROL, USER_DEFINED)
    ]


def document(pieces, scores, kinds, bos):
    """The content of tokenizer.json. bos: the id that starts every sequence."""
    texts = entries(pieces, kinds)
    first = {"SpecialToken": {"id": texts[bos], "type_id": 0}}
    second = {"SpecialToken": {"id": texts[bos], "type_id": 1}}
    a, b = ({"Sequence": {"id": name, "type_id": n}} for n, name in enumerate("AB"))
    post_processor = {
        "type": "TemplateProcessing",
        "single": [first, a],
        "pair": [first, a, second, b],
        "special_tokens": {
            texts[bos]: {"id": texts[bos], "ids": [bos], "tokens": [texts[bos]]},
        },
    }
    vocab = {text: number for number, text in enumerate(texts)}
    return tokenizer.document(
        vocab, merges(texts, scores, kinds), added(texts, kinds), post_processor
    )


def write(path, content):
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(content, ensure_ascii=False, separators=(",", ":")))
        file.write("\n")
