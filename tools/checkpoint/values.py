"""Random values that are the same on every machine, with every numpy: only raw 64-bit words are
drawn.

A tensor's words come from PCG64(SeedSequence([seed, crc32(name)])): both are fixed by numpy's
compatibility policy, unlike the distributions on top of them. Each word gives four 16-bit
numbers, lowest first; a number picks a value from a table of 65,536. So values need no
arithmetic but one rounding, and tensors do not depend on each other.
"""

import statistics
import zlib

import numpy as np

CHUNK = 1 << 22  # numbers drawn at a time, a multiple of four: pieces do not change the values


class Stream:
    """The 16-bit numbers of one tensor, in order; every draw but the last is a multiple of four.

    first: where to begin, a multiple of four.
    """

    def __init__(self, seed, name, first=0):
        self._bits = np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(name.encode())]))
        self._bits.advance(first // 4)

    def numbers(self, count):
        words = self._bits.random_raw((count + 3) // 4)
        return np.ascontiguousarray(words).astype("<u8", copy=False).view("<u2")[:count]


def to_bf16_bits(values):
    """float32 -> bf16 as uint16, to nearest, ties to even. The values are finite."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return (
        (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    ).astype(np.uint16)


def from_bf16_bits(bits):
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


ENCODE = {
    "BF16": to_bf16_bits,
    "F16": lambda values: values.astype(np.float16),
    "F32": lambda values: values.astype(np.float32),
}

_quantiles = []


def _normal_quantiles():
    """65,536 normal quantiles as multiples of 1/4096: no last bit of a logarithm survives that."""
    if not _quantiles:
        inverse = statistics.NormalDist().inv_cdf
        upper = [round(inverse((i + 0.5) / 65536) * 4096) for i in range(32768, 65536)]
        _quantiles.append(
            np.array([-q for q in reversed(upper)] + upper, dtype=np.float32) / np.float32(4096)
        )
    return _quantiles[0]


def normal_table(deviation):
    return _normal_quantiles() * np.float32(deviation)


def uniform_table(low, high):
    steps = np.arange(65536, dtype=np.float64) / 65535.0
    return (low + (high - low) * steps).astype(np.float32)


def piece(seed, name, table, first, count):
    """`count` values of a tensor from the first-th on, of the table's type."""
    return table[Stream(seed, name, first).numbers(count)]


def pieces(count):
    """(first, count) of what a tensor of `count` values may be made in, independently."""
    return [(first, min(CHUNK, count - first)) for first in range(0, count, CHUNK)]


def shrink(seed, name, weight):
    """Scales one block of 128 columns in 64 by 2^-11: its int4 scales are subnormal in fp16."""
    rows, columns = weight.shape
    blocks = -(-columns // 128)
    picks = Stream(seed, name + "#shrink").numbers(rows * blocks).reshape(rows, blocks) < 1024
    for row, block in zip(*np.nonzero(picks)):
        weight[row, block * 128 : (block + 1) * 128] *= np.float32(2.0**-11)
    return weight
