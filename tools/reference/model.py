"""Loads a checkpoint folder into transformers; int4 forms are unpacked by auto-round's own code
first.
"""

import glob
import json
import os
import tempfile

import torch
import transformers
from auto_round_extension.torch import qlinear_torch, qlinear_torch_zp
from safetensors.torch import load_file, save_file


def tensors(folder):
    held = {}
    for file in sorted(glob.glob(os.path.join(folder, "*.safetensors"))):
        held.update(load_file(file))
    return held


def unpack(parts, quantiser):
    """One packed linear as float32 [out, in]: what it gives for unit vectors, which is exact."""
    second = (
        quantiser.get("checkpoint_format") == "gptq_v2"
    )  # stores the zero itself; the others one less
    kind = qlinear_torch.QuantLinear if second else qlinear_torch_zp.QuantLinear
    columns, rows = parts["qweight"].shape[0] * 8, parts["qweight"].shape[1]
    linear = kind(quantiser["bits"], quantiser["group_size"], columns, rows, False)
    linear.qweight, linear.qzeros = parts["qweight"], parts["qzeros"]
    linear.scales = parts[
        "scales"
    ].float()  # in fp16 the product of scale and integer would be rounded
    return linear(torch.eye(columns)).t().contiguous()


def unpacked(held, quantiser):
    plain = {}
    for name, tensor in held.items():
        base, _, part = name.rpartition(".")
        if part == "qweight":
            parts = {p: held[f"{base}.{p}"] for p in ("qweight", "scales", "qzeros")}
            plain[base + ".weight"] = unpack(parts, quantiser)
        elif part not in ("scales", "qzeros", "g_idx"):
            plain[name] = tensor
    return plain


def _from_pretrained(folder, dtype):
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        kind = getattr(transformers, json.load(file)["architectures"][0])
    model, report = kind.from_pretrained(folder, dtype=dtype, output_loading_info=True)
    wrong = {what: names for what, names in report.items() if names}
    if wrong:
        raise SystemExit(f"{folder}: expected every tensor to be used and found, got {wrong}")
    return model.eval()


def load(folder, dtype):
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    quantiser = config.pop("quantization_config", None)
    if quantiser is None:
        return _from_pretrained(folder, dtype)
    with tempfile.TemporaryDirectory() as plain:
        with open(os.path.join(plain, "config.json"), "w", encoding="utf-8") as file:
            json.dump(config, file)
        save_file(
            unpacked(tensors(folder), quantiser),
            os.path.join(plain, "model.safetensors"),
            {"format": "pt"},
        )
        return _from_pretrained(plain, dtype)
