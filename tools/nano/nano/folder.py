"""A checkpoint folder in the published layout, bf16 or W4A16."""

import json
import pathlib
import shutil

import safetensors.torch
from tokenizers import Tokenizer

from . import model, quantise

#: Files that a nano folder has in common with every published checkpoint.
COMMON = ("generation_config.json", "tokenizer_config.json", "chat_template.jinja")
_MEDIA_IDS = {
    "boi_token_id": "<|image>",
    "boa_token_id": "<|audio>",
    "image_token_id": "<|image|>",
    "audio_token_id": "<|audio|>",
    "eoi_token_id": "<image|>",
    "eoa_token_id": "<audio|>",
    "eoa_token_index": "<audio|>",
    "video_token_id": "<|video|>",
}
_BLOCKS = "model.language_model.layers"


def _config(published, tokenizer):
    """The published config with nano's sizes and ids; its keys stay as they are."""
    vocabulary = Tokenizer.from_file(str(tokenizer))
    config = json.loads((published / "config.json").read_text())
    text = config["text_config"]
    sizes = model.config(vocabulary.get_vocab_size()).to_dict()
    text.update(
        {
            key: value
            for key, value in sizes.items()
            if key in text and key not in ("dtype", "rope_parameters")
        }
    )
    text.update(global_head_dim=2 * text["head_dim"], use_double_wide_mlp=False)
    config.update(vision_config=None, audio_config=None)
    config.update({key: vocabulary.token_to_id(token) for key, token in _MEDIA_IDS.items()})
    config.pop("quantization_config", None)
    return config


def _quantization(form):
    common = {"bits": quantise.BITS, "group_size": quantise.GROUP, "sym": True}
    if form == "gptq":
        return {
            **common,
            "quant_method": "gptq",
            "checkpoint_format": "gptq",
            "desc_act": False,
            "lm_head": False,
            "true_sequential": False,
            "damp_percent": 0.01,
            "dynamic": {},
        }
    return {
        **common,
        "quant_method": "auto-round",
        "packing_format": "auto_round:auto_gptq",
        "data_type": "int",
        "iters": 0,
        "block_name_to_quantize": _BLOCKS,
    }


def write(out, tensors, tokenizer, published, form="bf16"):
    """Writes one folder.

    tensors    name -> bf16 weight
    tokenizer  tokenizer.json
    published  folder with config.json and the COMMON files
    """
    out, published = pathlib.Path(out), pathlib.Path(published)
    out.mkdir(parents=True, exist_ok=True)
    config = _config(published, tokenizer)
    if form != "bf16":
        config["quantization_config"] = _quantization(form)
        tensors = {
            name: tensor
            for base, weight in tensors.items()
            for name, tensor in (
                quantise.packed(base, weight, form)
                if quantise.is_quantised(base)
                else {base: weight}
            ).items()
        }
        name = "quantize_config.json" if form == "gptq" else "quantization_config.json"
        (out / name).write_text(json.dumps(config["quantization_config"], indent=2) + "\n")
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    safetensors.torch.save_file(tensors, out / "model.safetensors", {"format": "pt"})
    (out / "model.safetensors").chmod(0o644)
    for name in COMMON:
        if (published / name).resolve() != (out / name).resolve():
            shutil.copyfile(published / name, out / name)
    if pathlib.Path(tokenizer).resolve() != (out / "tokenizer.json").resolve():
        shutil.copyfile(tokenizer, out / "tokenizer.json")


def read(folder):
    """name -> tensor, packed linears as the f32 weights they stand for."""
    tensors = safetensors.torch.load_file(pathlib.Path(folder) / "model.safetensors")
    bases = {name.removesuffix(".qweight") for name in tensors if name.endswith(".qweight")}
    plain = {
        name: tensor for name, tensor in tensors.items() if name.rsplit(".", 1)[0] not in bases
    }
    return plain | {base + ".weight": quantise.unpacked(tensors, base) for base in bases}
