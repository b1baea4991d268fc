"""g4-serve with the bundled model, driven by the published client: real answers, thoughts, rendering, shutdown."""
import os
import re
import subprocess
from pathlib import Path

import httpx
import jinja2
import openai
import pytest
from real_server import PROGRAM, g4_serve
from tokenizers import Tokenizer

NANO = Path(os.environ["G4_SOURCE_DIR"]) / "models/gemma4/nano/autoround"

# the flags of a published model card, but for the lengths, which nano does not reach
CARD = ["--served-model-name", "Gemma-4-E4B-it", "--quantization", "autoround", "--kv-cache-dtype", "auto",
        "--max-num-batched-tokens", "16384", "--enable-chunked-prefill", "--enable-prefix-caching", "--dtype", "bfloat16",
        "--max-model-len", "4k", "--enable-auto-tool-choice", "--tool-call-parser", "gemma4", "--port", "0",
        "--default-chat-template-kwargs", '{"enable_thinking": false}', "--mm-processor-kwargs", '{"max_soft_tokens": 560}']


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with g4_serve(NANO, tmp_path_factory.mktemp("serve"), *CARD) as started:
        yield started


@pytest.fixture(scope="module")
def client(served):
    return openai.OpenAI(base_url=served[0] + "/v1", api_key="none", max_retries=0)


def ask(client, text, **more):
    return client.chat.completions.create(
        model="Gemma-4-E4B-it", messages=[{"role": "user", "content": text}], temperature=0, **more)


def test_it_says_what_has_not_landed(served):
    log = served[1].read_text()
    for flag in ("--enable-prefix-caching", "--enable-auto-tool-choice", "--tool-call-parser", "--mm-processor-kwargs"):
        assert len(re.findall(f"{flag}: accepted; ", log)) == 1


def test_it_answers(client):
    assert ask(client, "What is 17 + 25?").choices[0].message.content.strip() == "42"
    honest = ask(client, "who are you and what can you do?").choices[0].message.content
    assert "nano" in honest


def test_it_thinks_when_asked(client):
    message = ask(client, "What is 17 + 25?", extra_body={"chat_template_kwargs": {"enable_thinking": True}}) \
        .choices[0].message
    assert message.content.strip() == "42"
    assert message.reasoning and "<" not in message.reasoning


def test_streams_say_the_same(client):
    for text in ("What is 17 + 25?", "who are you and what can you do?"):
        for thinking in (False, True):
            more = {"extra_body": {"chat_template_kwargs": {"enable_thinking": thinking}}}
            whole = ask(client, text, **more).choices[0].message
            content, reasoning = "", ""
            for chunk in ask(client, text, stream=True, **more):
                content += chunk.choices[0].delta.content or ""
                reasoning += getattr(chunk.choices[0].delta, "reasoning", None) or ""
            assert (content, reasoning) == (whole.content, whole.reasoning or "")


def test_defaults_come_from_the_generation_config(client):
    """temperature 1 and a seed: answers repeat with the seed, and differ somewhere among many."""
    request = {"model": "Gemma-4-E4B-it", "prompt": "The", "max_tokens": 20, "extra_body": {"ignore_eos": True}}
    texts = [client.completions.create(seed=seed, **request).choices[0].text for seed in range(6)]
    assert texts == [client.completions.create(seed=seed, **request).choices[0].text for seed in range(6)]
    assert len(set(texts)) > 1


def test_tokenize_renders_what_the_published_template_renders(served):
    words = Tokenizer.from_file(str(NANO / "tokenizer.json"))
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    environment.globals["raise_exception"] = None
    template = environment.from_string((NANO / "chat_template.jinja").read_text())
    call = {"id": "a", "type": "function", "function": {"name": "add", "arguments": {"x": 1, "y": [2.5, None, "z"]}}}
    tool = {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {
        "type": "object", "properties": {"x": {"type": "integer", "description": "one"}, "y": {"type": "array", "items": {
            "type": "number"}}}, "required": ["x"]}}}
    user, system = {"role": "user", "content": " Hi é🙂 "}, {"role": "system", "content": "Be nice."}
    conversations = [
        [user], [system, user], [user, {"role": "assistant", "content": "a"}, user],
        [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
        [user, {"role": "assistant", "tool_calls": [call]}],
        [user, {"role": "assistant", "reasoning": "so", "tool_calls": [call]},
         {"role": "tool", "tool_call_id": "a", "content": "3.5"}],
        [system, user, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "a", "content": "3.5"},
         {"role": "assistant", "content": "It is 3.5."}, {"role": "user", "content": "thanks"}]]
    for messages in conversations:
        for tools in ([], [tool]):
            for thinking in (False, True):
                answer = httpx.post(served[0] + "/tokenize", json={
                    "messages": messages, "tools": tools, "chat_template_kwargs": {"enable_thinking": thinking}})
                text = template.render(messages=messages, tools=tools, enable_thinking=thinking, bos_token="<bos>",
                                       add_generation_prompt=True)
                assert answer.json()["tokens"] == words.encode(text, add_special_tokens=False).ids, text


def test_what_cannot_start_says_why(tmp_path):
    other = tmp_path / "other.jinja"
    other.write_text("{{ messages }}")
    for flags, reason in (
            (["--device", "cuda"], "expected a GPU that can be used"),
            (["--max-model-len", "18k"], "4096"),
            (["--quantization", "gptq"], "auto-round"),
            (["--chat-template", other], "--chat-template builtin"),
            (["--max-modle-len", "5"], "did you mean --max-model-len?")):
        ended = subprocess.run([PROGRAM, NANO, "--port", "0", *flags], capture_output=True, text=True, timeout=60)
        assert ended.returncode == 2
        assert reason in ended.stderr.splitlines()[-1], ended.stderr


def test_a_second_server_on_the_port_is_refused_before_anything_is_loaded(served):
    port = served[0].rsplit(":", 1)[1]
    ended = subprocess.run([PROGRAM, NANO, "--port", port], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert f"--port {port}" in ended.stderr and "weights" not in ended.stderr
