"""Nano as transformers' own Gemma 4 text class: sizes, a start that trains, packed attention."""

import torch
import torch.nn.functional as F
from transformers import AttentionInterface
from transformers.models.gemma4.configuration_gemma4 import Gemma4TextConfig
from transformers.models.gemma4.modeling_gemma4 import Gemma4ForCausalLM, Gemma4RMSNorm

SLIDING, FULL = "sliding_attention", "full_attention"
WINDOW = 64
SOFTCAP = 30.0
_MASKED = -3e4


def config(vocabulary):
    return Gemma4TextConfig(
        vocab_size=vocabulary,
        vocab_size_per_layer_input=vocabulary,
        hidden_size=256,
        intermediate_size=384,
        num_hidden_layers=12,
        num_attention_heads=8,
        num_key_value_heads=2,
        head_dim=32,
        global_head_dim=64,
        layer_types=([SLIDING] * 5 + [FULL]) * 2,
        num_kv_shared_layers=4,
        sliding_window=WINDOW,
        hidden_size_per_layer_input=128,
        max_position_embeddings=4096,
        final_logit_softcapping=SOFTCAP,
        use_cache=True,
        tie_word_embeddings=True,
    )


def start(model, seed):
    """Initial weights.

    The class's own (std 0.02, every norm 1) saturate attention: scores are not divided by sqrt(d),
    so their spread is sqrt(d) while q_norm = k_norm = 1; and 36 branches of size 1 drown the token.
    """
    torch.manual_seed(seed)
    width, ple = model.config.hidden_size, model.config.hidden_size_per_layer_input
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "embed_tokens_per_layer" in name:
                parameter.normal_(std=0.5 / ple**0.5)
            elif "embed_tokens" in name:
                parameter.normal_(std=0.5 / width**0.5)
            elif parameter.ndim == 2:
                parameter.normal_(std=parameter.shape[1] ** -0.5)
        for name, module in model.named_modules():
            if isinstance(module, Gemma4RMSNorm) and module.with_scale:
                by_head = name.endswith(("q_norm", "k_norm"))
                module.weight.fill_(
                    module.weight.numel() ** -0.25 if by_head else 0.3 if ".post_" in name else 1
                )
        for layer in model.model.layers:
            layer.layer_scalar.fill_(1)


def _train_scalars(model):
    """layer_scalar is a buffer in the class: as a parameter it keeps its name in the file."""
    for layer in model.model.layers:
        layer.layer_scalar = torch.nn.Parameter(layer._buffers.pop("layer_scalar").float())


def _own_and_previous(x, blocks, window):
    """[batch, heads, tokens, d] -> [batch, heads, blocks, 2 window, d]: the previous, its own."""
    batch, heads, _, d = x.shape
    x = x.reshape(batch, heads, blocks, window, d)
    return torch.cat((F.pad(x, (0, 0, 0, 0, 1, 0))[:, :, :-1], x), 3)


def attend(module, query, key, value, mask, scaling=1.0, **_):
    """Packed causal attention: full layers under a mask, sliding ones in blocks of a window."""
    query, key = query.to(value.dtype), key.to(value.dtype)
    batch, heads, tokens, d = query.shape
    kv_heads, group = key.shape[1], heads // key.shape[1]
    if module.sliding_window is None:
        out = F.scaled_dot_product_attention(
            query,
            key.repeat_interleave(group, 1),
            value.repeat_interleave(group, 1),
            mask,
            scale=scaling,
        )
        return out.transpose(1, 2), None
    window = module.sliding_window
    blocks = tokens // window
    query = query.reshape(batch, kv_heads, group, blocks, window, d).transpose(2, 3)
    query = query.reshape(batch, kv_heads, blocks, group * window, d)
    scores = query @ _own_and_previous(key, blocks, window).transpose(-1, -2)
    scores = (
        scores.reshape(batch, kv_heads, blocks, group, window, 2 * window).float() * scaling
        + mask[:, None, :, None]
    )
    weights = (
        scores.softmax(-1)
        .to(value.dtype)
        .reshape(batch, kv_heads, blocks, group * window, 2 * window)
    )
    out = weights @ _own_and_previous(value, blocks, window)
    out = (
        out.reshape(batch, kv_heads, blocks, group, window, d)
        .transpose(2, 3)
        .reshape(batch, heads, tokens, d)
    )
    return out.transpose(1, 2), None


AttentionInterface.register("packed", attend)


def masks(samples, dtype=torch.bfloat16):
    """What `attend` takes, by kind of layer.

    samples  [batch, tokens] number of the sample that each token belongs to
    """
    batch, tokens = samples.shape
    zero = torch.zeros((), dtype=dtype, device=samples.device)
    masked = torch.full((), _MASKED, dtype=dtype, device=samples.device)
    at = torch.arange(tokens, device=samples.device)
    full = (samples[:, :, None] == samples[:, None]) & (at[:, None] >= at)
    own = samples.reshape(batch, tokens // WINDOW, WINDOW)
    previous = F.pad(own, (0, 0, 1, 0), value=-1)[:, :-1]
    row = torch.arange(WINDOW, device=samples.device)[:, None]
    column = torch.arange(2 * WINDOW, device=samples.device) - WINDOW
    near = own[..., None] == torch.cat((previous, own), -1)[:, :, None]
    near = near & (column <= row) & (row - column < WINDOW)
    return {
        FULL: torch.where(full[:, None], zero, masked),
        SLIDING: torch.where(near, zero, masked).float(),
    }


def build(vocabulary, seed, device="cpu"):
    chosen = config(vocabulary)
    chosen._attn_implementation = "packed"
    model = Gemma4ForCausalLM(chosen)
    start(model, seed)
    _train_scalars(model)
    return model.to(device)


def logits(model, ids, samples, positions):
    hidden = model.model(
        input_ids=ids, attention_mask=masks(samples), position_ids=positions, use_cache=False
    ).last_hidden_state
    return SOFTCAP * torch.tanh(model.lm_head(hidden).float() / SOFTCAP)


def shipped(model):
    """name -> bf16 tensor on the CPU, named as in the checkpoint."""
    return {
        "model.language_model." + name.removeprefix("model."): parameter.detach()
        .bfloat16()
        .cpu()
        .contiguous()
        for name, parameter in model.named_parameters()
        if name != "lm_head.weight"
    }


def load(model, tensors):
    """The inverse of shipped."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name != "lm_head.weight":
                parameter.copy_(tensors["model.language_model." + name.removeprefix("model.")])
