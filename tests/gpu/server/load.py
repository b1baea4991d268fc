#!/usr/bin/env python3
"""Streams that come and go for minutes: every answer is what it is alone, and nothing is left over.

    tests/gpu/server/load.py [--program build/release/bin/g4-serve] [--seconds 120] [--streams 64]

A tenth of the requests is left in the middle. The others are greedy; a token may differ from what
the model says alone only where its first two candidates lie closer than rounding moves them.
Afterwards nothing runs, the key-value cache is empty, the device's memory is what it was.
"""

import argparse
import contextlib
import http.client
import json
import multiprocessing
import random
import sys
import threading
import time

from served import ROOT, device_memory, served, skipping

# Log-probabilities of nano are at most 0.25 away from f32 when every operator rounds to bf16
# (tests/golden/parity); two ways of computing differ by as much in each of the two candidates.
MARGIN = 0.5
DIFFERENT = 24  # requests
QUESTIONS = (
    "What is {a} + {b}?",
    "sort these numbers: {a}, {b}, {c}, 17, 5",
    "who are you and what can you do?",
    "What is {a} times 7?",
    "Copy this: blue {a} river {b} stone {c}",
)


def body_of(number):
    """Request `number`: short answers that end by themselves, and long ones that do not."""
    rolled = random.Random(number)
    a, b, c = (rolled.randrange(1, 999) for _ in range(3))
    text = QUESTIONS[number % len(QUESTIONS)].format(a=a, b=b, c=c)
    prompt = f"<|turn>user\n{text}<turn|>\n<|turn>model\n"
    if number % 3 == 0:  # longer than a window, and not aligned with anything
        prompt = "".join(f"The number {rolled.randrange(999)} is red. " for _ in range(40)) + prompt
    long = number % 4 != 1
    return {
        "prompt": prompt,
        "temperature": 0,
        "max_tokens": rolled.randrange(150, 700) if long else 64,
        "ignore_eos": long,
        "return_token_ids": True,
    }


def alone(server, number):
    """(tokens, by how much each was ahead of the second)."""
    choice = server.post("/v1/completions", body_of(number) | {"logprobs": 2})["choices"][0]
    margins = []
    for top in choice["logprobs"]["top_logprobs"]:
        best = sorted(top.values(), reverse=True)
        margins.append(best[0] - best[1] if len(best) > 1 else 0.0)  # equal texts: nothing to tell
    return choice["token_ids"], margins


class Stream:
    """One client that asks, reads, sometimes leaves, and asks again."""

    def __init__(self, port, seed, until, expected):
        self.port, self.until, self.expected = port, until, expected
        self.random = random.Random(seed)
        self.counts = {"whole": 0, "streamed": 0, "left": 0, "tokens": 0, "differ": 0}
        self.wrong, self.widest = [], 0.0
        self.connection = None

    def run(self):
        try:
            while time.monotonic() < self.until:
                self.one()
        except Exception as error:
            self.wrong.append(f"a request failed: {type(error).__name__}: {error}")

    def one(self):
        number = self.random.randrange(DIFFERENT)
        leaves = self.random.random() < 0.1
        streamed = leaves or self.random.random() < 0.5
        body = body_of(number) | {"stream": streamed}
        if self.random.random() < 0.25:
            body["logprobs"] = 2
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        with contextlib.closing(connection):
            connection.request("POST", "/v1/completions", json.dumps(body))
            answer = connection.getresponse()
            if answer.status != 200:
                raise RuntimeError(f"{answer.status}: {answer.read()[:300]}")
            if not streamed:
                return self.check(number, json.load(answer)["choices"][0]["token_ids"], "whole")
            self.read(number, answer, self.random.randrange(1, 60) if leaves else None)

    def read(self, number, answer, leave_after):
        tokens, done = [], False
        for count, line in enumerate(answer):
            if leave_after is not None and count >= leave_after:
                self.counts["left"] += 1
                return
            if line.startswith(b"data: {"):
                event = json.loads(line[6:])
                if "error" in event:
                    raise RuntimeError(str(event))
                tokens += event["choices"][0]["token_ids"]
            done = done or line.startswith(b"data: [DONE]")
        if not done:
            raise RuntimeError("expected a stream that ends with [DONE]")
        self.check(number, tokens, "streamed")

    def check(self, number, tokens, kind):
        want, margins = self.expected[number]
        self.counts[kind] += 1
        self.counts["tokens"] += len(tokens)
        for at, (got, right) in enumerate(zip(tokens, want)):
            if got == right:
                continue
            self.counts["differ"] += 1
            self.widest = max(self.widest, margins[at])
            if margins[at] >= MARGIN:
                self.wrong.append(
                    f"request {number}, token {at}: expected {right}, got {got} at a margin of "
                    f"{margins[at]:.3f}"
                )
            return  # behind it the two read different tokens
        if len(tokens) != len(want):
            self.wrong.append(f"request {number}: expected {len(want)} tokens, got {len(tokens)}")


