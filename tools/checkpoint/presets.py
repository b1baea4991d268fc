"""Sizes of the checkpoints that can be made: published ones, a nano, and odd ones."""

import dataclasses

from tools.checkpoint import gemma3

PATTERN_NAMES = {"S": "sliding_attention", "F": "full_attention"}


@dataclasses.dataclass(frozen=True)
class Sizes:
    vocab: int
    hidden: int
    inner: int
    layers: (
        str  # one letter a layer: S sliding, F full; the last one is full, as transformers demands
    )
    heads: int
    kv_heads: int
    head_dim: int
    global_head_dim: int
    ple: int
    shared: int
    window: int
    double_wide: bool = False
    global_kv_heads: int = 0  # 0: as kv_heads; else only per_layer_config can say it
    config_form: str = "global_head_dim"
    max_positions: int = 4096
    published: bool = False  # real size: values are drawn in the packed form, nothing is quantised

    @property
    def first_shared(self):
        return len(self.layers) - self.shared

    def head_dim_of(self, layer):
        return self.global_head_dim if self.layers[layer] == "F" else self.head_dim

    def kv_heads_of(self, layer):
        return (
            self.global_kv_heads
            if self.global_kv_heads and self.layers[layer] == "F"
            else self.kv_heads
        )

    def inner_of(self, layer):
        return self.inner * (2 if self.double_wide and layer >= self.first_shared > 0 else 1)


PRESETS = {
    # The shape of the bundled model.
    "nano": Sizes(
        vocab=1024,
        hidden=256,
        inner=384,
        layers="SSSSSF" * 2,
        heads=8,
        kv_heads=2,
        head_dim=32,
        global_head_dim=64,
        ple=128,
        shared=4,
        window=64,
    ),
    # No sharing, a kv head for each query head, sizes that are no powers of two, a window of five.
    "odd-a": Sizes(
        vocab=577,
        hidden=320,
        inner=416,
        layers="SSFSSSF",
        heads=4,
        kv_heads=4,
        head_dim=16,
        global_head_dim=48,
        ple=32,
        shared=0,
        window=5,
    ),
    # One kv head for six queries, more than half of the layers share, double-wide MLP.
    "odd-b": Sizes(
        vocab=640,
        hidden=192,
        inner=224,
        layers="SSFSSFSSF",
        heads=6,
        kv_heads=1,
        head_dim=48,
        global_head_dim=96,
        ple=64,
        shared=5,
        window=17,
        double_wide=True,
    ),
    # Full layers have fewer kv heads, which only per_layer_config can say; inputs are multiples
    # of 128.
    "odd-c": Sizes(
        vocab=1024,
        hidden=384,
        inner=640,
        layers="SSSSSSF" * 2,
        heads=8,
        kv_heads=4,
        head_dim=16,
        global_head_dim=32,
        ple=128,
        shared=6,
        window=64,
        global_kv_heads=2,
        config_form="per_layer_config",
    ),
    # The smallest: three layers, nothing is a multiple of 128.
    "odd-d": Sizes(
        vocab=521,
        hidden=64,
        inner=96,
        layers="SSF",
        heads=2,
        kv_heads=1,
        head_dim=32,
        global_head_dim=64,
        ple=32,
        shared=0,
        window=5,
    ),
    # E2B in small: four sliding to one full, one kv head, double-wide; under g128 what reads the
    # PLE of 64 stays plain.
    "odd-e": Sizes(
        vocab=768,
        hidden=256,
        inner=256,
        layers="SSSSF" * 2,
        heads=8,
        kv_heads=1,
        head_dim=16,
        global_head_dim=32,
        ple=64,
        shared=5,
        window=17,
        double_wide=True,
    ),
    # Three heads: attention has 48 and 144 rows, no multiples of 32: a quantiser leaves them plain.
    "odd-f": Sizes(
        vocab=600,
        hidden=320,
        inner=352,
        layers="SFSSF",
        heads=3,
        kv_heads=1,
        head_dim=16,
        global_head_dim=48,
        ple=64,
        shared=2,
        window=17,
    ),
    "e2b": Sizes(
        vocab=262144,
        hidden=1536,
        inner=6144,
        layers="SSSSF" * 7,
        heads=8,
        kv_heads=1,
        head_dim=256,
        global_head_dim=512,
        ple=256,
        shared=20,
        window=512,
        double_wide=True,
        max_positions=131072,
        published=True,
    ),
    "e4b": Sizes(
        vocab=262144,
        hidden=2560,
        inner=10240,
        layers="SSSSSF" * 7,
        heads=8,
        kv_heads=2,
        head_dim=256,
        global_head_dim=512,
        ple=256,
        shared=18,
        window=512,
        max_positions=131072,
        published=True,
    ),
    **gemma3.PRESETS,
}
