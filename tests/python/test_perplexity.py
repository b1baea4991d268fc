"""g4-bench perplexity with the bundled model: it says what the served API says of the same tokens."""
import contextlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, os.environ["G4_SOURCE_DIR"])
from tools import logprobs as tool  # noqa: E402

PROGRAMS = Path(os.environ["G4_BINARY_DIR"]) / "bin"
NANO = Path(os.environ["G4_SOURCE_DIR"]) / "models/gemma4/nano/autoround"
TEXTS = ["What is 17 + 25? 42.\nSort these numbers: 31, 4, 15, 92\n4, 15, 31, 92\n" * 4,
         "Größe und Maß – straße, naïve, 日本語 \N{SLIGHTLY SMILING FACE} <bos>"]


def bench(*arguments):
    return subprocess.run([PROGRAMS / "g4-bench", "perplexity", *map(str, arguments)], capture_output=True, text=True,
                          timeout=300)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """What g4-bench prints of both texts, its figures, and its log-probabilities."""
    folder = tmp_path_factory.mktemp("texts")
    files = [folder / "first.txt", folder / "second.txt"]
    for file, text in zip(files, TEXTS):
        file.write_text(text, encoding="utf-8")
    ran = bench(NANO, "--text", files[0], "--text", files[1], "--context", 48, "--stride", 20, "--device", "cpu",
                "--json", folder / "figures.json", "--logprobs", folder / "logprobs.json")
    assert ran.returncode == 0, ran.stderr
    return ran.stdout, *(json.loads((folder / name).read_text()) for name in ("figures.json", "logprobs.json"))


@contextlib.contextmanager
def g4_serve(log):
    with log.open("w") as to:
        process = subprocess.Popen([PROGRAMS / "g4-serve", NANO, "--device", "cpu", "--port", "0",
                                    "--served-model-name", "nano"], stderr=to)
    try:
        until = time.monotonic() + 60
        while not (ready := re.search(r"ready after \d+ ms on (http://\S+)", log.read_text())):
            assert process.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.01)
        yield ready[1].replace("0.0.0.0", "127.0.0.1")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def test_every_token_is_scored_as_the_served_api_scores_it(measured, tmp_path):
    """Chunks and companions differ. Where a sum is then taken in another order, a value that tips over to the next bf16
    moves logits by hundredths, and few do; a token that is a place off is whole nats away."""
    with g4_serve(tmp_path / "g4-serve.log") as url:
        for text in measured[2]["texts"]:
            differences = []
            for begin, scored, end in text["windows"]:
                prompt = [measured[2]["begin_token"], *text["tokens"][begin:end]]
                answer = httpx.post(url + "/v1/completions", timeout=60, json={
                    "model": "nano", "prompt": prompt, "max_tokens": 0, "echo": True, "logprobs": 1})
                assert answer.status_code == 200, answer.text
                served = answer.json()["choices"][0]["logprobs"]["token_logprobs"]
                assert len(served) == len(prompt) and served[0] is None
                differences += [abs(a - b) for a, b in
                                zip(served[1 + scored - begin:], text["logprobs"][scored:end], strict=True)]
            assert len(differences) == len(text["tokens"])
            assert sum(differences) / len(differences) < 1e-3 and max(differences) < 0.05


def test_figures_follow_from_the_log_probabilities(measured):
    table, figures, logprobs = measured
    for row, text, content in zip(figures["texts"], logprobs["texts"], TEXTS, strict=True):
        mean = -sum(text["logprobs"]) / len(text["logprobs"])
        assert row["bytes"] == len(content.encode()) and row["tokens"] == len(text["tokens"])
        assert row["mean_nll"] == pytest.approx(mean, rel=1e-6)
        assert row["perplexity"] == pytest.approx(math.exp(mean), rel=1e-5)
        assert row["bits_per_byte"] == pytest.approx(mean * row["tokens"] / math.log(2) / row["bytes"], rel=1e-6)
        assert f"| {Path(row['text']).name} | {row['bytes']} | {row['tokens']} | {row['windows']} |" in table


def test_the_python_tools_follow_the_same_protocol(measured):
    _, figures, logprobs = measured
    for row, text in zip(figures["texts"], logprobs["texts"], strict=True):
        assert tool.windows_of(len(text["tokens"]), 48, 20) == text["windows"]
        mean, error, perplexity, bits = tool.figures(text)
        expected = (row["mean_nll"], row["standard_error"], row["perplexity"], row["bits_per_byte"])
        assert (mean, error, perplexity, bits) == pytest.approx(expected, rel=1e-5)


def test_files_are_compared_token_by_token(measured):
    first = measured[2]
    moved = json.loads(json.dumps(first))
    moved["texts"][0]["logprobs"][3] -= 0.5
    count = len(first["texts"][0]["logprobs"])
    mean, most, nll, error = tool.differences(first["texts"][0], moved["texts"][0])
    assert (mean, most, nll) == pytest.approx((0.5 / count, 0.5, 0.5 / count))
    assert error == pytest.approx(0.5 / count, rel=1e-6)  # one of n moved by x: x / n, as the mean
    assert f"| first.txt | {0.5 / count:.5f} | 0.5000 |" in tool.comparison(first, moved, ("a", "b"))
    moved["texts"][1]["tokens"][0] += 1
    with pytest.raises(SystemExit, match="b: second.txt: expected the tokens of a, got others"):
        tool.comparison(first, moved, ("a", "b"))


def test_what_is_no_text_is_refused_before_the_model_is_loaded(tmp_path):
    (tmp_path / "latin1.txt").write_bytes("Größe".encode("latin-1"))
    ran = bench(NANO, "--text", tmp_path / "latin1.txt")
    assert ran.returncode == 2 and ran.stdout == ""
    assert ran.stderr == (f"g4-bench: {tmp_path}/latin1.txt: expected UTF-8, got byte 246 at offset 2 that begins no "
                          "character\n")


def test_help_tells_the_protocol():
    told = bench("--help")
    assert told.returncode == 0 and "every token of the text is scored exactly once" in told.stdout
