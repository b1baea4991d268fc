"""Gemma 3's text model in checkpoints: sizes, tensors with the rules that draw them, config.json.

Values are scaled as those of manifest.py. Norms store how far their factors are from 1.
"""

import dataclasses

from tools.checkpoint.manifest import Tensor, linear

TEXT = "model."


@dataclasses.dataclass(frozen=True)
class Sizes:
    vocab: int
    hidden: int
    inner: int
    layers: str  # one letter a layer: S sliding, F full
    heads: int
    kv_heads: int
    head_dim: int
    window: int
    scalar: int  # query_pre_attn_scalar
    factor: float = 1.0  # positions of full layers are divided by it
    config_form: str = "rope_theta"
    max_positions: int = 4096
    published: bool = False  # real size: values are drawn in the packed form, nothing is quantised


PRESETS = {
    # Two query heads to a kv head, positions stretched, scores divided by another root than that of
    # the head, sizes that are no multiples of 128, a layer behind the last full one.
    "gemma3-a": Sizes(
        vocab=563,
        hidden=192,
        inner=352,
        layers="SSSSSFS",
        heads=4,
        kv_heads=2,
        head_dim=48,
        window=17,
        scalar=40,
        factor=8.0,
        config_form="rope_parameters",
    ),
    # The form of 270M: one kv head, heads wider than hidden / heads.
    "gemma3-b": Sizes(
        vocab=640,
        hidden=160,
        inner=256,
        layers="SSSSSF" * 2,
        heads=4,
        kv_heads=1,
        head_dim=64,
        window=32,
        scalar=64,
    ),
    "gemma3-270m": Sizes(
        vocab=262144,
        hidden=640,
        inner=2048,
        layers="SSSSSF" * 3,
        heads=4,
        kv_heads=1,
        head_dim=256,
        window=512,
        scalar=256,
        max_positions=32768,
        published=True,
    ),
    "gemma3-1b": Sizes(
        vocab=262144,
        hidden=1152,
        inner=6912,
        layers="SSSSSF" * 4 + "SS",
        heads=4,
        kv_heads=1,
        head_dim=256,
        window=512,
        scalar=256,
        max_positions=32768,
        published=True,
    ),
    # The text part of 4B, as a model of its own.
    "gemma3-4b": Sizes(
        vocab=262208,
        hidden=2560,
        inner=10240,
        layers="SSSSSF" * 5 + "SSSS",
        heads=8,
        kv_heads=4,
        head_dim=256,
        window=1024,
        scalar=256,
        factor=8.0,
        max_positions=131072,
        published=True,
    ),
}


def _norm(name, count, factor):
    return Tensor(name + ".weight", (count,), "around", factor, offset=1.0)


def _layer(sizes, index):
    at = f"{TEXT}layers.{index}."
    hidden, dim = sizes.hidden, sizes.head_dim
    return [
        _norm(at + "input_layernorm", hidden, 1.0),
        _norm(at + "post_attention_layernorm", hidden, 0.3),
        _norm(at + "pre_feedforward_layernorm", hidden, 1.0),
        _norm(at + "post_feedforward_layernorm", hidden, 0.3),
        linear(at + "self_attn.q_proj", sizes.heads * dim, hidden),
        linear(at + "self_attn.k_proj", sizes.kv_heads * dim, hidden),
        linear(at + "self_attn.v_proj", sizes.kv_heads * dim, hidden),
        linear(at + "self_attn.o_proj", hidden, sizes.heads * dim),
        _norm(at + "self_attn.q_norm", dim, 1.0),
        _norm(at + "self_attn.k_norm", dim, 1.0),
        linear(at + "mlp.gate_proj", sizes.inner, hidden),
        linear(at + "mlp.up_proj", sizes.inner, hidden),
        linear(at + "mlp.down_proj", hidden, sizes.inner),
    ]


def text(sizes):
    hidden = sizes.hidden
    deviation = round((4 * hidden) ** -0.5, 6)
    tensors = [
        Tensor(TEXT + "embed_tokens.weight", (sizes.vocab, hidden), "normal", deviation),
        # Either sign: see manifest.text.
        Tensor(TEXT + "norm.weight", (hidden,), "signed", 5.0, offset=1.0),
    ]
    for index in range(len(sizes.layers)):
        tensors += _layer(sizes, index)
    return tensors


def _rope(sizes, form):
    """As transformers 5 writes it, or as the published files have it."""
    full = {"rope_theta": 1000000.0, "rope_type": "default"}
    if sizes.factor != 1:
        full.update(factor=sizes.factor, rope_type="linear")
    if form == "rope_parameters":
        local = {"rope_theta": 10000.0, "rope_type": "default"}
        return {"rope_parameters": {"full_attention": full, "sliding_attention": local}}
    scaling = {"factor": sizes.factor, "rope_type": "linear"} if sizes.factor != 1 else None
    return {"rope_local_base_freq": 10000.0, "rope_scaling": scaling, "rope_theta": 1000000.0}


def model_config(sizes, form, dtype):
    names = {"S": "sliding_attention", "F": "full_attention"}
    return {
        "_sliding_window_pattern": 6,
        "architectures": ["Gemma3ForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "attn_logit_softcapping": None,
        "bos_token_id": 2,
        "eos_token_id": 1,
        "final_logit_softcapping": None,
        "head_dim": sizes.head_dim,
        "hidden_activation": "gelu_pytorch_tanh",
        "hidden_size": sizes.hidden,
        "initializer_range": 0.02,
        "intermediate_size": sizes.inner,
        "layer_types": [names[kind] for kind in sizes.layers],
        "max_position_embeddings": sizes.max_positions,
        "model_type": "gemma3_text",
        "num_attention_heads": sizes.heads,
        "num_hidden_layers": len(sizes.layers),
        "num_key_value_heads": sizes.kv_heads,
        "pad_token_id": 0,
        "query_pre_attn_scalar": sizes.scalar,
        "rms_norm_eps": 1e-06,
        **_rope(sizes, form),
        "sliding_window": sizes.window,
        "torch_dtype": dtype,
        "transformers_version": "4.55.0.dev0",
        "use_bidirectional_attention": False,
        "use_cache": True,
        "vocab_size": sizes.vocab,
    }
