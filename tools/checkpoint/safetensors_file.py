"""Writes safetensors files, single or in shards: nothing is held but the pieces being written. The
pieces of a large file are made on all cores.
"""

import dataclasses
import json
import math
import multiprocessing
import os

ITEM_BYTES = {"F32": 4, "I32": 4, "F16": 2, "BF16": 2}


WORTH_PROCESSES = 1 << 28  # bytes of a file


@dataclasses.dataclass(frozen=True)
class Piece:
    """Bytes of a tensor; `make` gives the array that they are."""

    size_bytes: int
    make: object


@dataclasses.dataclass(frozen=True)
class Entry:
    """One tensor of a file, in pieces that follow one another and can be made in any order."""

    name: str
    dtype: str
    shape: tuple
    pieces: list

    @property
    def size_bytes(self):
        return math.prod(self.shape) * ITEM_BYTES[self.dtype]


def whole(name, dtype, shape, make):
    """A tensor that is made in one piece."""
    return Entry(name, dtype, shape, [Piece(math.prod(shape) * ITEM_BYTES[dtype], make)])


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


def _jobs(entries, offset):
    """(where in the file, name, piece) of every piece."""
    for entry in entries:
        end = offset + entry.size_bytes
        for piece in entry.pieces:
            yield offset, entry.name, piece
            offset += piece.size_bytes
        if offset != end:
            raise AssertionError(f"{entry.name}: expected {entry.size_bytes} bytes in its pieces")


_inherited = []  # jobs of the processes that are forked: functions cannot be sent to them


def _write_piece(path, job):
    offset, name, piece = job
    left = memoryview(piece.make()).cast("B")
    if left.nbytes != piece.size_bytes:
        raise AssertionError(f"{name}: expected {piece.size_bytes} bytes, got {left.nbytes}")
    with open(path, "r+b", buffering=0) as file:
        file.seek(offset)
        while left:
            left = left[file.write(left) :]
    return piece.size_bytes


def _write_inherited(path_and_number):
    return _write_piece(path_and_number[0], _inherited[path_and_number[1]])


def _write_one(path, entries, progress):
    # Wide types first, then by name, as the safetensors library does: every tensor is aligned.
    entries = sorted(entries, key=lambda e: (-ITEM_BYTES[e.dtype], e.name))
    header = _header(entries)
    with open(path, "wb") as file:
        file.write(len(header).to_bytes(8, "little"))
        file.write(header)
        start = file.tell()
    jobs = list(_jobs(entries, start))
    if sum(e.size_bytes for e in entries) < WORTH_PROCESSES:
        for job in jobs:
            progress(_write_piece(path, job))
        return
    _inherited[:] = jobs
    processes = len(os.sched_getaffinity(0))
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        numbers = [(path, number) for number in range(len(jobs))]
        for size in pool.imap_unordered(_write_inherited, numbers, chunksize=4):
            progress(size)
    _inherited.clear()


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
