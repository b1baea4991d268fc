"""One checkpoint: which entries its files hold, and the folder around them."""

import dataclasses
import json
import os
import re
import shutil
import sys

import numpy as np

from tools.checkpoint import config, gemma3, int4, manifest, tokenizer, towers
from tools.checkpoint.safetensors_file import ITEM_BYTES, Entry, Piece, whole, write
from tools.checkpoint.values import (
    ENCODE,
    from_bf16_bits,
    normal_table,
    piece,
    pieces,
    shrink,
    to_bf16_bits,
    uniform_table,
)

DTYPES = {"bf16": ("BF16", "bfloat16"), "f16": ("F16", "float16"), "f32": ("F32", "float32")}


@dataclasses.dataclass(frozen=True)
class Request:
    """What the command line asks for; see --help."""

    sizes: object
    form: str
    group: int
    rest: str  # dtype of what is not packed, when the form packs
    seed: int
    shards: int
    config_form: str
    dead_kv: bool
    towers: bool
    plain: str

    @property
    def packed(self):
        return self.form in int4.FORMS

    @property
    def dtype(self):
        return DTYPES[self.rest if self.packed else self.form]


def text_tensors(sizes):
    """The tensors of a text decoder of either family."""
    return (gemma3 if isinstance(sizes, gemma3.Sizes) else manifest).text(sizes)


def _table(tensor):
    if tensor.rule == "normal":
        return normal_table(tensor.parameter)
    if tensor.rule == "around":
        around = uniform_table(0.8 * tensor.parameter, 1.2 * tensor.parameter)
        return around - np.float32(tensor.offset)
    if tensor.rule == "signed":
        size = uniform_table(0.8 * tensor.parameter, 1.2 * tensor.parameter)
        return np.where(np.arange(65536) % 2 == 1, size, -size) - np.float32(tensor.offset)
    return uniform_table(0.5, 1.2)


def _matrix(request, tensor):
    """A whole linear as float32, tiny blocks included."""
    values = piece(request.seed, tensor.name, _table(tensor), 0, tensor.count)
    return shrink(request.seed, tensor.name, values.reshape(tensor.shape))


def _plain_entry(request, tensor):
    dtype = request.dtype[0]
    encode = ENCODE[dtype]
    if tensor.linear and not request.sizes.published:
        return whole(tensor.name, dtype, tensor.shape, lambda: encode(_matrix(request, tensor)))
    return Entry(
        tensor.name,
        dtype,
        tensor.shape,
        [
            Piece(
                count * ITEM_BYTES[dtype],
                lambda first=first, count=count: piece(
                    request.seed, tensor.name, encode(_table(tensor)), first, count
                ),
            )
            for first, count in pieces(tensor.count)
        ],
    )


def _quantised(request, tensor):
    """Packed words and scales of a small linear, rounded from what the bf16 form holds."""
    weight = from_bf16_bits(to_bf16_bits(_matrix(request, tensor)))
    nibbles, scales = int4.quantise(weight, request.form, request.group)
    return {"qweight": int4.pack(nibbles), "scales": np.ascontiguousarray(scales.T)}


def _drawn(request, tensor, part, shape):
    name = tensor.name.removesuffix("weight") + part
    if part == "qweight":
        return int4.random_words(request.seed, name, shape)
    return int4.random_scales(request.seed, name, shape, tensor.parameter)


def _packed_entries(request, tensor):
    def produce(part, shape):
        if part == "qzeros":
            return int4.zeros(shape, request.form)
        if part == "g_idx":
            return int4.group_index(tensor.shape[1], request.group)
        if request.sizes.published:
            return _drawn(request, tensor, part, shape)
        return _quantised(request, tensor)[part]

    return [
        whole(
            name,
            dtype,
            shape,
            lambda part=name.rsplit(".", 1)[1], shape=shape: produce(part, shape),
        )
        for name, dtype, shape in int4.parts(tensor, request.form, request.group)
    ]


def entries(request):
    """(entries of the files, names of the block linears that stay plain in a packed form)."""
    tensors = [(tensor, request.packed) for tensor in text_tensors(request.sizes)]
    if (
        request.dead_kv
    ):  # AutoRound copies what the model class does not have; GPTQ files hold it packed
        tensors += [
            (t, request.form in ("gptq", "gptq_v2"))
            for t in manifest.dead_key_values(request.sizes)
        ]
    if request.towers:
        tensors += [(tensor, False) for tensor in towers.tensors(request.sizes)]
    out, plain = [], []
    for tensor, pack in tensors:
        name = tensor.name.removesuffix(".weight")
        chosen = request.plain and re.search(request.plain, name)
        if pack and tensor.linear and int4.divisible(tensor.shape, request.group) and not chosen:
            out += _packed_entries(request, tensor)
            continue
        if pack and tensor.linear:
            plain.append(name)
        out.append(_plain_entry(request, tensor))
    return out, plain


def _dump(folder, name, value):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")


def _write_configs(request, folder, media_ids, plain):
    blocks = "model.language_model.layers"
    if isinstance(request.sizes, gemma3.Sizes):
        blocks = "model.layers"
        model = gemma3.model_config(request.sizes, request.config_form, request.dtype[1])
    else:
        model = config.model_config(
            request.sizes, request.config_form, request.dtype[1], media_ids, request.towers
        )
    if request.packed:
        quantiser = config.quantization_config(request.form, request.group, plain, blocks)
        model["quantization_config"] = quantiser
        _dump(
            folder,
            "quantization_config.json" if request.form == "auto-round" else "quantize_config.json",
            quantiser,
        )
    _dump(folder, "config.json", model)
    _dump(folder, "generation_config.json", config.GENERATION)
    _dump(folder, "tokenizer_config.json", config.TOKENIZER)


def progress(total):
    """Prints the share done on a terminal; silent where nobody watches, and for small folders."""
    state = {"done": 0, "shown": -1}

    def report(count):
        state["done"] += count
        share = 100 * state["done"] // total
        if share != state["shown"] and total > 1 << 28 and sys.stderr.isatty():
            state["shown"] = share
            print(
                f"\r{share:3d} % of {total / 1e9:.2f} GB",
                end="\n" if share == 100 else "",
                file=sys.stderr,
            )

    return report


def make(request, folder, tokenizer_file=None, chat_template=None):
    os.makedirs(folder, exist_ok=True)
    if tokenizer_file:
        shutil.copyfile(tokenizer_file, os.path.join(folder, "tokenizer.json"))
        media_ids = dict(config.PUBLISHED_MEDIA)
    elif request.sizes.published:
        media_ids = dict(config.PUBLISHED_MEDIA)
    else:
        words = tokenizer.build(request.sizes.vocab)
        _dump(folder, "tokenizer.json", words)
        media_ids = {
            key: words["model"]["vocab"][token] for key, token in config.MEDIA_TOKENS.items()
        }
    if chat_template:
        shutil.copyfile(chat_template, os.path.join(folder, "chat_template.jinja"))
    held, plain = entries(request)
    _write_configs(request, folder, media_ids, plain)
    write(folder, held, request.shards, progress(sum(e.size_bytes for e in held)))
