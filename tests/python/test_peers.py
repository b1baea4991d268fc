"""bench/peers/compare_cpu with stand-ins for both programs: what it runs, in which order, and what it makes of it."""
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

SOURCE = Path(os.environ["G4_SOURCE_DIR"])

# Rates grow from call to call, so that a table shows which calls it holds. 60 MB at 100, 200, 300 tokens a second.
G4 = """#!{python}
import json, os, sys
name, log = os.path.basename(sys.argv[2]), "{folder}/calls"
open(log, "a").write(" ".join([name, sys.argv[1], *sys.argv[3:-1]]) + "\\n")
calls = sum(line.startswith(name) for line in open(log))
json.dump({{"read_limit_bytes_per_second": 30e9,
           "prefill": [{{"length": n, "tokens_per_second": 1000 * calls}} for n in (8, 16)],
           "decode": [{{"context": c, "tokens_per_second": 100 * calls, "bytes_per_step": 60e6 + 1e3 * c}}
                      for c in (1, 1001)]}}, open(sys.argv[-1], "w"))
"""
LLAMA = """#!{python}
import json, os, sys
open("{folder}/calls", "a").write("llama " + " ".join(sys.argv[2:-1]) + "\\n")
json.dump({{"model": "Q4", "llama-cpp-python": "9.9", "built_with": ["AVX2"], "weight_bytes": 20e6,
           "prefill": [{{"length": n, "tokens_per_second": 500}} for n in (8, 16)],
           "decode": [{{"context": c, "tokens_per_second": 150}} for c in (1, 1001)]}}, open(sys.argv[-1], "w"))
"""


def test_rounds_alternate_and_shares_are_of_the_read_limit(tmp_path):
    for name, text in (("g4-bench", G4), ("llama", LLAMA)):
        (tmp_path / name).write_text(text.format(python=sys.executable, folder=tmp_path))
        (tmp_path / name).chmod(stat.S_IRWXU)
    ran = subprocess.run(
        [SOURCE / "bench/peers/compare_cpu", "--g4", "bf16=/models/plain", "--g4-int8", "int4=/models/packed",
         "--gguf", "file.gguf", "--llama", tmp_path / "llama", "--g4-bench", tmp_path / "g4-bench", "--rounds", "3",
         "--prompts", "8,16", "--contexts", "1,1001"], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    calls = [line.split() for line in (tmp_path / "calls").read_text().splitlines()]
    assert [c[0] for c in calls] == ["plain", "packed", "llama", "llama", "packed", "plain", "plain", "packed", "llama"]
    assert all(c[c.index("--threads") + 1] == "2" for c in calls)
    assert {c[c.index("--activations") + 1] for c in calls if c[0] == "packed"} == {"int8"}
    rows = {c[1].strip(): [x.strip() for x in c[2:-1]] for line in ran.stdout.splitlines()
            if len(c := re.split(r"\|", line)) > 5}
    # 200 (100 to 300) tokens a second of 60 MB are 40 (20 to 60) % of 30 GB/s
    assert rows["g4 bf16"][0] == "2000.0 (1000.0 to 3000.0)"
    assert rows["g4 bf16"][2:5] == ["200.0 (100.0 to 300.0)", "60.0", "40.0 (20.0 to 60.0)"]
    # at depth llama.cpp reads as much more as g4's plan says: 20 MB and 1 MB; 150 of them are 10.5 % of 30 GB/s
    assert rows["llama.cpp Q4"][5:8] == ["150.0 (150.0 to 150.0)", "21.0", "10.5 (10.5 to 10.5)"]
    assert "llama-cpp-python 9.9 (AVX2)" in ran.stdout


def test_a_run_that_fails_is_told_with_its_words(tmp_path):
    (tmp_path / "g4-bench").write_text("#!/bin/sh\necho 'no such model' >&2\nexit 2\n")
    (tmp_path / "g4-bench").chmod(stat.S_IRWXU)
    ran = subprocess.run(
        [SOURCE / "bench/peers/compare_cpu", "--g4", "a=/b", "--gguf", "c", "--llama", "d", "--g4-bench",
         tmp_path / "g4-bench"], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 1
    assert "expected success, got 2:\nno such model" in ran.stderr
