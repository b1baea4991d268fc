"""g4-serve with Gemma 3: a random model in CI, and the real 270M where scripts/get has put it."""
import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from real_server import PROGRAM, g4_serve

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tools.checkpoint.__main__ import main as make_checkpoint  # noqa: E402
from tools.get import folder  # noqa: E402

REAL = Path(os.environ.get("G4_GEMMA3_270M") or folder.default("gemma3-270m"))


@contextlib.contextmanager
def client_of(model, tmp_path, *flags):
    with g4_serve(model, tmp_path, "--device", "cpu", "--port", "0", *flags) as (url, _):
        with httpx.Client(base_url=url, timeout=120) as client:
            yield client


@pytest.fixture(scope="module")
def random_model(tmp_path_factory):
    made = tmp_path_factory.mktemp("gemma3")
    make_checkpoint([str(made), "--preset", "gemma3-b", "--form", "auto-round", "--group", "32", "--seed", "10"])
    return made


def complete(client, prompt, **more):
    return client.post("/v1/completions", json={"prompt": prompt, "temperature": 0, "max_tokens": 8, **more})


def test_a_text_goes_on_and_is_the_same_alone_and_in_a_batch(random_model, tmp_path):
    with client_of(random_model, tmp_path, "--max-model-len", "512") as client:
        prompts = ["abc" * n for n in (1, 7, 60)]  # the last is longer than the window of 32
        alone = [complete(client, p, ignore_eos=True).json()["choices"][0]["text"] for p in prompts]
        together = complete(client, prompts, ignore_eos=True).json()
        assert [c["text"] for c in together["choices"]] == alone
        assert together["usage"]["completion_tokens"] == 24


def test_a_conversation_is_refused_in_words_that_point_to_completions(random_model, tmp_path):
    with client_of(random_model, tmp_path) as client:
        asked = {"messages": [{"role": "user", "content": "hi"}]}
        answer = client.post("/v1/chat/completions", json=asked)
        assert answer.status_code == 400
        assert answer.json()["error"]["message"] == (
            "messages: this model has no chat template; send text to /v1/completions")
        assert client.post("/tokenize", json=asked).status_code == 400
        assert complete(client, "abc").status_code == 200  # and goes on


def test_a_template_that_is_asked_for_is_refused_at_start(random_model):
    ended = subprocess.run([PROGRAM, random_model, "--port", "0", "--chat-template", "builtin"],
                           capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "no chat template of gemma3_text is known" in ended.stderr.splitlines()[-1]


def with_one_token_more(model, to, special):
    """The published tokenizer has a mark of pictures behind the vocabulary of models that see none."""
    shutil.copytree(model, to)
    words = json.loads((to / "tokenizer.json").read_text())
    words["added_tokens"].append({
        "id": 640, "content": "<image_soft_token>", "single_word": False, "lstrip": False, "rstrip": False,
        "normalized": False, "special": special})
    (to / "tokenizer.json").write_text(json.dumps(words))
    return to


def test_a_special_token_behind_the_vocabulary_is_refused_in_prompts_alone(random_model, tmp_path):
    with client_of(with_one_token_more(random_model, tmp_path / "model", True), tmp_path) as client:
        wrong = complete(client, "abc<image_soft_token>")
        assert wrong.status_code == 400 and "0 to 639, got 640" in wrong.json()["error"]["message"]
        assert complete(client, "abc").status_code == 200


def test_an_ordinary_token_behind_the_vocabulary_is_refused_at_start(random_model, tmp_path):
    model = with_one_token_more(random_model, tmp_path / "model", False)
    ended = subprocess.run([PROGRAM, model, "--device", "cpu", "--port", "0"], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "tokenizer.json: expected ids below 640, the model's vocabulary, got 640" in ended.stderr


@pytest.mark.skipif(not (REAL / "model.safetensors").is_file(), reason=f"SKIPPED: no real model in {REAL}: "
                    "scripts/get gemma3-270m fetches it, or G4_GEMMA3_270M names its folder")
def test_the_real_model_says_where_water_boils(tmp_path):
    with client_of(REAL, tmp_path, "--max-model-len", "2048") as client:
        assert complete(client, "Water boils at a temperature of").json()["choices"][0]["text"].startswith(
            " 100 degrees Celsius.")
        assert complete(client, "Monday, Tuesday, Wednesday,").json()["choices"][0]["text"].startswith(" Thursday, Friday")
