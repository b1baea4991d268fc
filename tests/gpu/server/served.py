"""Starts g4-serve for tests that drive it on a GPU; needs nothing but Python."""

import contextlib
import json
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[3]


class NoGpu(RuntimeError):
    """The server found no GPU: the test is skipped."""


class Server:
    def __init__(self, process, port, log):
        self.process, self.port, self.log = process, port, log

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def post(self, path, body):
        data = json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def metric(self, name):
        """The sum over its labels."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=20) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    def stop(self):
        """SIGTERM, and how the process ended."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


@contextlib.contextmanager
def served(program, model, *flags, patience=120, environment=None):
    """A server on a free port; what is left of it at the end is killed."""
    with tempfile.NamedTemporaryFile("r", suffix=".log") as log:
        command = [str(program), str(model), "--port", "0", "--host", "127.0.0.1", *map(str, flags)]
        with open(log.name, "w") as to:
            process = subprocess.Popen(command, stderr=to, env=environment)
        try:
            until = time.monotonic() + patience
            while not (ready := re.search(r"ready after \d+ ms on http://\S+:(\d+)", log.read())):
                log.seek(0)
                text = log.read()
                log.seek(0)
                if process.poll() is not None or time.monotonic() > until:
                    kind = NoGpu if "expected a GPU that can be used" in text else RuntimeError
                    raise kind(f"{program}: expected a server, got: {text[-2000:]}")
                time.sleep(0.02)
            log.seek(0)
            yield Server(process, int(ready[1]), log)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def skipping(main):
    """What main() returns; 0 and a line that says so where there is no GPU."""
    try:
        return main()
    except NoGpu as error:
        print(f"SKIPPED: {error}")
        return 0


def device_memory():
    """Bytes that are taken on the first GPU; None where nvidia-smi does not say."""
    command = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "-i", "0"]
    with contextlib.suppress(OSError, ValueError):
        asked = subprocess.run(command, capture_output=True, text=True, timeout=20)
        return int(asked.stdout.split()[0]) << 20
    return None
