"""Starts g4-null-server, whose answers can be foretold, for tests that drive a server from outside."""
import contextlib
import os
import signal
import subprocess
from pathlib import Path

PROGRAM = Path(os.environ["G4_BINARY_DIR"]) / "bin" / "g4-null-server"


class RunningServer:
    def __init__(self, process, url):
        self.process = process
        self.url = url

    def stop(self):
        """SIGTERM, and how the process ended."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


@contextlib.contextmanager
def running_server(*flags):
    """A server with these flags on a free port; afterwards it must end by itself, with 0."""
    process = subprocess.Popen([PROGRAM, *map(str, flags)], stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on "), line
        server = RunningServer(process, line.removeprefix("listening on ").strip())
        yield server
        if process.poll() is None:
            assert server.stop() == 0
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
