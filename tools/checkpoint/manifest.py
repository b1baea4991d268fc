"""The tensors of a Gemma 4 text decoder under their published names, each with the rule that draws
its values.

Values are scaled so that a deep random model is well-conditioned: attention scores have a spread
of about one (they are not divided by sqrt(d), so the norms of query and key hold d^-1/4 each),
and no branch drowns the residual.
"""

import dataclasses
import math

TEXT = "model.language_model."


@dataclasses.dataclass(frozen=True)
class Tensor:
    name: str
    shape: tuple
    # "normal": the parameter is the deviation; "around": the value, give or take 20 %;
    # "signed": that with either sign; "scalar": 0.5 to 1.2
    rule: str
    parameter: float = 0.0
    linear: bool = False  # a linear of a decoder block: what quantisers pack
    offset: float = 0.0  # is taken from every value: what a checkpoint keeps is so much less

    @property
    def count(self):
        return math.prod(self.shape)


def _power(base, exponent):
    return round(base**exponent, 6)  # the last bit of pow differs between machines


def linear(name, rows, columns, packable=True):
    return Tensor(name + ".weight", (rows, columns), "normal", _power(columns, -0.5), packable)


def around(name, count, value):
    return Tensor(name + ".weight", (count,), "around", value)


def _key_value(prefix, sizes, layer):
    dim = sizes.head_dim_of(layer)
    rows = sizes.kv_heads_of(layer) * dim
    return [
        linear(prefix + "k_proj", rows, sizes.hidden),
        linear(prefix + "v_proj", rows, sizes.hidden),
        around(prefix + "k_norm", dim, _power(dim, -0.25)),
    ]


def _layer(sizes, index):
    at = f"{TEXT}layers.{index}."
    hidden, inner, ple, dim = (
        sizes.hidden,
        sizes.inner_of(index),
        sizes.ple,
        sizes.head_dim_of(index),
    )
    tensors = [
        around(at + "input_layernorm", hidden, 1.0),
        around(at + "post_attention_layernorm", hidden, 0.3),
        around(at + "pre_feedforward_layernorm", hidden, 1.0),
        around(at + "post_feedforward_layernorm", hidden, 0.3),
        around(at + "post_per_layer_input_norm", hidden, 0.3),
        Tensor(at + "layer_scalar", (1,), "scalar"),
        linear(at + "self_attn.q_proj", sizes.heads * dim, hidden),
        linear(at + "self_attn.o_proj", hidden, sizes.heads * dim),
        around(at + "self_attn.q_norm", dim, _power(dim, -0.25)),
        linear(at + "mlp.gate_proj", inner, hidden),
        linear(at + "mlp.up_proj", inner, hidden),
        linear(at + "mlp.down_proj", hidden, inner),
        linear(at + "per_layer_input_gate", ple, hidden),
        linear(at + "per_layer_projection", hidden, ple),
    ]
    if index < sizes.first_shared:
        tensors += _key_value(at + "self_attn.", sizes, index)
    return tensors


def text(sizes):
    hidden, ple, layers = sizes.hidden, sizes.ple, len(sizes.layers)
    tensors = [
        Tensor(
            TEXT + "embed_tokens.weight", (sizes.vocab, hidden), "normal", _power(4 * hidden, -0.5)
        ),
        Tensor(
            TEXT + "embed_tokens_per_layer.weight",
            (sizes.vocab, layers * ple),
            "normal",
            _power(4 * ple, -0.5),
        ),
        linear(TEXT + "per_layer_model_projection", layers * ple, hidden, packable=False),
        around(TEXT + "per_layer_projection_norm", ple, 1.0),
        # Logits spread by 2.5, so that the softcap of 30 bends them. Either sign: with the tied
        # head and one sign, a random model only repeats the token it reads.
        Tensor(TEXT + "norm.weight", (hidden,), "signed", 5.0),
    ]
    for index in range(layers):
        tensors += _layer(sizes, index)
    return tensors


def dead_key_values(sizes):
    """k and v of the sharing layers: the published files hold them, nothing reads them."""
    tensors = []
    for index in range(sizes.first_shared, len(sizes.layers)):
        tensors += _key_value(f"{TEXT}layers.{index}.self_attn.", sizes, index)
    return tensors
