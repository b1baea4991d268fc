"""g4-quantize writes auto-round's bytes in both layouts, folders that load, and errors that help."""

import hashlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tools.checkpoint import int4  # noqa: E402
from tools.checkpoint.__main__ import main as make_checkpoint  # noqa: E402
from tools.checkpoint.values import from_bf16_bits  # noqa: E402

PROGRAMS = Path(os.environ.get("G4_BINARY_DIR", ROOT / "build/release")) / "bin"
GOLDEN = sorted((ROOT / "tests/golden/quantize").glob("*.json"))
ITEM = {"F32": "<f4", "I32": "<u4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "BOOL": "u1"}


def run(*arguments, **more):
    return subprocess.run(
        [PROGRAMS / "g4-quantize", *arguments], capture_output=True, text=True, timeout=300, **more
    )


def quantize(*arguments):
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refusal(*arguments, **more):
    """What it says without its own name; it must exit with 2, as for what a user can mend."""
    done = run(*arguments, **more)
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    return done.stderr.splitlines()[-1].removeprefix("g4-quantize: ")


def held(folder):
    """name -> array of all files of a folder; those of the format's own library read them too."""
    out = {}
    for path in sorted(Path(folder).glob("*.safetensors")):
        with safe_open(path, framework="np") as file:
            assert file.metadata() == {"format": "pt"}
            names = set(file.keys())
        data = path.read_bytes()
        size = int.from_bytes(data[:8], "little")
        table = json.loads(data[8 : 8 + size])
        table.pop("__metadata__", None)
        assert set(table) == names
        for name, entry in table.items():
            first, last = (8 + size + at for at in entry["data_offsets"])
            dtype = np.dtype(ITEM[entry["dtype"]])
            assert first % dtype.itemsize == 0, name
            out[name] = np.frombuffer(data[first:last], dtype).reshape(entry["shape"])
    return out


def linears(tensors):
    return sorted(name.removesuffix(".qweight") for name in tensors if name.endswith(".qweight"))


def unpacked(tensors, base):
    """The layout's definition: scale (nibble - 8), [out, in]."""
    words = tensors[base + ".qweight"]
    nibbles = (words[:, None, :] >> (4 * np.arange(8, dtype=np.uint32))[None, :, None]) & 15
    levels = nibbles.reshape(-1, words.shape[1]).astype(np.float64) - 8
    scales = tensors[base + ".scales"].astype(np.float64)
    return (levels * scales.repeat(levels.shape[0] // scales.shape[0], axis=0)).T


def tensors_that_pack(tensors, group):
    """Linears of layers that must be rounded, by the sizes in the file alone."""
    pattern = re.compile(r"layers\.\d+\.(self_attn\.[qkvo]_proj|mlp\.\w+_proj|per_layer_\w+)\.weight$")
    return sorted(
        name.removesuffix(".weight")
        for name, values in tensors.items()
        if "tower" not in name and pattern.search(name) and int4.divisible(values.shape, group)
    )


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """odd-b with towers and the keys and values that nothing reads, and a file of its own kind."""
    folder = tmp_path_factory.mktemp("plain") / "model"
    make_checkpoint([str(folder), "--preset", "odd-b", "--seed", "3", "--dead-kv", "--towers"])
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    (folder / "assets").mkdir()
    (folder / "assets" / "picture.txt").write_text("a picture")
    (folder / "assets" / "config.json").write_text("{}")
    (folder / "assets" / "other.safetensors").write_text("of another model")
    (folder / ".cache").mkdir()
    (folder / "pytorch_model.bin").write_text("other weights")
    return folder


@pytest.mark.parametrize("path", GOLDEN, ids=[path.stem for path in GOLDEN])
def test_plain_rounding_is_auto_rounds(path, tmp_path):
    golden = json.loads(path.read_text())
    source, out = tmp_path / "model", tmp_path / "out"
    make_checkpoint([str(source), *golden["checkpoint"]])
    quantize(source, "-o", out, "--format", golden["format"], "--group", str(golden["group"]))
    tensors = held(out)
    assert linears(tensors) == tensors_that_pack(held(source), golden["group"])
    for base in linears(tensors):
        for part, digest in golden["linears"][base].items():
            got = np.ascontiguousarray(tensors[f"{base}.{part}"]).tobytes()
            assert hashlib.sha256(got).hexdigest() == digest, f"{base}.{part}"
        parts = {name.rsplit(".", 1)[1] for name in tensors if name.startswith(base + ".")}
        assert parts == set(golden["linears"][base])


@pytest.mark.parametrize("layout", ["auto-round", "gptq"])
def test_what_is_not_rounded_is_carried_over(plain, tmp_path, layout):
    out = tmp_path / "out"
    quantize(plain, "-o", out, "--group", "32", "--format", layout)
    before, after = held(plain), held(out)
    gone = {base + ".weight" for base in linears(after)}
    for name, values in before.items():
        if name in gone:
            assert name not in after
        else:
            assert after[name].tobytes() == values.tobytes() and after[name].shape == values.shape
    for name in (
        *("tokenizer.json", "generation_config.json", "chat_template.jinja"),
        *("assets/picture.txt", "assets/config.json"),
    ):
        assert (out / name).read_bytes() == (plain / name).read_bytes()
    assert not (out / "assets/other.safetensors").exists()
    beside = {"auto-round": "quantization_config.json", "gptq": "quantize_config.json"}[layout]
    assert {path.name for path in out.iterdir()} == {
        *("assets", "chat_template.jinja", "config.json", "generation_config.json", "model.safetensors"),
        *("tokenizer.json", "tokenizer_config.json", beside),
    }
    config = json.loads((out / "config.json").read_text())
    assert json.loads((out / beside).read_text()) == config.pop("quantization_config")
    assert config == json.loads((plain / "config.json").read_text())


def test_configs_name_what_stays_plain(plain, tmp_path):
    flags = ["--group", "32", "--skip", r"per_layer_(input_gate|projection)"]
    quantize(plain, "-o", tmp_path / "a", *flags)
    quantize(plain, "-o", tmp_path / "g", *flags, "--format", "gptq")
    read = [json.loads((tmp_path / f / "config.json").read_text())["quantization_config"] for f in "ag"]
    auto_round, gptq = read
    rounded = linears(held(tmp_path / "a"))
    assert not any("per_layer" in base for base in rounded) and linears(held(tmp_path / "g")) == rounded

    extra = auto_round.pop("extra_config")
    assert auto_round == {
        "quant_method": "auto-round", "packing_format": "auto_round:auto_gptq", "bits": 4,
        "group_size": 32, "sym": True, "data_type": "int", "iters": 0,
        "block_name_to_quantize": "model.language_model.layers", "quantizer": "g4-quantize",
    }  # fmt: skip
    assert set(map(json.dumps, extra.values())) == {'{"bits": 16, "data_type": "float"}'}
    layers = [name.removesuffix(".weight") for name in held(plain)
              if re.search(r"language_model\.layers.*(proj|gate|projection)\.weight", name)]  # fmt: skip
    assert sorted([*extra, *rounded]) == sorted(layers)

    dynamic = gptq.pop("dynamic")
    assert gptq == {
        "quant_method": "gptq", "checkpoint_format": "gptq", "bits": 4, "group_size": 32,
        "sym": True, "desc_act": False, "true_sequential": False, "damp_percent": 0.01,
        "lm_head": False, "pack_dtype": "int32", "quantizer": "g4-quantize",
    }  # fmt: skip
    # as its readers do: the first rule that matches from the start decides
    for name, values in held(plain).items():
        if name.endswith(".weight") and values.ndim >= 2:
            base = name.removesuffix(".weight")
            for spelled in (base, base.replace("model.language_model", "language_model.model")):
                plain_by_rule = any(re.match(rule.removeprefix("-:"), spelled) for rule in dynamic)
                assert plain_by_rule == (base not in rounded), spelled


@pytest.mark.parametrize("flags", [["--format", "auto-round"], ["--format", "gptq", "--search"]])
def test_what_it_writes_loads_in_g4(plain, tmp_path, flags):
    quantize(plain, "-o", tmp_path / "out", "--group", "32", *flags)
    shown = subprocess.run(
        [PROGRAMS / "g4-compile", tmp_path / "out", "--tensors"], capture_output=True, text=True
    )
    assert shown.returncode == 0, shown.stderr
    assert re.search(r"143 tensors bound, 65 of them int4", shown.stderr)
    assert "copied" not in shown.stderr and "ignored" not in shown.stderr


def test_the_report_is_the_error_of_what_is_stored_and_search_lowers_each(plain, tmp_path):
    errors = {}
    for name, flags in {"plain": [], "search": ["--search"]}.items():
        said = quantize(
            *(plain, "-o", tmp_path / name, "--group", "32", "--report", tmp_path / f"{name}.txt"),
            *flags,
        )
        lines = (tmp_path / f"{name}.txt").read_text().splitlines()
        table = [re.match(r" *([\d.]+) %  (\S+) \[", line) for line in lines[1:]]
        errors[name] = {row[2]: float(row[1]) for row in table}
        assert list(errors[name].values()) == sorted(errors[name].values())
        assert lines[0].split()[-2] == said.splitlines()[-1].split()[-2]  # overall
    before, after = held(plain), held(tmp_path / "search")
    for base, error in errors["search"].items():
        want = from_bf16_bits(before[base + ".weight"]).astype(np.float64)
        got = np.sqrt(((want - unpacked(after, base)) ** 2).sum() / (want**2).sum())
        assert abs(100 * got - error) < 0.006, base
        assert error < errors["plain"][base]
    assert set(errors["plain"]) == set(errors["search"]) == set(linears(after))


def test_the_bytes_depend_on_no_number_of_threads(plain, tmp_path):
    for threads in ("1", "3"):
        quantize(plain, "-o", tmp_path / threads, "--search", "--group", "32", "--threads", threads)
    one, three = (tmp_path / t / "model.safetensors" for t in ("1", "3"))
    assert one.read_bytes() == three.read_bytes()


def test_links_of_a_download_cache_are_followed(plain, tmp_path):
    linked = tmp_path / "linked"
    linked.mkdir()
    for path in plain.iterdir():
        if path.is_file():
            (linked / path.name).symlink_to(path)
    quantize(linked, "-o", tmp_path / "out", "--group", "32")
    assert not any(path.is_symlink() for path in (tmp_path / "out").iterdir())


def test_a_killed_run_leaves_no_folder_and_the_next_one_works(plain, tmp_path):
    big, out = tmp_path / "big", tmp_path / "out"
    shutil.copytree(plain, big)
    (big / "padding.txt").write_bytes(b"x" * 1000)
    for delay in (0.0, 0.02, 0.05, 0.1):
        process = subprocess.Popen(
            [PROGRAMS / "g4-quantize", big, "-o", out, "--group", "32", "--search", "--threads", "1"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if out.exists():  # it was faster, or had but to end: then the folder is whole
            subprocess.run([PROGRAMS / "g4-compile", out, "--tensors"], check=True, capture_output=True)
            shutil.rmtree(out)
    quantize(big, "-o", out, "--group", "32")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("out")] == ["out"]


def test_two_runs_do_not_write_into_one_folder(plain, tmp_path):
    fcntl = pytest.importorskip("fcntl")
    partial = tmp_path / "out.partial"
    partial.mkdir()
    handle = os.open(partial, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    wrong = refusal(plain, "-o", tmp_path / "out", "--group", "32")
    os.close(handle)
    assert wrong == f"{partial}: is being written by another g4-quantize"


def test_a_folder_that_holds_something_is_replaced_only_when_asked_and_only_a_model(plain, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "precious.txt").write_text("mine")
    assert "holds something; choose another, or add --overwrite" in refusal(plain, "-o", out)
    assert "which has no config.json" in refusal(plain, "-o", out, "--overwrite")
    assert (out / "precious.txt").read_text() == "mine"
    (out / "config.json").write_text("{}")
    quantize(plain, "-o", out, "--overwrite", "--group", "32")
    assert not (out / "precious.txt").exists() and (out / "model.safetensors").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


def test_neither_folder_may_hold_the_other(plain):
    for out in (plain / "int4", plain, plain.parent):
        assert "neither may hold the other" in refusal(plain, "-o", out, "--overwrite")


def test_a_quantised_folder_is_refused(plain, tmp_path):
    quantize(plain, "-o", tmp_path / "out", "--group", "32")
    assert "expected a model that is not quantised, got auto-round" in refusal(
        tmp_path / "out", "-o", tmp_path / "again"
    )
    assert not list(tmp_path.glob("again*"))


def test_weights_that_cannot_be_rounded_are_named(plain, tmp_path):
    bad = tmp_path / "bad"
    shutil.copytree(plain, bad)
    name = "model.language_model.layers.2.mlp.up_proj.weight"
    data = bytearray((bad / "model.safetensors").read_bytes())
    size = int.from_bytes(data[:8], "little")
    first = 8 + size + json.loads(data[8 : 8 + size])[name]["data_offsets"][0]
    data[first + 2 * (192 * 3 + 5) : first + 2 * (192 * 3 + 5) + 2] = b"\xc0\x7f"  # NaN
    (bad / "model.safetensors").write_bytes(data)
    wrong = refusal(bad, "-o", tmp_path / "out", "--group", "32")
    assert f"{name}: expected finite weights" in wrong and "got nan at row 3, column 5" in wrong
    assert not list(tmp_path.glob("out*"))
    quantize(bad, "-o", tmp_path / "out", "--group", "32", "--skip", r"layers\.2\.mlp\.up_proj")


def test_a_disk_that_takes_no_more_is_told_and_nothing_is_left(plain, tmp_path):
    wrong = refusal(
        *(plain, "-o", tmp_path / "out", "--group", "32"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
        restore_signals=False,  # Python ignores SIGXFSZ, and so does what it starts
    )
    assert wrong == f"{tmp_path / 'out.partial' / 'model.safetensors'}: cannot be written: File too large"
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize(
    "arguments, said",
    [
        ([], "expected MODEL_DIR, got none"),
        (["{plain}"], "-o: expected the folder to write, got none"),
        (["{plain}", "-o"], "-o: expected a value, got none"),
        (["{plain}", "{plain}", "-o", "x"], "expected one MODEL_DIR"),
        (["{plain}", "-o", "x", "--group", "64"], '--group: expected 128 or 32, got "64"'),
        (["{plain}", "-o", "x", "--format=awq"], '--format: expected auto-round or gptq, got "awq"'),
        (["{plain}", "-o", "x", "--threads", "0"], '--threads: expected a number from 1 to 1024, got "0"'),
        (["{plain}", "-o", "x", "--bits", "3"], "--bits: unknown flag; g4-quantize --help lists"),
        (["{plain}", "-o", "x", "--skip", "("], "--skip: pattern (: expected a ) for each ("),
        (["{plain}", "-o", "x", "--skip", "qproj"], "--skip: expected a part of the name of a linear"),
        (["{plain}", "-o", "x", "--skip", "."], "got 81 that all stay plain; small models need --group 32"),
        (["{plain}/nowhere", "-o", "x"], "expected a model folder with config.json, got nothing"),
        (["{plain}", "-o", "/proc/x"], "expected a folder that can be made"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(plain, tmp_path, arguments, said):
    wrong = refusal(*(a.replace("{plain}", str(plain)) for a in arguments), cwd=tmp_path)
    assert said in wrong
    assert not list(tmp_path.iterdir())


def test_help_teaches():
    shown = run("--help")
    assert shown.returncode == 0
    for flag in ("-o OUT", "--format", "--group", "--search", "--skip", "--threads", "--report", "examples:"):
        assert flag in shown.stdout
