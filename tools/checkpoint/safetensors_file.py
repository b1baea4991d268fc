"""Writes safetensors files, single or in shards, tensor by tensor: nothing is held but the piece
being written.
"""

import dataclasses
import json
import math
import os

ITEM_BYTES = {"F32": 4, "I32": 4, "F16": 2, "BF16": 2}


@dataclasses.dataclass(frozen=True)
class Entry:
    """One tensor of a file; `produce` gives its bytes as an iterable of arrays."""

    name: str
    dtype: str
    shape: tuple
    produce: object

    @property
    def size_bytes(self):
        return math.prod(self.shape) * ITEM_BYTES[self.dtype]


def _header(entries):
    table, offset = {"__metadata__": {"format": "pt"}}, 0
    for entry in entries:
        table[entry.name] = {
            "dtype": entry.dtype,
            "shape": list(entry.shape),
            "data_offsets": [offset, offset + entry.size_bytes],
        }
        offset += entry.size_bytes
    text = json.dumps(table, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8)


def _write_one(path, entries, progress):
    # Wide types first, then by name, as the safetensors library does: every tensor is aligned.
    entries = sorted(entries, key=lambda e: (-ITEM_BYTES[e.dtype], e.name))
    header = _header(entries)
    with open(path, "wb") as file:
        file.write(len(header).to_bytes(8, "little"))
        file.write(header)
        for entry in entries:
            written = 0
            for piece in entry.produce():
                file.write(memoryview(piece).cast("B"))
                written += piece.nbytes
                progress(piece.nbytes)
            if written != entry.size_bytes:
                raise AssertionError(
                    f"{entry.name}: expected {entry.size_bytes} bytes, got {written}"
                )


def _split(entries, shards):
    """Runs of consecutive tensors; each takes its share of what is left, and none is empty."""
    if shards > len(entries):
        raise SystemExit(
            f"--shards: expected at most {len(entries)} (one tensor each), got {shards}"
        )
    left_bytes, runs, run, run_bytes = sum(e.size_bytes for e in entries), [], [], 0
    for position, entry in enumerate(entries):
        run.append(entry)
        run_bytes += entry.size_bytes
        left, wanted = len(entries) - position - 1, shards - len(runs) - 1
        if wanted and (run_bytes * (wanted + 1) >= left_bytes or left == wanted):
            runs.append(run)
            left_bytes, run, run_bytes = left_bytes - run_bytes, [], 0
    return runs + [run]


def write(folder, entries, shards, progress):
    if shards == 1:
        _write_one(os.path.join(folder, "model.safetensors"), entries, progress)
        return
    where = {}
    for number, run in enumerate(_split(entries, shards), 1):
        name = f"model-{number:05d}-of-{shards:05d}.safetensors"
        _write_one(os.path.join(folder, name), run, progress)
        where.update({entry.name: name for entry in run})
    index = {"metadata": {"total_size": sum(e.size_bytes for e in entries)}, "weight_map": where}
    with open(os.path.join(folder, "model.safetensors.index.json"), "w", encoding="utf-8") as file:
        json.dump(index, file, indent=1, sort_keys=True)
