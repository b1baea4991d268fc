"""Which random checkpoints are recorded, and the prompts that each is asked."""

import dataclasses

import numpy as np

from tools.checkpoint.__main__ import arguments
from tools.checkpoint.presets import PRESETS

FIRST_ORDINARY = (
    107  # ids below are special; the last seven of a small vocabulary are media placeholders
)
MEDIA = 7
LONG = 600  # more than a chunk of 512 or 513 tokens


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    checkpoint: tuple  # arguments of tools.checkpoint after the folder

    @property
    def sizes(self):
        return PRESETS[arguments(["-", *self.checkpoint])[1].preset]


def _case(name, line):
    return Case(name, tuple(line.split()))


CASES = (
    _case("nano-bf16", "--preset nano --form bf16 --seed 1 --dead-kv"),
    _case("nano-auto-round", "--preset nano --form auto-round --group 128 --seed 1"),
    _case("odd-a-bf16", "--preset odd-a --form bf16 --seed 2 --config-form per_layer_config"),
    _case(
        "odd-b-auto-round",
        "--preset odd-b --form auto-round --group 32 --seed 3 --dead-kv --towers",
    ),
    _case("odd-c-gptq", "--preset odd-c --form gptq --group 128 --rest f16 --seed 4 --shards 3"),
    _case("odd-d-f32", "--preset odd-d --form f32 --seed 5"),
    _case("odd-e-gptq-v2", "--preset odd-e --form gptq_v2 --group 128 --seed 6 --dead-kv"),
    _case(
        "odd-f-auto-round",
        "--preset odd-f --form auto-round --group 32 --seed 7 "
        "--plain layers\\.1\\.mlp\\.(gate|up)_proj --shards 2",
    ),
    _case("odd-a-f16", "--preset odd-a --form f16 --seed 8"),
    _case("gemma3-a-bf16", "--preset gemma3-a --form bf16 --seed 9"),
    _case("gemma3-b-auto-round", "--preset gemma3-b --form auto-round --group 32 --seed 10"),
)


def lengths(sizes):
    """One token, past the window, past several windows, and past a chunk of 513."""
    window = sizes.window
    return (1, 2, 7, window + 3, 3 * window + 7, 129, LONG)


def prompt(case, length, attempt):
    """<bos>, then ordinary tokens, the same ones on every machine."""
    bits = np.random.PCG64(np.random.SeedSequence([length, attempt])).random_raw(length)
    ordinary = case.sizes.vocab - MEDIA - FIRST_ORDINARY
    tokens = [FIRST_ORDINARY + int(word % np.uint64(ordinary)) for word in np.atleast_1d(bits)]
    return [2] + tokens[1:]


def positions(length, window):
    """Rows whose logits are recorded: the ends, the middle, and where the window begins to wrap."""
    return sorted({p for p in (0, window - 1, window, length // 2, length - 1) if 0 <= p < length})


def recorded_ids(case):
    """64 vocabulary entries whose logits are recorded in every row, beside its best ones."""
    bits = np.random.PCG64(np.random.SeedSequence([case.sizes.vocab])).random_raw(4 * 64)
    ids = dict.fromkeys(int(word % np.uint64(case.sizes.vocab)) for word in bits)
    return sorted(list(ids)[:64])


def is_media(case, token):
    return token >= case.sizes.vocab - MEDIA
