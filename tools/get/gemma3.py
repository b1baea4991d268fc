"""Gemma 3's text models: from a GGUF file to a folder in the published layout.

Source: google/gemma-3-270m (config.json and names of the tensors); llama.cpp's
gguf-py/gguf/tensor_mapping.py (names) and conversion of Gemma 3 (norms are stored as 1 + w).
"""

import json
import math
import os

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize

from tools.checkpoint.safetensors_file import ITEM_BYTES, Entry, Piece, write
from tools.checkpoint.values import to_bf16_bits
from tools.get import gemma_tokenizer
from tools.get.errors import InputError

ROWS = 8192  # rows made at a time: 20 MB of the token table in float32
SLIDING_PATTERN = 6  # every sixth layer sees everything; the GGUF file does not say it
LOCAL_ROPE_BASE = 10000.0  # nor this

# key of config.json -> key of the GGUF file
STATED = {
    "bos_token_id": "tokenizer.ggml.bos_token_id",
    "eos_token_id": "tokenizer.ggml.eos_token_id",
    "head_dim": "gemma3.attention.key_length",
    "hidden_size": "gemma3.embedding_length",
    "intermediate_size": "gemma3.feed_forward_length",
    "max_position_embeddings": "gemma3.context_length",
    "num_attention_heads": "gemma3.attention.head_count",
    "num_hidden_layers": "gemma3.block_count",
    "num_key_value_heads": "gemma3.attention.head_count_kv",
    "pad_token_id": "tokenizer.ggml.padding_token_id",
    "rms_norm_eps": "gemma3.attention.layer_norm_rms_epsilon",
    "rope_theta": "gemma3.rope.freq_base",
    "sliding_window": "gemma3.attention.sliding_window",
}
ALSO_KNOWN = ("gemma3.attention.value_length",)

WHOLE_MODEL = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}
OF_A_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_output": "self_attn.o_proj",
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "post_ffw_norm": "post_feedforward_layernorm",
}


def _stated(fields, key):
    if key not in fields:
        raise InputError(f"GGUF: {key}: expected the key, got nothing")
    value = fields[key].contents()
    return value.item() if isinstance(value, np.generic) else value


def _sizes(fields, published):
    """What the GGUF file says, each value the published one where that is known."""
    unknown = [key for key in fields if key.startswith("gemma3.")]
    unknown = sorted(set(unknown) - set(STATED.values()) - set(ALSO_KNOWN))
    if unknown:  # scaled positions, caps: what changes the result must not be lost in silence
        raise InputError(f"GGUF: expected no keys but Gemma 3's, got {', '.join(unknown)}")
    sizes = {key: _stated(fields, name) for key, name in STATED.items()}
    sizes["vocab_size"] = len(fields["tokenizer.ggml.tokens"].data)
    sizes["query_pre_attn_scalar"] = sizes["head_dim"]
    for key, value in published.items():
        if np.float32(sizes[key]) != np.float32(value):  # GGUF keeps fractions as float32
            raise InputError(f"GGUF: {STATED.get(key, key)}: expected {value}, got {sizes[key]}")
        sizes[key] = value
    return sizes


def config(fields, published):
    """config.json, with the keys of the published file."""
    sizes = _sizes(fields, published)
    layers = range(1, sizes["num_hidden_layers"] + 1)
    return dict(
        sorted(
            {
                "_sliding_window_pattern": SLIDING_PATTERN,
                "architectures": ["Gemma3ForCausalLM"],
                "attention_bias": False,
                "attention_dropout": 0.0,
                "attn_logit_softcapping": None,
                "final_logit_softcapping": None,
                "hidden_activation": "gelu_pytorch_tanh",
                "initializer_range": 0.02,
                "layer_types": [
                    "sliding_attention" if layer % SLIDING_PATTERN else "full_attention"
                    for layer in layers
                ],
                "model_type": "gemma3_text",
                "rope_local_base_freq": LOCAL_ROPE_BASE,
                "rope_scaling": None,
                "tie_word_embeddings": True,
                "torch_dtype": "bfloat16",
                "transformers_version": "4.55.0.dev0",
                "use_bidirectional_attention": False,
                "use_cache": True,
                **sizes,
            }.items()
        )
    )


