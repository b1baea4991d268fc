"""Records what transformers makes of a checkpoint of the real size, on a GPU where there is one.

    python3 -m tools.reference.large [--text FILE] CHECKPOINT GOLDEN [CHECKPOINT GOLDEN ...]

GOLDEN has one prompt and its greedy continuation in f32, log-probabilities at some of its
positions, and what bf16 loses there; tests/gpu/large_test.cpp and tests/parity/large_test.cpp
compare with it. The prompt is the beginning of FILE, or random tokens. Weights go from the files
straight to the device and are dequantised there: in f32 E4B takes 30 GB of it, in bf16 15 GB more.
"""

import argparse
import glob
import json
import os
import time

import numpy as np
import torch
import transformers
from safetensors import safe_open
from transformers import AutoConfig

LENGTH, STEPS = 700, 32
POSITIONS = (0, 1, 63, 64, 200, 300, 450, 480, 490, 505, 511, 512, 600, 670, 685, 699)
LIKELIEST = 20
RANKS = tuple(sorted({round(20 * 1.17**step) for step in range(1, 21)}))  # and these, up to 462
FIRST_ORDINARY, LAST_ORDINARY = 300, 250000
PER_WORD = 8


def dequantised(words, scales, zeros, second):
    """Weight [out, in] in f32 of an int4 linear: scale (nibble - zero)."""
    shifts = 4 * torch.arange(PER_WORD, device=words.device, dtype=torch.int32)
    nibbles = ((words[:, None, :] >> shifts[None, :, None]) & 15).reshape(-1, words.shape[1])
    zero = ((zeros[:, :, None] >> shifts) & 15).reshape(zeros.shape[0], -1) + (0 if second else 1)
    group = nibbles.shape[0] // scales.shape[0]
    grouped = nibbles.reshape(scales.shape[0], group, -1) - zero[:, None, :]
    return (grouped * scales.float()[:, None, :]).reshape(nibbles.shape).t()


def tensors(folder, device, second):
    """(name, tensor) of every plain or dequantised weight, one at a time on the device."""
    parts = ("qweight", "scales", "qzeros")
    where, files = {}, []
    for path in sorted(glob.glob(os.path.join(folder, "*.safetensors"))):
        files.append(safe_open(path, "pt", device=str(device)))
        where.update({name: files[-1] for name in files[-1].keys()})
    for name, file in where.items():
        base, _, part = name.rpartition(".")
        if part == "qweight":
            words, scales, zeros = (where[f"{base}.{p}"].get_tensor(f"{base}.{p}") for p in parts)
            yield base + ".weight", dequantised(words, scales, zeros, second)
        elif part not in (*parts, "g_idx"):
            yield name, file.get_tensor(name)


def made(config, dtype, device):
    """The model with whatever values; its buffers are right."""
    config.dtype = config.get_text_config().dtype = dtype  # its parts are made in what this says
    torch.set_default_dtype(dtype)
    with torch.device(device):
        model = getattr(transformers, config.architectures[0])(config).eval()
    torch.set_default_dtype(torch.float32)
    return model


def load(folder, config, quantiser, device):
    model = made(config, torch.float32, device)
    held = model.state_dict()
    wrong = {name for name, tensor in held.items() if tensor.dtype != torch.float32}
    if wrong:
        raise SystemExit(f"{folder}: expected a model in f32, got other types in {wrong}")
    second = quantiser.get("checkpoint_format") == "gptq_v2"
    filled = set()
    for name, tensor in tensors(folder, device, second):
        if name not in held or held[name].shape != tensor.shape:
            raise SystemExit(f"{folder}: {name}: expected a weight of the model, got another")
        held[name].copy_(tensor)
        filled.add(held[name].data_ptr())
    missing = [name for name, tensor in held.items() if tensor.data_ptr() not in filled]
    if missing:
        raise SystemExit(f"{folder}: expected every weight of the model, got none of {missing}")
    return model


def rounded(exact, config, device):
    model = made(config, torch.bfloat16, device)
    for name, tensor in model.state_dict().items():
        tensor.copy_(exact.state_dict()[name])
    return model


