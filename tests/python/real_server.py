"""g4-serve as tests start it: on a free port, ended cleanly."""
import contextlib
import os
import re
import signal
import subprocess
import time
from pathlib import Path

PROGRAM = Path(os.environ["G4_BINARY_DIR"]) / "bin" / "g4-serve"


@contextlib.contextmanager
def g4_serve(model, tmp_path, *flags):
    """Yields its URL and its log; checks that it ends with 0."""
    log = tmp_path / "g4-serve.log"
    with log.open("w") as to:
        process = subprocess.Popen([PROGRAM, model, *flags], stderr=to)
    try:
        until = time.monotonic() + 120
        while not (ready := re.search(r"ready after \d+ ms on (http://\S+)", log.read_text())):
            assert process.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.01)
        yield ready[1].replace("0.0.0.0", "127.0.0.1"), log
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
