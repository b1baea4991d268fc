"""Samples as token ids, packed into sequences."""

import numpy
import torch
from tokenizers import Tokenizer

from . import draw, render, tasks

#: Rows of a batch.
IDS, SAMPLE, POSITION, FLAG = range(4)
GIVEN, LEARNED, SCORED = range(3)
_POOL = 200


def encode(tokenizer, sample):
    """(ids, flags): given, learned, or scored (the last answer)."""
    ids, flags, last = [], [], None
    for text, learned in render.render(sample):
        part = tokenizer.encode(text).ids
        if learned:
            last = len(ids), len(ids) + len(part)
        ids += part
        flags += [LEARNED if learned else GIVEN] * len(part)
    flags[last[0] : last[1]] = [SCORED] * (last[1] - last[0])
    return ids, flags


def _fitting(pool, room):
    """Index of the longest sample that fits."""
    return max(
        (i for i in range(len(pool)) if len(pool[i][0]) <= room),
        default=None,
        key=lambda i: len(pool[i][0]),
    )


def pack(encoded, batch, length):
    """Fills sequences with the longest sample that still fits.

    encoded  iterator of (ids, flags, tag)
    yields   int16 [4, batch, length]: ids, number of the sample, position, flag;
             and the tags of each sequence
    """
    pool, done = [], False
    while True:
        out, tags = numpy.zeros((4, batch, length), numpy.int16), []
        for row in range(batch):
            at = 0
            tags.append([])
            while True:
                while len(pool) < _POOL and not done:
                    one = next(encoded, None)
                    done = one is None
                    if one and len(one[0]) <= length:
                        pool.append(one)
                fit = _fitting(pool, length - at) if at else len(pool) - 1 if pool else None
                if fit is None:
                    break
                ids, flags, tag = pool.pop(fit)
                end, number = at + len(ids), len(tags[-1])
                out[:, row, at:end] = ids, [number] * len(ids), range(len(ids)), flags
                tags[-1].append(tag)
                at = end
            out[SAMPLE, row, at:] = -2
        if not any(tags):
            return
        yield out, tags


class Stream(torch.utils.data.IterableDataset):
    """Endless training batches; every worker draws its own samples."""

    def __init__(self, tokenizer, seed, batch, length):
        self.tokenizer, self.seed, self.batch, self.length = tokenizer, seed, batch, length

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        tokenizer = Tokenizer.from_file(self.tokenizer)
        r, made = draw.Draw(f"{self.seed}/train/{worker.id if worker else 0}"), tasks.Tasks()
        samples = ((*encode(tokenizer, made.draw(r)), None) for _ in iter(int, 1))
        for batch, _ in pack(samples, self.batch, self.length):
            yield torch.from_numpy(batch)
