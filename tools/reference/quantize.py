"""Records tests/golden/quantize from auto-round: what plain rounding makes of random checkpoints.

    scripts/golden [--check]                           # or, with the reference's python:
    python -m tools.reference.quantize [--check] [--program build/release/bin/g4-quantize] [CASE...]

Each case is quantised by auto-round itself with iters=0 and disable_opt_rtn=True, which it calls plain
RTN; SHA-256 of qweight, scales, qzeros (and g_idx) of every linear are kept. With --check the values
are made anew and compared, and so is what g4-quantize writes, when it is built: byte for byte with
auto-round's files, and unpacked by auto-round's own QuantLinear.
"""

import argparse
import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

from tools.checkpoint.__main__ import main as make_checkpoint

FOLDER = os.path.join("tests", "golden", "quantize")
PARTS = ("qweight", "scales", "qzeros", "g_idx")


@dataclasses.dataclass(frozen=True)
class Case:
    """A checkpoint, and the way in which it is quantised."""

    name: str
    checkpoint: str  # arguments of tools.checkpoint after the folder
    layout: str  # as g4-quantize's --format
    group: int


CASES = (
    Case("odd-b-auto-round-32", "--preset odd-b --seed 3 --dead-kv --towers", "auto-round", 32),
    Case("odd-c-auto-round-128", "--preset odd-c --seed 4 --shards 3", "auto-round", 128),
    Case("odd-a-f16-auto-round-32", "--preset odd-a --seed 8 --form f16", "auto-round", 32),
    Case("odd-d-f32-auto-round-32", "--preset odd-d --seed 5 --form f32", "auto-round", 32),
    Case("odd-f-gptq-32", "--preset odd-f --seed 7 --shards 2", "gptq", 32),
    Case("odd-c-gptq-128", "--preset odd-c --seed 4", "gptq", 128),
    Case("gemma3-b-auto-round-32", "--preset gemma3-b --seed 10", "auto-round", 32),
)


def tensors(folder):
    """name -> array of all safetensors files below a folder; bf16 as its bits."""
    from tools.reference.model import tensors as read

    import torch

    held = {}
    for path, _, _ in os.walk(folder):
        held.update(read(path))
    return {
        name: tensor.contiguous().view(torch.int16).numpy()
        if tensor.dtype in (torch.bfloat16, torch.float16)
        else tensor.numpy()
        for name, tensor in held.items()
    }


def auto_round(case, source, out):
    """auto-round's own two ways to plain RTN: file to file, or for its gptq export through a model."""
    from auto_round import AutoRound

    plain = {"scheme": "W4A16", "group_size": case.group, "iters": 0, "disable_opt_rtn": True}
    if case.layout == "auto-round":
        AutoRound(model=source, enable_torch_compile=False, **plain).quantize_and_save(
            out, format="auto_round"
        )
        return
    import torch
    from transformers import Gemma4ForConditionalGeneration, PreTrainedTokenizerFast

    AutoRound(
        model=Gemma4ForConditionalGeneration.from_pretrained(source, dtype=torch.bfloat16).eval(),
        tokenizer=PreTrainedTokenizerFast(tokenizer_file=os.path.join(source, "tokenizer.json")),
        disable_model_free=True,
        enable_torch_compile=False,
        **plain,
    ).quantize_and_save(out, format="auto_gptq")


def packed(held):
    """linear -> part -> array"""
    out = {}
    for name, values in held.items():
        base, _, part = name.rpartition(".")
        if part in PARTS and base + ".qweight" in held:
            out.setdefault(base, {})[part] = values
    return out


def digests(linears):
    return {
        base: {
            part: hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
            for part, values in sorted(parts.items())
        }
        for base, parts in sorted(linears.items())
    }


def unpacked_differs(base, parts, group):
    """Whether auto-round's QuantLinear reads other values than scale (nibble - 8)."""
    import torch
    from tools.reference.model import unpack

    as_tensors = {
        "qweight": torch.from_numpy(parts["qweight"].copy()),
        "qzeros": torch.from_numpy(parts["qzeros"].copy()),
        "scales": torch.from_numpy(parts["scales"].copy()).view(torch.float16),
    }
    read = unpack(as_tensors, {"bits": 4, "group_size": group}).numpy()
    words = parts["qweight"].view(np.uint32)
    nibbles = (words[:, None, :] >> (4 * np.arange(8, dtype=np.uint32))[None, :, None]) & 15
    levels = nibbles.reshape(-1, words.shape[1]).astype(np.float32) - 8
    scales = parts["scales"].view(np.float16).astype(np.float32).repeat(group, axis=0)
    return not np.array_equal(read, (levels * scales).T)


def check_program(program, case, source, recorded):
    """What g4-quantize does otherwise than auto-round, in words."""
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        flags = ["--format", case.layout, "--group", str(case.group)]
        subprocess.run([program, source, "-o", out, *flags], check=True, capture_output=True)
        linears = packed(tensors(out))
        for base, got in digests(linears).items():
            if recorded.get(base) != got:
                wrong.append(f"{case.name} {base}: expected auto-round's bytes, got others")
            if unpacked_differs(base, linears[base], case.group):
                wrong.append(f"{case.name} {base}: expected its values from QuantLinear, got others")
    print(f"{case.name}: {len(linears)} linears of g4-quantize compared", flush=True)
    return wrong


def record(case, source, out):
    from importlib.metadata import version

    from tools.reference.record import digest

    make_checkpoint([source, *case.checkpoint.split()])
    auto_round(case, source, out)
    return {
        "made_by": "scripts/golden",
        "versions": {name: version(name) for name in ("auto-round", "torch", "transformers")},
        "checkpoint": case.checkpoint.split(),
        "checkpoint_sha256": digest(source),
        "format": case.layout,
        "group": case.group,
        "linears": digests(packed(tensors(out))),
    }


def run(case, check, program):
    path = os.path.join(FOLDER, case.name + ".json")
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "model")
        fresh = record(case, source, os.path.join(folder, "auto-round"))
        print(f"{case.name}: {len(fresh['linears'])} linears of auto-round", flush=True)
        if not check:
            os.makedirs(FOLDER, exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                json.dump(fresh, file, indent=1)
                file.write("\n")
            return []
        with open(path, encoding="utf-8") as file:
            recorded = json.load(file)
        wrong = [
            f"{case.name} {key}: expected the recorded one, got another"
            for key in ("checkpoint_sha256", "linears")
            if recorded[key] != fresh[key]
        ]
        if os.path.exists(program):
            wrong += check_program(program, case, source, fresh["linears"])
        else:
            print(f"{case.name}: {program} is not built: its files are not compared")
        return wrong


def main():
    p = argparse.ArgumentParser(
        prog="tools.reference.quantize",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--check", action="store_true", help="compare instead of writing")
    p.add_argument("--program", default="build/release/bin/g4-quantize")
    p.add_argument("names", nargs="*", metavar="CASE", help=" ".join(case.name for case in CASES))
    a = p.parse_args()
    unknown = set(a.names) - {case.name for case in CASES}
    if unknown:
        p.error(f"expected some of {[case.name for case in CASES]}, got {sorted(unknown)}")
    wrong = []
    for case in CASES:
        if not a.names or case.name in a.names:
            wrong += run(case, a.check, a.program)
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
