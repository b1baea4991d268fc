"""What a declared model costs the host compiler: its time over that of the headers it includes.

    compile_time.py [--limit SECONDS] COMPILER [OPTION...]

Prints the user time of the headers, of the model, and their difference, each the least of several
runs; the repository's include directories are added. Exits with 1 when the difference passes the
limit: a model must stay cheap enough to edit.
"""
import argparse
import pathlib
import resource
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = "models/gemma4/model.hpp"
RUNS = 3


def includes_from_outside(path, seen):
    """The headers that the model's own files include and that do not belong to the model."""
    found = []
    for line in (ROOT / path).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#include"):
            continue
        name = line.split(maxsplit=1)[1]
        inner = name.strip('"<>')
        if not inner.startswith("models/"):
            found.append(name)
        elif inner not in seen:
            seen.add(inner)
            found += includes_from_outside(inner, seen)
    return found


def seconds(command, source):
    """User time of one compilation of `source`, the least of RUNS."""
    with tempfile.NamedTemporaryFile("w", suffix=".cpp") as file:
        file.write(source)
        file.flush()
        times = []
        for _ in range(RUNS):
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            subprocess.run([*command, file.name], check=True)
            times.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
    return min(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=float, default=1.0)
    parser.add_argument("compiler", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    command = [*(arguments.compiler or ["c++"]), "-std=c++20", "-fsyntax-only",
               f"-I{ROOT}/include", f"-I{ROOT}"]

    headers = dict.fromkeys(includes_from_outside(MODEL, set()))
    base = seconds(command, "".join(f"#include {name}\n" for name in headers))
    whole = seconds(command, f'#include "{MODEL}"\n')
    print(f"headers {base:.2f} s, with {MODEL} {whole:.2f} s: "
          f"the model costs {whole - base:.2f} s (limit {arguments.limit:.2f} s)")
    if whole - base > arguments.limit:
        sys.exit(1)


if __name__ == "__main__":
    main()