def process(port, first, count, seconds, expected, out):
    """Some of the streams: Python runs one thread at a time."""
    until = time.monotonic() + seconds
    streams = [Stream(port, first + i, until, expected) for i in range(count)]
    threads = [threading.Thread(target=stream.run) for stream in streams]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    out.put([(s.counts, s.wrong, s.widest) for s in streams])


def under_load(server, chosen, expected):
    out, width = multiprocessing.Queue(), 8
    processes = [
        multiprocessing.Process(
            target=process,
            args=(server.port, first, min(width, chosen.streams - first), chosen.seconds, expected,
                  out),
        )
        for first in range(0, chosen.streams, width)
    ]
    for one in processes:
        one.start()
    running, until = [], time.monotonic() + chosen.seconds
    while time.monotonic() < until:
        time.sleep(min(0.5, max(0.0, until - time.monotonic())))
        running.append(server.metric("vllm:num_requests_running"))
    results = [each for _ in processes for each in out.get(timeout=180)]
    for one in processes:
        one.join()
    return results, sum(running[:-1]) / max(1, len(running) - 1)


def left_over(server, memory, patience):
    """What is still held when nobody asks any more; others may leave the device a little later."""
    names = ("vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc")
    for _ in range(100):
        held = {name: server.metric(name) for name in names}
        if not any(held.values()):
            break
        time.sleep(0.05)
    found = [f"{name}: expected 0, got {value}" for name, value in held.items() if value]
    until = time.monotonic() + patience
    while (now := device_memory()) != memory and time.monotonic() < until:
        time.sleep(1)
    if now != memory:
        found.append(f"device memory: expected {memory} bytes as before, got {now}")
    return found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--program", default=ROOT / "build/release/bin/g4-serve")
    parser.add_argument("--model", default=ROOT / "models/gemma4/nano/bf16")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument(
        "--patience",
        type=float,
        default=5,
        help="seconds until the device's memory must be what it was, when others use it too",
    )
    chosen = parser.parse_args()
    flags = ("--device", chosen.device, "--max-model-len", 2048, "--max-num-seqs", chosen.streams,
             "--gpu-memory-utilization", 0.05, "--disable-uvicorn-access-log")
    with served(chosen.program, chosen.model, *flags) as server:
        expected = [alone(server, number) for number in range(DIFFERENT)]
        under_load(server, argparse.Namespace(streams=chosen.streams, seconds=2), expected)
        memory, resident = device_memory(), server.metric("process_resident_memory_bytes")
        print(f"load: {DIFFERENT} requests asked alone, device memory {memory}", flush=True)
        results, running = under_load(server, chosen, expected)
        wrong = [each for _, found, _ in results for each in found]
        wrong += left_over(server, memory, chosen.patience)
        again = alone(server, 0)
        if again != expected[0]:
            wrong.append("request 0, alone again: expected the same tokens and margins")
        grown = server.metric("process_resident_memory_bytes") / resident
        if server.stop() != 0:
            wrong.append(f"expected the server to end with 0, got {server.process.returncode}")
    total = {key: sum(counts[key] for counts, _, _ in results) for key in results[0][0]}
    widest = max(widest for _, _, widest in results)
    print(
        f"load: {chosen.streams} streams, {chosen.seconds:.0f} s, {running:.0f} at once on average:",
        f"{total['whole']} whole, {total['streamed']} streamed, {total['left']} left midway;",
        f"{total['tokens'] / chosen.seconds:.0f} tokens/s read; {total['differ']} differ, at margins",
        f"of at most {widest:.3f}; device memory {memory}; resident memory times {grown:.3f}",
    )
    for line in wrong[:10]:
        print("wrong:", line)
    print(f"load: {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(skipping(main))
