"""Tensors and configs of the vision and audio towers: present in the published files, unused by the
text model.
"""

import dataclasses

from tools.checkpoint.manifest import Tensor, around, linear


@dataclasses.dataclass(frozen=True)
class TowerSizes:
    vision_hidden: int
    vision_inner: int
    vision_layers: int
    vision_heads: int
    positions: int
    audio_hidden: int
    audio_layers: int
    audio_heads: int
    channels: tuple
    audio_out: int


PUBLISHED = TowerSizes(768, 3072, 16, 12, 10240, 1024, 12, 8, (128, 32), 1536)
SMALL = TowerSizes(64, 96, 2, 4, 64, 64, 2, 4, (128, 4), 96)


def tower_sizes(sizes):
    return PUBLISHED if sizes.published else SMALL


def _clipped(name, rows, columns):
    """A linear that clamps what goes in and what comes out."""
    bounds = [("input_min", -8.0), ("input_max", 8.0), ("output_min", -16.0), ("output_max", 16.0)]
    return [linear(name + ".linear", rows, columns, packable=False)] + [
        Tensor(f"{name}.{bound}", (), "around", value) for bound, value in bounds
    ]


def _vision_layer(at, t):
    tensors = []
    for norm in (
        "input_layernorm",
        "post_attention_layernorm",
        "pre_feedforward_layernorm",
        "post_feedforward_layernorm",
    ):
        tensors.append(around(at + norm, t.vision_hidden, 1.0))
    for part in "qkvo":
        tensors += _clipped(f"{at}self_attn.{part}_proj", t.vision_hidden, t.vision_hidden)
    for norm in ("q_norm", "k_norm"):
        tensors.append(around(f"{at}self_attn.{norm}", t.vision_hidden // t.vision_heads, 0.35))
    tensors += _clipped(at + "mlp.gate_proj", t.vision_inner, t.vision_hidden)
    tensors += _clipped(at + "mlp.up_proj", t.vision_inner, t.vision_hidden)
    return tensors + _clipped(at + "mlp.down_proj", t.vision_hidden, t.vision_inner)


def _vision(sizes, t):
    at = "model.vision_tower."
    tensors = [
        linear(at + "patch_embedder.input_proj", t.vision_hidden, 768, packable=False),
        Tensor(
            at + "patch_embedder.position_embedding_table",
            (2, t.positions, t.vision_hidden),
            "normal",
            0.02,
        ),
        linear(
            "model.embed_vision.embedding_projection", sizes.hidden, t.vision_hidden, packable=False
        ),
    ]
    for index in range(t.vision_layers):
        tensors += _vision_layer(f"{at}encoder.layers.{index}.", t)
    return tensors


def _feed_forward(at, width):
    return [
        around(at + "pre_layer_norm", width, 1.0),
        around(at + "post_layer_norm", width, 1.0),
        *_clipped(at + "ffw_layer_1", 4 * width, width),
        *_clipped(at + "ffw_layer_2", width, 4 * width),
    ]


def _audio_layer(at, t):
    width = t.audio_hidden
    tensors = _feed_forward(at + "feed_forward1.", width) + _feed_forward(
        at + "feed_forward2.", width
    )
    tensors += [
        around(at + norm, width, 1.0) for norm in ("norm_pre_attn", "norm_post_attn", "norm_out")
    ]
    for part in ("q_proj", "k_proj", "v_proj", "post"):
        tensors += _clipped(f"{at}self_attn.{part}", width, width)
    tensors += [
        linear(at + "self_attn.relative_k_proj", width, width, packable=False),
        Tensor(at + "self_attn.per_dim_scale", (width // t.audio_heads,), "around", 1.0),
        around(at + "lconv1d.pre_layer_norm", width, 1.0),
        around(at + "lconv1d.conv_norm", width, 1.0),
        Tensor(at + "lconv1d.depthwise_conv1d.weight", (width, 1, 5), "normal", 0.4),
        *_clipped(at + "lconv1d.linear_start", 2 * width, width),
        *_clipped(at + "lconv1d.linear_end", width, width),
    ]
    return tensors


def _audio(sizes, t):
    at, (first, second) = "model.audio_tower.", t.channels
    tensors = [
        Tensor(
            at + "subsample_conv_projection.layer0.conv.weight", (first, 1, 3, 3), "normal", 0.3
        ),
        around(at + "subsample_conv_projection.layer0.norm", first, 1.0),
        Tensor(
            at + "subsample_conv_projection.layer1.conv.weight",
            (second, first, 3, 3),
            "normal",
            0.03,
        ),
        around(at + "subsample_conv_projection.layer1.norm", second, 1.0),
        # 128 mel bands, halved twice, for each of the second convolution's channels
        linear(
            at + "subsample_conv_projection.input_proj_linear",
            t.audio_hidden,
            second * 32,
            packable=False,
        ),
        linear(at + "output_proj", t.audio_out, t.audio_hidden, packable=False),
        Tensor(at + "output_proj.bias", (t.audio_out,), "normal", 0.02),
        linear("model.embed_audio.embedding_projection", sizes.hidden, t.audio_out, packable=False),
    ]
    for index in range(t.audio_layers):
        tensors += _audio_layer(f"{at}layers.{index}.", t)
    return tensors


def tensors(sizes):
    t = tower_sizes(sizes)
    return _vision(sizes, t) + _audio(sizes, t)


def vision_config(sizes, dtype):
    t = tower_sizes(sizes)
    head = t.vision_hidden // t.vision_heads
    return {
        "attention_bias": False,
        "attention_dropout": 0.0,
        "default_output_length": 280,
        "dtype": dtype,
        "global_head_dim": head,
        "head_dim": head,
        "hidden_activation": "gelu_pytorch_tanh",
        "hidden_size": t.vision_hidden,
        "initializer_range": 0.02,
        "intermediate_size": t.vision_inner,
        "max_position_embeddings": 131072,
        "model_type": "gemma4_vision",
        "num_attention_heads": t.vision_heads,
        "num_hidden_layers": t.vision_layers,
        "num_key_value_heads": t.vision_heads,
        "patch_size": 16,
        "pooling_kernel_size": 3,
        "position_embedding_size": t.positions,
        "rms_norm_eps": 1e-06,
        "rope_parameters": {"rope_theta": 100.0, "rope_type": "default"},
        "standardize": False,
        "use_clipped_linears": True,
    }


def audio_config(sizes, dtype):
    t = tower_sizes(sizes)
    return {
        "attention_chunk_size": 12,
        "attention_context_left": 13,
        "attention_context_right": 0,
        "attention_invalid_logits_value": -1000000000.0,
        "attention_logit_cap": 50.0,
        "conv_kernel_size": 5,
        "dtype": dtype,
        "gradient_clipping": 10000000000.0,
        "hidden_act": "silu",
        "hidden_size": t.audio_hidden,
        "initializer_range": 0.02,
        "model_type": "gemma4_audio",
        "num_attention_heads": t.audio_heads,
        "num_hidden_layers": t.audio_layers,
        "output_proj_dims": t.audio_out,
        "residual_weight": 0.5,
        "rms_norm_eps": 1e-06,
        "subsampling_conv_channels": list(t.channels),
        "use_clipped_linears": True,
    }
