"""Records the values of tests/golden/parity from transformers, or with --check compares them with
fresh ones.
"""

import argparse
import json
import os
import sys

from tools.reference.cases import CASES

FOLDER = os.path.join("tests", "golden", "parity")
# Another CPU adds in another order: AVX2 and AVX-512 were 1.4e-5 apart at most.
LOGIT_TOLERANCE = 2e-4
# A loss is a statistic of roundings; other vector units round other intermediate sums.
LOSS_TOLERANCE = {"mean": 0.15, "p99": 0.25, "max": 0.5}


def path(case):
    return os.path.join(FOLDER, case.name + ".json")


def write(file_name, values):
    """One line for each prompt and row: compact, and a change shows where it is."""
    text = json.dumps(values, separators=(",", ":"))
    for key in ('"prompts":', '{"position":', '{"tokens":', '"bf16_loss":', '"ids":', '"greedy":'):
        text = text.replace(key, "\n" + key)
    with open(file_name, "w", encoding="utf-8") as file:
        file.write(text + "\n")


def _far(name, old, new, out):
    worst = max(abs(a - b) for a, b in zip(old, new))
    if worst > LOGIT_TOLERANCE:
        out.append(f"{name}: expected within {LOGIT_TOLERANCE}, got {worst:.3g} apart")


def _rows(name, old, new, out):
    for a, b in zip(old["rows"], new["rows"]):
        at = f"{name} position {a['position']}"
        if a["position"] != b["position"]:
            out.append(f"{at}: expected the same position, got {b['position']}")
        _far(f"{at} log_sum_exp", [a["log_sum_exp"]], [b["log_sum_exp"]], out)
        _far(f"{at} logits", a["logits"], b["logits"], out)
        _far(
            f"{at} top_logits", a["top_logits"], b["top_logits"], out
        )  # sorted: near equals may change places


def _greedy(name, old, new, out):
    for step, (a, b) in enumerate(zip(old["greedy"], new["greedy"])):
        if a == b:
            continue
        if old["margins"][step] > 2 * LOGIT_TOLERANCE:
            out.append(
                f"{name} greedy step {step}: expected {a}, got {b} at margin {old['margins'][step]}"
            )
        return  # from here on the two read different tokens


def compare(name, old, new):
    """What differs more than rounding explains, in words."""
    out = []
    for key in ("checkpoint", "checkpoint_sha256", "vocabulary", "window", "ids"):
        if old[key] != new[key]:
            out.append(f"{name} {key}: expected {old[key]}, got {new[key]}")
    for key, share in LOSS_TOLERANCE.items():
        if abs(old["bf16_loss"][key] - new["bf16_loss"][key]) > share * old["bf16_loss"][key]:
            out.append(
                f"{name} bf16_loss {key}: expected {old['bf16_loss'][key]}, "
                f"got {new['bf16_loss'][key]}"
            )
    if [p["tokens"] for p in old["prompts"]] != [p["tokens"] for p in new["prompts"]]:
        return out + [f"{name}: expected the recorded prompts, got others"]
    for a, b in zip(old["prompts"], new["prompts"]):
        _rows(f"{name} prompt of {len(a['tokens'])}", a, b, out)
        _greedy(f"{name} prompt of {len(a['tokens'])}", a, b, out)
    return out


def main():
    p = argparse.ArgumentParser(prog="scripts/golden", description=__doc__)
    p.add_argument("--check", action="store_true", help="compare instead of writing")
    p.add_argument(
        "names", nargs="*", help="cases; default: all of " + " ".join(case.name for case in CASES)
    )
    a = p.parse_args()
    unknown = set(a.names) - {case.name for case in CASES}
    if unknown:
        p.error(f"names: expected some of {[case.name for case in CASES]}, got {sorted(unknown)}")
    from tools.reference.record import record  # torch takes seconds to import: not for --help
    from transformers.utils import logging

    logging.disable_progress_bar()

    wrong = []
    for case in CASES:
        if a.names and case.name not in a.names:
            continue
        values = record(case)
        mean, worst = values["bf16_loss"]["mean"], values["bf16_loss"]["max"]
        print(f"{case.name}: bf16 loses {mean:.4f} on average, {worst:.3f} at most", flush=True)
        if not a.check:
            os.makedirs(FOLDER, exist_ok=True)
            write(path(case), values)
            continue
        with open(path(case), encoding="utf-8") as file:
            wrong += compare(case.name, json.load(file), values)
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
