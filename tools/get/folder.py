"""Where a model is put: downloads and what is being written lie beside its folder, which appears
only when it is whole.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil

from tools.get.errors import InputError

RECORD = "origin.json"  # where the files came from, and what they are


def default(name):
    """Beside the kernel cache of g4-serve: g4/models in $XDG_CACHE_HOME, else in ~/.cache."""
    cache = os.environ.get("XDG_CACHE_HOME")
    if not cache:
        home = os.environ.get("HOME")
        if not home:
            raise InputError("DIR: expected a folder, since neither HOME nor XDG_CACHE_HOME is set")
        cache = os.path.join(home, ".cache")
    return os.path.join(cache, "g4", "models", name)


def sha256_of(path):
    total = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            total.update(block)
    return total.hexdigest()


class Place:
    """A model's folder, and the two beside it while it is being made."""

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        self.downloads = self.folder + ".download"
        self.unfinished = self.folder + ".unfinished"

    def holds(self, model):
        """Whether the finished model is there; a folder with anything else in it is refused."""
        if not os.path.lexists(self.folder):
            return False
        if os.path.isdir(self.folder) and not os.listdir(self.folder):
            return False
        try:
            with open(os.path.join(self.folder, RECORD), encoding="utf-8") as file:
                record = json.load(file)
            whole = record["model"] == model.name and all(
                os.path.getsize(os.path.join(self.folder, name)) == held["bytes"]
                for name, held in record["files"].items()
            )
        except (OSError, ValueError, KeyError, TypeError):
            whole = False
        if not whole:
            raise InputError(
                f"{self.folder}: expected nothing, or {model.name} as it was written here, got "
                "something else; remove it, or name another folder"
            )
        return True

    @contextlib.contextmanager
    def locked(self):
        """The folder of the downloads, for this process alone."""
        try:
            os.makedirs(self.downloads, exist_ok=True)
        except OSError as error:
            raise InputError(f"{self.downloads}: expected a folder to write in, got {error}")
        with open(os.path.join(self.downloads, "lock"), "w", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise InputError(f"{self.downloads}: another download into it is running")
            yield

    def check_room(self, more_bytes):
        free = shutil.disk_usage(self.downloads).free
        if free < more_bytes:
            raise InputError(
                f"{self.folder}: expected {more_bytes / 1e9:.1f} GB of free space for the download "
                f"and the model, got {free / 1e9:.1f} GB"
            )

    def begin(self):
        """An empty folder to write the model in."""
        shutil.rmtree(self.unfinished, ignore_errors=True)
        os.makedirs(self.unfinished)

    def finish(self, model):
        """Records what was written, gives it its name, and removes the downloads."""
        files = {
            name: {
                "bytes": os.path.getsize(os.path.join(self.unfinished, name)),
                "sha256": sha256_of(os.path.join(self.unfinished, name)),
            }
            for name in sorted(os.listdir(self.unfinished))
        }
        record = {
            "model": model.name,
            "packages": [f"{package.name}=={package.version}" for package in model.packages],
            "gguf_sha256": model.gguf_sha256,
            "changed": "dequantised from the GGUF file to bfloat16; other files derived from it",
            "terms": list(model.terms.urls),
            "files": files,
        }
        with open(os.path.join(self.unfinished, RECORD), "w", encoding="utf-8") as file:
            json.dump(record, file, indent=2)
            file.write("\n")
        os.rename(self.unfinished, self.folder)
        shutil.rmtree(self.downloads)
