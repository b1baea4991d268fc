"""A device that is lost: who waits is told so in words, and the process ends with 1, never a hang.

The driver is tests/support/null_driver.cpp, whose launches fail from a chosen one on: it needs no GPU, only NVRTC.
"""
import contextlib
import json
import os
import re
import subprocess
import threading
import time
from pathlib import Path

import httpx
import pytest

BUILT = Path(os.environ["G4_BINARY_DIR"])
NANO = Path(os.environ["G4_SOURCE_DIR"]) / "models/gemma4/nano/bf16"
WORDS = "engine: the executor failed and takes no more requests: cuda: a step failed: "
FAILURE = "expected success, got CUDA_ERROR_LAUNCH_FAILED (719): unspecified launch failure"


class Server:
    def __init__(self, process, url, log):
        self.process, self.url, self.log = process, url, log

    def ended_by_itself(self):
        """The lines of its log; what it ends with is 1, and the last line says why."""
        assert self.process.wait(timeout=30) == 1
        lines = self.log.read_text().splitlines()
        assert lines[-1].startswith(f"g4-serve: {WORDS}") and lines[-1].endswith(FAILURE), lines[-1]
        return lines


def command(launches):
    """How the server is started whose device is lost behind so many launches; a decode step is one, a prefill many."""
    flags = ["--device", "cuda", "--port", "0", "--host", "127.0.0.1", "--max-num-seqs", "4", "--max-model-len", "4096",
             "--max-num-batched-tokens", "256", "--kernel-cache", BUILT / "kernels"]
    environment = os.environ | {"LD_LIBRARY_PATH": str(BUILT / "null-driver"), "G4_NULL_DRIVER_LAUNCHES": str(launches)}
    return {"args": [BUILT / "bin/g4-serve", NANO, *flags], "env": environment}


def skip_without_compiler(log):
    if "nvrtc" in log.lower().splitlines()[-1]:
        pytest.skip("SKIPPED: no NVRTC")


@contextlib.contextmanager
def losing(tmp_path, launches):
    log = tmp_path / "g4-serve.log"
    with log.open("w") as to:
        process = subprocess.Popen(**command(launches), stderr=to)
    try:
        until = time.monotonic() + 600  # the first of these compiles all kernels
        while not (ready := re.search(r"ready after \d+ ms on (http://\S+)", log.read_text())):
            if process.poll() is not None:
                skip_without_compiler(log.read_text())
            assert process.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.02)
        yield Server(process, ready[1], log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def body(**more):
    return {"prompt": "The", "max_tokens": 4000, "temperature": 0, "ignore_eos": True, "skip_special_tokens": False} | more


@pytest.mark.parametrize("launches", ["1500", "late:1500"])
def test_who_waits_gets_500_and_the_process_ends(tmp_path, launches):
    with losing(tmp_path, launches) as server:
        answer = httpx.post(server.url + "/v1/completions", json=body(), timeout=30)
        assert answer.status_code == 500
        message = answer.json()["error"]["message"]
        assert message.startswith(WORDS) and message.endswith(FAILURE)
        server.ended_by_itself()


@pytest.mark.parametrize("launches", ["1500", "late:1500"])
def test_a_stream_ends_with_an_error(tmp_path, launches):
    with losing(tmp_path, launches) as server:
        with httpx.stream("POST", server.url + "/v1/completions", json=body(stream=True), timeout=30) as answer:
            events = [line[6:] for line in answer.iter_lines() if line]
        assert answer.status_code == 200
        assert len(events) > 10 and events[-1] == "[DONE]"
        error = json.loads(events[-2])["error"]
        assert error["type"] == "server_error" and error["message"].startswith(WORDS)
        server.ended_by_itself()


def test_everyone_is_told(tmp_path):
    """Twelve clients on four slots ask until it fails: each has its answer, a 500, or finds the server gone."""
    seen = []

    def ask(url):
        with contextlib.suppress(httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError):
            while True:
                answer = httpx.post(url + "/v1/completions", json=body(max_tokens=50), timeout=30)
                seen.append(answer.status_code)
                if answer.status_code != 200:
                    return

    with losing(tmp_path, 20_000) as server:
        clients = [threading.Thread(target=ask, args=(server.url,)) for _ in range(12)]
        for client in clients:
            client.start()
        for client in clients:
            client.join(timeout=60)
            assert not client.is_alive()
        assert set(seen) <= {200, 500, 503} and 500 in seen
        lines = server.ended_by_itself()
        assert sum(" error " in line and "engine: stopped" in line for line in lines) == 1


@pytest.mark.parametrize("launches", ["1", "late:1"])
def test_a_device_that_is_lost_at_the_start_ends_it(launches):
    ended = subprocess.run(**command(launches), capture_output=True, text=True, timeout=600)
    skip_without_compiler(ended.stderr)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].endswith(FAILURE)