def _shapes(c):
    """name in the GGUF file -> (published name, shape)"""
    hidden, inner, head = c["hidden_size"], c["intermediate_size"], c["head_dim"]
    queries, keys = c["num_attention_heads"] * head, c["num_key_value_heads"] * head
    linear = {
        "attn_q": (queries, hidden),
        "attn_k": (keys, hidden),
        "attn_v": (keys, hidden),
        "attn_output": (hidden, queries),
        "ffn_gate": (inner, hidden),
        "ffn_up": (inner, hidden),
        "ffn_down": (hidden, inner),
        "attn_q_norm": (head,),
        "attn_k_norm": (head,),
        "token_embd": (c["vocab_size"], hidden),
    }
    names = dict(WHOLE_MODEL)
    for layer in range(c["num_hidden_layers"]):
        for stored, name in OF_A_LAYER.items():
            names[f"blk.{layer}.{stored}"] = f"model.layers.{layer}.{name}"
    return {
        f"{stored}.weight": (f"{name}.weight", linear.get(stored.rsplit(".", 1)[-1], (hidden,)))
        for stored, name in names.items()
    }


def _bf16(tensor, first, count):
    """Some rows of a tensor; a norm's are one less than stored."""
    if len(tensor.shape) > 1:
        return to_bf16_bits(dequantize(tensor.data[first : first + count], tensor.tensor_type))
    return to_bf16_bits(dequantize(tensor.data, tensor.tensor_type) - np.float32(1))


def _entry(name, shape, tensor):
    row_bytes = math.prod(shape[1:]) * ITEM_BYTES["BF16"]
    rows = ROWS if len(shape) > 1 else shape[0]
    return Entry(
        name,
        "BF16",
        shape,
        [
            Piece(
                min(rows, shape[0] - first) * row_bytes,
                lambda first=first: _bf16(tensor, first, rows),
            )
            for first in range(0, shape[0], rows)
        ],
    )


def tensors(reader, shapes):
    """What model.safetensors holds; nothing may be missing, left over or of another shape."""
    stored = {tensor.name: tensor for tensor in reader.tensors}
    for name in sorted(shapes.keys() - stored.keys()):
        raise InputError(f"GGUF: {name}: expected the tensor, got nothing")
    for name in sorted(stored.keys() - shapes.keys()):
        raise InputError(f"GGUF: {name}: expected no tensor of that name")
    for name, (_, shape) in shapes.items():
        got = tuple(int(size) for size in reversed(stored[name].shape))
        if got != shape:
            raise InputError(f"GGUF: {name}: expected {list(shape)}, got {list(got)}")
    return [_entry(name, shape, stored[key]) for key, (name, shape) in shapes.items()]


def _tokenizer_config(texts, c):
    """What transformers reads beside tokenizer.json. A base model has no chat template."""
    return {
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": texts[c["bos_token_id"]],
        "clean_up_tokenization_spaces": False,
        "eos_token": texts[c["eos_token_id"]],
        "model_max_length": 1000000000000000019884624838656,
        "pad_token": texts[c["pad_token_id"]],
        "tokenizer_class": "GemmaTokenizer",
        "unk_token": "<unk>",
    }


def _generation_config(c):
    return {
        "bos_token_id": c["bos_token_id"],
        "do_sample": True,
        "eos_token_id": c["eos_token_id"],
        "pad_token_id": c["pad_token_id"],
        "top_k": 64,
        "top_p": 0.95,
        "transformers_version": c["transformers_version"],
    }


def _dump(folder, name, value):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")


def convert(path, folder, published, progress_of):
    """Writes the model of the GGUF file `path` into `folder`.
    progress_of: of a number of bytes gives a function that is told how many were written.
    """
    reader = GGUFReader(path)
    c = config(reader.fields, published)
    pieces, scores, kinds = (
        reader.fields[f"tokenizer.ggml.{name}"].contents()
        for name in ("tokens", "scores", "token_type")
    )
    _dump(folder, "config.json", c)
    _dump(folder, "generation_config.json", _generation_config(c))
    _dump(folder, "tokenizer_config.json", _tokenizer_config(pieces, c))
    words = gemma_tokenizer.document(pieces, scores, kinds, c["bos_token_id"])
    gemma_tokenizer.write(os.path.join(folder, "tokenizer.json"), words)
    del words
    held = tensors(reader, _shapes(c))
    write(folder, held, 1, progress_of(sum(entry.size_bytes for entry in held)))
