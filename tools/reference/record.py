"""Computes what tests/golden/parity holds of one case: logits, greedy tokens, and what bf16 costs
transformers.
"""

import hashlib
import os
import platform
import tempfile

import numpy
import torch
import transformers

from tools.checkpoint.__main__ import main as make_checkpoint
from tools.reference import cases
from tools.reference.model import load

TOP = 32
STEPS = 16


def number(value):
    return float(f"{float(value):.7g}")


def digest(folder):
    """sha256 over the safetensors files in the order of their names."""
    total = hashlib.sha256()
    for name in sorted(os.listdir(folder)):
        if name.endswith(".safetensors"):
            with open(os.path.join(folder, name), "rb") as file:
                total.update(file.read())
    return total.hexdigest()


def greedy(model, tokens):
    """STEPS tokens with the cache, and by how much each was ahead of the second best."""
    out, margins, cache = [], [], None
    step = torch.tensor([tokens])
    for _ in range(STEPS):
        result = model(step, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache = result.past_key_values
        best = result.logits[0, -1].float().topk(2)
        out.append(int(best.indices[0]))
        margins.append(number(best.values[0] - best.values[1]))
        step = torch.tensor([[out[-1]]])
    return out, margins


def prompt_and_greedy(case, model, length):
    """The first prompt that is not continued by a media token, which is read as a picture."""
    for attempt in range(100):
        tokens = cases.prompt(case, length, attempt)
        out, margins = greedy(model, tokens)
        if not any(cases.is_media(case, token) for token in out):
            return tokens, out, margins
    raise SystemExit(
        f"{case.name}: expected a prompt of {length} tokens without media in its continuation"
    )


def row(logits, position, ids):
    best = logits.topk(TOP)
    return {
        "position": position,
        "log_sum_exp": number(logits.logsumexp(-1)),
        "top_ids": best.indices.tolist(),
        "top_logits": [number(x) for x in best.values],
        "logits": [number(x) for x in logits[ids]],
    }


def differences(exact, rounded, rows, ids):
    """|log-probability in bf16 - in f32| over the recorded entries."""
    exact, rounded = exact.log_softmax(-1), rounded.log_softmax(-1)
    found = []
    for at, recorded in enumerate(rows):
        entries = recorded["top_ids"] + ids
        found.append((rounded[at, entries] - exact[at, entries]).abs())
    return torch.cat(found)


def loss(values):
    return {
        "mean": number(values.mean()),
        "p99": number(values.quantile(0.99)),
        "max": number(values.max()),
        "values": values.numel(),
    }


def record_prompt(case, exact, rounded, length, ids):
    tokens, out, margins = prompt_and_greedy(case, exact, length)
    at = cases.positions(length, case.sizes.window)
    f32 = exact(torch.tensor([tokens])).logits[0, at].float()
    bf16 = rounded(torch.tensor([tokens])).logits[0, at].float()
    rows = [row(f32[i], position, ids) for i, position in enumerate(at)]
    lost = differences(f32, bf16, rows, ids)
    return {
        "tokens": tokens,
        "rows": rows,
        "greedy": out,
        "margins": margins,
        "bf16_loss": loss(lost),
    }, lost


def record(case, folder=None):
    torch.set_num_threads(1)
    ids = cases.recorded_ids(case)
    with tempfile.TemporaryDirectory() as made, torch.no_grad():
        make_checkpoint([made, *case.checkpoint])
        exact, rounded = load(made, torch.float32), load(made, torch.bfloat16)
        prompts, lost = zip(
            *(record_prompt(case, exact, rounded, n, ids) for n in cases.lengths(case.sizes))
        )
        sha256 = digest(made)
    return {
        "made_by": "scripts/golden",
        "versions": {
            "python": platform.python_version(),
            "numpy": numpy.__version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "auto-round": _version("auto-round"),
        },
        "checkpoint": list(case.checkpoint),
        "checkpoint_sha256": sha256,
        "vocabulary": case.sizes.vocab,
        "window": case.sizes.window,
        "ids": ids,
        "bf16_loss": loss(torch.cat(lost)),
        "prompts": list(prompts),
    }


def _version(package):
    from importlib.metadata import version

    return version(package)
