"""Writes a random checkpoint of Gemma 4 or Gemma 3; needs numpy alone. The same arguments give the same bytes on
every machine.

Examples, from the root of the repository:
  python3 -m tools.checkpoint build/odd-b --preset odd-b --form auto-round --group 32 --seed 7
  python3 -m tools.checkpoint e4b --preset e4b --form auto-round --towers --tokenizer tokenizer.json
"""

import argparse
import re

from tools.checkpoint import gemma3, int4
from tools.checkpoint.presets import PRESETS
from tools.checkpoint.write import DTYPES, Request, make

CONFIG_FORMS = {
    "gemma4": ("global_head_dim", "per_layer_config"),
    "gemma3": ("rope_theta", "rope_parameters"),
}


def arguments(values=None):
    p = argparse.ArgumentParser(
        prog="tools.checkpoint",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("out", help="folder to write; made when missing")
    p.add_argument("--preset", choices=sorted(PRESETS), required=True)
    p.add_argument("--form", choices=(*DTYPES, *int4.FORMS), default="bf16")
    p.add_argument(
        "--group", type=int, choices=(32, 128), default=128, help="weights that share a scale"
    )
    p.add_argument(
        "--rest", choices=tuple(DTYPES), default="bf16", help="dtype of what int4 forms leave plain"
    )
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--shards", type=int, default=1)
    p.add_argument(
        "--config-form",
        choices=tuple(form for forms in CONFIG_FORMS.values() for form in forms),
        help="how config.json says the sizes of full layers (Gemma 4) or the ropes (Gemma 3); "
        "default: the preset's",
    )
    p.add_argument(
        "--tokenizer",
        metavar="FILE",
        help="a Gemma 4 tokenizer.json to copy; small presets make their own",
    )
    p.add_argument("--chat-template", metavar="FILE", help="a chat_template.jinja to copy")
    p.add_argument(
        "--dead-kv",
        action="store_true",
        help="also k and v of the sharing layers, as published files",
    )
    p.add_argument("--towers", action="store_true", help="also the vision and audio towers")
    p.add_argument(
        "--plain", default="", metavar="REGEX", help="linears that stay plain in an int4 form"
    )
    return p, p.parse_args(values)


def main(values=None):
    parser, a = arguments(values)
    sizes = PRESETS[a.preset]
    form = a.config_form or sizes.config_form
    family = "gemma3" if isinstance(sizes, gemma3.Sizes) else "gemma4"
    if form not in CONFIG_FORMS[family]:
        parser.error(
            f"--config-form: expected one of {CONFIG_FORMS[family]} for {a.preset}, got {form}"
        )
    if family == "gemma3" and (a.dead_kv or a.towers):
        parser.error(f"--dead-kv and --towers: expected neither for {a.preset}, which has none")
    if family == "gemma4" and sizes.global_kv_heads and form == "global_head_dim":
        parser.error(
            f"--config-form: expected per_layer_config, got {form}: "
            f"{a.preset} has other kv heads on full layers"
        )
    if a.shards < 1 or a.seed < 0:
        parser.error(f"--shards and --seed: expected at least 1 and 0, got {a.shards} and {a.seed}")
    try:
        re.compile(a.plain)
    except re.error as error:
        parser.error(f"--plain: expected a regular expression, got {a.plain!r}: {error}")
    request = Request(
        sizes, a.form, a.group, a.rest, a.seed, a.shards, form, a.dead_kv, a.towers, a.plain
    )
    make(request, a.out, a.tokenizer, a.chat_template)


if __name__ == "__main__":
    main()