def ordinary_tokens(vocabulary, attempt):
    last = min(LAST_ORDINARY, vocabulary - 7)
    first = min(FIRST_ORDINARY, last // 2)
    bits = np.random.PCG64(np.random.SeedSequence([LENGTH, attempt])).random_raw(LENGTH)
    return [2] + [first + int(word % np.uint64(last - first)) for word in bits[1:]]


def greedy(model, tokens, device):
    """STEPS tokens with the cache, and by how much each was ahead of the second best."""
    out, margins, cache = [], [], None
    step = torch.tensor([tokens], device=device)
    for _ in range(STEPS):
        result = model(step, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache = result.past_key_values
        best = result.logits[0, -1].float().topk(2)
        out.append(int(best.indices[0]))
        margins.append(float(best.values[0] - best.values[1]))
        step = torch.tensor([[out[-1]]], device=device)
    return out, margins


def tokens_of(folder, file_name):
    """<bos> and the first tokens of a text, by the folder's tokenizer."""
    from tokenizers import Tokenizer

    with open(file_name, encoding="utf-8") as file:
        text = file.read(16 * LENGTH)
    words = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    tokens = [2] + words.encode(text, add_special_tokens=False).ids[: LENGTH - 1]
    if len(tokens) < LENGTH:
        raise SystemExit(f"{file_name}: expected {LENGTH - 1} tokens, got {len(tokens) - 1}")
    return tokens


def asked(config, model, device):
    """The first prompt that is not continued by a token which is read as a picture or a sound."""
    media = {getattr(config, kind + "_token_id", None) for kind in ("image", "audio", "video")}
    for attempt in range(20):
        tokens = ordinary_tokens(config.get_text_config().vocab_size, attempt)
        out, margins = greedy(model, tokens, device)
        if not media & set(out + tokens):
            return tokens, out, margins
    raise SystemExit("large: expected a prompt without media in its continuation")


def config_of(folder):
    """The config of a folder without its quantiser, and the keys of that one."""
    config = AutoConfig.from_pretrained(folder)
    return config, config.__dict__.pop("quantization_config", None) or {}


def record(folder, device, text=None):
    config, quantiser = config_of(folder)
    exact = load(folder, config, quantiser, device)
    if text:
        tokens = tokens_of(folder, text)
        out, margins = greedy(exact, tokens, device)
    else:
        tokens, out, margins = asked(config, exact, device)
    positions = list(POSITIONS) + list(range(LENGTH, LENGTH + STEPS - 1))
    whole = torch.tensor([tokens + out[:-1]], device=device)
    keep = torch.tensor(positions, device=device)
    f32 = exact(whole, logits_to_keep=keep).logits[0].float()
    bf16 = rounded(exact, config, device)(whole, logits_to_keep=keep).logits[0].float()
    ids = f32.topk(RANKS[-1] + 1).indices
    ids = torch.cat([ids[:, :LIKELIEST], ids[:, list(RANKS)]], 1)
    lost = (f32.log_softmax(-1).gather(1, ids) - bf16.log_softmax(-1).gather(1, ids)).abs()
    sums = f32.logsumexp(-1).tolist()
    rows = [
        {
            "position": position,
            "log_sum_exp": sums[row],
            "top_ids": ids[row].tolist(),
            "top_logits": f32[row, ids[row]].tolist(),
            "logits": [],
            "bf16_loss": float(lost[row].mean()),
        }
        for row, position in enumerate(positions)
    ]
    return {
        "made_by": "tools/reference/large.py",
        "versions": {"torch": torch.__version__, "device": str(device)},
        "ids": [],
        "prompts": [{"tokens": tokens, "rows": rows, "greedy": out, "margins": margins}],
        "bf16_loss": {"mean": float(lost.mean()), "max": float(lost.max())},
    }


def main():
    p = argparse.ArgumentParser(
        prog="tools.reference.large",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--text", metavar="FILE", help="the prompt: its first 699 tokens, behind <bos>")
    p.add_argument("names", nargs="+", metavar="CHECKPOINT GOLDEN")
    a = p.parse_args()
    if len(a.names) % 2:
        p.error(f"expected a GOLDEN for each CHECKPOINT, got {len(a.names)} names")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    for folder, golden in zip(a.names[::2], a.names[1::2]):
        began = time.time()
        with torch.no_grad():
            values = record(folder, device, a.text)
        with open(golden + ".part", "w", encoding="utf-8") as file:
            json.dump(values, file)
        os.replace(golden + ".part", golden)  # whoever waits for it finds it whole
        loss, spread = values["bf16_loss"], values["prompts"][0]["margins"]
        print(
            f"{folder}: {time.time() - began:.1f} s on {device}, bf16 loses {loss['mean']:.4f} on "
            f"average, {loss['max']:.3f} at most; margins {min(spread):.3f} to {max(spread):.3f}",
            flush=True,
        )
        if device.type == "cuda":
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
