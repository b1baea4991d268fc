"""The W4A16 layouts: rounding a weight to 4 bits, packing it, and drawing packed weights at random.

Layout of auto_round:auto_gptq and of GPTQ: qweight [in/8, out] with nibble of k at bits 4 (k mod
8), scales [in/group, out], qzeros [in/group, out/8]. A weight is scale (nibble - 8); the file
holds the zero 8 as 7, except in GPTQ's version 2.
"""

import numpy as np

from tools.checkpoint.values import Stream

FORMS = ("auto-round", "gptq", "gptq_v2")


def divisible(shape, group):
    """Whether a quantiser packs a linear of this shape; the others stay plain."""
    rows, columns = shape
    return rows % 32 == 0 and columns % 32 == 0 and columns % group == 0


def parts(tensor, form, group):
    """(name, dtype, shape) of what a packed linear becomes."""
    base = tensor.name.removesuffix("weight")
    rows, columns = tensor.shape
    out = [
        (base + "qweight", "I32", (columns // 8, rows)),
        (base + "scales", "F16", (columns // group, rows)),
        (base + "qzeros", "I32", (columns // group, rows // 8)),
    ]
    if form != "auto-round":
        out.append((base + "g_idx", "I32", (columns,)))
    return out


def _scales(groups, form):
    """AutoRound puts the larger side on -8, so scales are negative; GPTQ is symmetric about 0."""
    low, high = np.minimum(groups.min(axis=2), 0), np.maximum(groups.max(axis=2), 0)
    if form == "auto-round":
        scale = np.where(-low >= high, -low / np.float32(8), -high / np.float32(8))
    else:
        scale = np.float32(2) * np.maximum(-low, high) / np.float32(15)
    scale = scale.astype(np.float16)
    return np.where(scale == 0, np.float16(1), scale)


def quantise(weight, form, group):
    """weight [out, in] f32 -> nibbles [out, in] uint8, scales [out, in/group] f16."""
    rows, columns = weight.shape
    groups = weight.reshape(rows, columns // group, group)
    scales = _scales(groups, form)
    nibbles = np.clip(np.rint(groups / scales.astype(np.float32)[:, :, None]) + 8, 0, 15)
    return nibbles.astype(np.uint8).reshape(rows, columns), scales


def pack(nibbles):
    """nibbles [out, in] -> words [in/8, out], the lowest k in the lowest bits."""
    rows, columns = nibbles.shape
    eights = nibbles.reshape(rows, columns // 8, 8).astype(np.uint32)
    words = np.zeros((rows, columns // 8), dtype=np.uint32)
    for k in range(8):
        words |= eights[:, :, k] << np.uint32(4 * k)
    return np.ascontiguousarray(words.T).astype("<u4", copy=False)


def zeros(shape, form):
    return np.full(shape, 0x88888888 if form == "gptq_v2" else 0x77777777, dtype="<u4")


def group_index(columns, group):
    return (np.arange(columns) // group).astype("<i4")


def random_words(seed, name, shape):
    """Sixteen equally likely nibbles: a spread of 4.61 steps."""
    count = shape[0] * shape[1]
    return Stream(seed, name).numbers(2 * count).view("<u4")


def random_scales(seed, name, shape, deviation):
    """Either sign, sizes that differ threefold, and one in 256 that is subnormal in fp16."""
    steps = np.arange(65536)
    size = deviation / 4.61 * (0.5 + (steps % 16384) / 16384.0)
    size = np.where(steps % 256 == 77, size / 1024.0, size)
    table = np.where(steps >= 32768, -size, size).astype(np.float32).astype("<f2")
    return table[Stream(seed, name).numbers(shape[0] * shape[1])]
