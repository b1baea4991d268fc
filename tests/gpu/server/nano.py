#!/usr/bin/env python3
"""Nano's scores through g4-serve on a GPU, in three forms, against those that its README records.

    tests/gpu/server/nano.py [--program build/release/bin/g4-serve] [--count 100] [FORM=FOLDER ...]

Forms are bf16, autoround and gptq; without arguments the two that are in the repository are scored.
The forms are served at the same time. What is compared is the mean over the tasks, within a point.
"""

import argparse
import concurrent.futures
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from served import ROOT, served, skipping

README = ROOT / "models/gemma4/nano/README.md"
COLUMNS = {"bf16": 3, "autoround": 4, "gptq": 2}  # transformers' where it scored the form
WITHOUT = ("handwritten", "unseen")  # not in the mean
POINTS = 1.0


def recorded(form):
    """(task -> score, mean) of a form."""
    rows = {}
    for line in README.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and re.fullmatch(r"[\d.]+", cells[1]):
            rows[re.split(r"[,:]", cells[0])[0].strip()] = float(cells[1 + COLUMNS[form]])
    return rows, rows.pop("mean of the 23 tasks")


def scored(program, device, form, folder, count):
    flags = ("--device", device, "--gpu-memory-utilization", 0.1, "--max-model-len", 4096,
             "--disable-uvicorn-access-log")
    with served(program, folder, *flags) as server, tempfile.NamedTemporaryFile("r") as scores:
        began = time.monotonic()
        command = [sys.executable, ROOT / "tools/nano/eval", "--url", server.url + "/v1", "--count",
                   str(count), "--json", scores.name]
        asked = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if asked.returncode != 0:
            return [f"{form}: {asked.stderr[-1000:]}"], f"{form}: not scored"
        rows = json.load(scores)
        seconds = time.monotonic() - began
        wrong = [] if server.stop() == 0 else [f"{form}: the server did not end with 0"]
    rights, mean = recorded(form)
    got = [row["exact"] for row in rows if row["task"] not in WITHOUT]
    away = [
        f"{row['task']} {row['exact']} ({rights.get(row['task'], '?')})"
        for row in rows
        if abs(row["exact"] - rights.get(row["task"], -100)) > POINTS
    ]
    ours = sum(got) / len(got)
    if abs(ours - mean) > POINTS:
        wrong.append(f"{form}: expected a mean of {mean}, within {POINTS}, got {ours:.2f}")
    return wrong, (
        f"{form}: mean of {len(got)} tasks {ours:.2f}, recorded {mean}; {seconds:.1f} s; tasks more "
        f"than a point away: {', '.join(away) or 'none'}"
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--program", default=ROOT / "build/release/bin/g4-serve")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--count", type=int, default=100, help="held-out questions of a task")
    parser.add_argument("forms", nargs="*", metavar="FORM=FOLDER")
    chosen = parser.parse_args()
    forms = [one.partition("=")[::2] for one in chosen.forms]
    if not forms:
        forms = [(name, README.parent / name) for name in ("bf16", "autoround")]
    with concurrent.futures.ThreadPoolExecutor(len(forms)) as pool:
        found = list(
            pool.map(
                lambda one: scored(
                    chosen.program, chosen.device, one[0], pathlib.Path(one[1]), chosen.count
                ),
                forms,
            )
        )
    wrong = [each for one, _ in found for each in one]
    for line in [text for _, text in found] + ["wrong: " + each for each in wrong]:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(skipping(main))
