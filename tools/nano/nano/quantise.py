"""W4A16 by rounding to nearest, symmetric, in groups: AutoRound's and GPTQ's rules and layout."""

import torch

GROUP = 128
BITS = 4
_PER_WORD = 32 // BITS
_ZERO = 8
FORMS = ("autoround", "gptq")
_LINEARS = (
    "q_proj",
    "k_proj",
    "v_proj",
    "o_proj",
    "gate_proj",
    "up_proj",
    "down_proj",
    "per_layer_input_gate",
    "per_layer_projection",
)


def is_quantised(name):
    """Whether the tensor of this name is the weight of a linear inside a decoder block."""
    return ".layers." in name and name.removesuffix(".weight").endswith(_LINEARS)


def codes_and_scales(weight, form, group=GROUP):
    """weight [out, in] -> codes [out, in] in 0..15, scales [out, in / group] f16.

    weight = (code - 8) * scale. AutoRound maps the side of larger magnitude to -8, so its scales
    have a sign; GPTQ spreads 15 steps evenly.
    """
    groups = weight.float().reshape(weight.shape[0], -1, group)
    low, high = groups.amin(2).clamp(max=0), groups.amax(2).clamp(min=0)
    if form == "autoround":
        scale = torch.where(-low >= high, -low / _ZERO, -high / _ZERO)
    else:
        scale = 2 * torch.maximum(-low, high) / 15
    scale = torch.where(scale == 0, torch.ones_like(scale), scale).half()
    codes = ((groups / scale.float()[..., None]).round() + _ZERO).clamp(0, 15)
    return codes.to(torch.int32).reshape(weight.shape), scale


def nearest(weights, group=GROUP):
    """[n, out, in] -> what AutoRound's 4-bit forms stand for, for training."""
    rows = weights.reshape(-1, weights.shape[-1])
    return dequantised(*codes_and_scales(rows, "autoround", group), group).reshape(weights.shape)


def dequantised(codes, scales, group=GROUP):
    grouped = codes.reshape(codes.shape[0], -1, group) - _ZERO
    return (grouped * scales.float()[..., None]).reshape(codes.shape)


def rounded(tensors, form):
    """The tensors with every quantised linear replaced by what its 4-bit form stands for, f32."""
    return {
        name: dequantised(*codes_and_scales(tensor, form)) if is_quantised(name) else tensor
        for name, tensor in tensors.items()
    }


def _words(nibbles):
    """[n * 8, m] values of 4 bits -> [n, m] int32, the first in the lowest bits."""
    nibbles = nibbles.to(torch.int64).reshape(-1, _PER_WORD, nibbles.shape[1])
    shifts = torch.arange(0, 32, BITS)[None, :, None]
    words = (nibbles << shifts).sum(1)
    return torch.where(words >= 2**31, words - 2**32, words).to(torch.int32)


def packed(name, weight, form):
    """The tensors that stand for one linear in the file."""
    codes, scales = codes_and_scales(weight, form)
    base = name.removesuffix(".weight")
    zeros = torch.full(
        (weight.shape[0], scales.shape[1]), _ZERO - 1
    )  # version 1 of the layout stores zero - 1
    out = {
        base + ".qweight": _words(codes.T),
        base + ".scales": scales.T.contiguous(),
        base + ".qzeros": _words(zeros).T.contiguous(),
    }
    if form == "gptq":
        out[base + ".g_idx"] = (torch.arange(weight.shape[1]) // GROUP).to(torch.int32)
    return out


def unpacked(tensors, base, group=GROUP):
    """Weight [out, in] f32 of a packed linear, for a symmetric version 1 file."""
    shifts = torch.arange(0, 32, BITS)
    nibbles = (tensors[base + ".qweight"].to(torch.int64)[:, None] >> shifts[None, :, None]) & 15
    codes = nibbles.reshape(-1, nibbles.shape[2]).T.contiguous()
    return dequantised(codes, tensors[base + ".scales"].T, group)
