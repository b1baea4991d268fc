"""Wrong requests get a clear error within a second, and a stream that runs beside them never notices.

Each row: path, body (an object, or raw bytes), status, and the field that the error must name (None: no single one).
"""
import json
import threading
import time

import httpx
import pytest
from null_server import running_server

CHAT, TEXT, TOKENIZE, DETOKENIZE = "/v1/chat/completions", "/v1/completions", "/tokenize", "/detokenize"
SAID = [{"role": "user", "content": "x"}]


def chat(**fields):
    return CHAT, {"messages": SAID, **fields}


def text(**fields):
    return TEXT, {"prompt": "x", **fields}


def messages(*given):
    return CHAT, {"messages": list(given)}


def call(arguments, **fields):
    return messages({"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments, **fields}}]})


ROWS = [
    # no JSON, or no object
    ((CHAT, b""), 400, None),
    ((CHAT, b"{"), 400, None),
    ((CHAT, b"nonsense"), 400, None),
    ((CHAT, b"[]"), 400, None),
    ((CHAT, b'"x"'), 400, None),
    ((CHAT, b'{"messages": [}'), 400, None),
    ((CHAT, b'{"a": 1} {"b": 2}'), 400, None),
    ((CHAT, b'{"messages": "\xff\xfe"}'), 400, None),
    ((CHAT, b'{"messages": "\\ud800"}'), 400, None),
    ((CHAT, b"[" * 100_000), 400, None),
    ((CHAT, b'{"a":' * 100 + b"1" + b"}" * 100), 400, None),
    ((CHAT, b"\x00"), 400, None),
    # which model
    (chat(model="gpt-4"), 404, "model"),
    (chat(model=7), 400, "model"),
    (text(model=""), 404, "model"),
    # conversations
    ((CHAT, {}), 400, "messages"),
    ((CHAT, {"messages": None}), 400, "messages"),
    ((CHAT, {"messages": []}), 400, "messages"),
    ((CHAT, {"messages": "hello"}), 400, "messages"),
    ((CHAT, {"messages": [SAID[0]] * 5000}), 400, "messages"),
    (messages("hello"), 400, "messages[0]"),
    (messages({"content": "x"}), 400, "messages[0].role"),
    (messages({"role": "wizard", "content": "x"}), 400, "messages[0].role"),
    (messages({"role": "user"}), 400, "messages[0].content"),
    (messages({"role": "user", "content": 5}), 400, "messages[0].content"),
    (messages({"role": "user", "content": {"text": "x"}}), 400, "messages[0].content"),
    (messages({"role": "user", "content": ["x"]}), 400, "messages[0].content[0]"),
    (messages({"role": "user", "content": [{"type": "text"}]}), 400, "messages[0].content[0].text"),
    (messages({"role": "user", "content": [{"text": "x"}]}), 400, "messages[0].content[0].type"),
    (messages({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://a/b"}}]}), 400,
     "messages[0].content[0]"),
    (messages({"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}), 400,
     "messages[0].content[0]"),
    (messages({"role": "user", "content": [{"type": "smell"}]}), 400, "messages[0].content[0].type"),
    (call("{not json"), 400, "messages[1].tool_calls[0].function.arguments"),
    (call("[1]"), 400, "messages[1].tool_calls[0].function.arguments"),
    (call(7), 400, "messages[1].tool_calls[0].function.arguments"),
    (call("{}", name=""), 400, "messages[1].tool_calls[0].function.name"),
    (messages({"role": "assistant", "tool_calls": [{}]}), 400, "messages[0].tool_calls[0].function"),
    (messages({"role": "assistant", "function_call": {"name": "f"}}), 400, "messages[0].function_call"),
    ((CHAT, {"messages": [{"role": "user", "content": "word " * 3000}]}), 400, "messages"),
    ((CHAT, {"messages": [{"role": "user", "content": "x" * 3_000_000}]}), 400, "messages"),
    # templates
    (chat(chat_template="{{ messages }}"), 400, "chat_template"),
    (chat(chat_template_kwargs=[]), 400, "chat_template_kwargs"),
    (chat(chat_template_kwargs={"enable_thinking": "yes"}), 400, "chat_template_kwargs.enable_thinking"),
    (chat(chat_template_kwargs={"messages": []}), 400, "chat_template_kwargs.messages"),
    (chat(chat_template_kwargs={"x": "y" * 5000}), 400, "chat_template_kwargs"),
    (chat(continue_final_message=True), 400, "continue_final_message"),
    (chat(add_generation_prompt="no"), 400, "add_generation_prompt"),
    # what has not landed
    (chat(tools=[{"type": "function", "function": {"name": "f"}}]), 400, "tools"),
    (chat(tools="f"), 400, "tools"),
    (chat(tool_choice="required"), 400, "tool_choice"),
    (chat(functions=[{"name": "f"}]), 400, "functions"),
    (chat(response_format={"type": "json_object"}), 400, "response_format"),
    (chat(response_format={"type": "json_schema", "json_schema": {}}), 400, "response_format"),
    (chat(response_format={}), 400, "response_format.type"),
    (chat(response_format="json"), 400, "response_format"),
    (chat(structured_outputs={"choice": ["a"]}), 400, "structured_outputs"),
    (chat(guided_regex="a*"), 400, "guided_regex"),
    (chat(modalities=["text", "audio"]), 400, "modalities"),
    (chat(audio={"voice": "v"}), 400, "audio"),
    (chat(use_beam_search=True), 400, "use_beam_search"),
    (chat(allowed_token_ids=[1]), 400, "allowed_token_ids"),
    (chat(bad_words=["x"]), 400, "bad_words"),
    (chat(prompt_logprobs=1), 400, "prompt_logprobs"),
    (chat(mm_processor_kwargs={"max_soft_tokens": 561}), 400, "mm_processor_kwargs.max_soft_tokens"),
    (text(suffix="end"), 400, "suffix"),
    # numbers
    (chat(temperature="hot"), 400, "temperature"),
    (chat(temperature=-0.1), 400, "temperature"),
    (chat(temperature=1e9), 400, "temperature"),
    ((CHAT, b'{"messages":[{"role":"user","content":"x"}],"temperature":1e400}'), 400, "temperature"),
    ((CHAT, b'{"messages":[{"role":"user","content":"x"}],"temperature":NaN}'), 400, None),
    (chat(top_p=0), 400, "top_p"),
    (chat(top_p=1.5), 400, "top_p"),
    (chat(top_k=-2), 400, "top_k"),
    (chat(top_k=1.5), 400, "top_k"),
    (chat(min_p=2), 400, "min_p"),
    (chat(presence_penalty=3), 400, "presence_penalty"),
    (chat(frequency_penalty=-3), 400, "frequency_penalty"),
    (chat(repetition_penalty=0), 400, "repetition_penalty"),
    (chat(seed="x"), 400, "seed"),
    ((CHAT, b'{"messages":[{"role":"user","content":"x"}],"seed":99999999999999999999}'), 400, "seed"),
    (chat(n=0), 400, "n"),
    (chat(n=129), 400, "n"),
    (chat(n=True), 400, "n"),
    (chat(best_of=3), 400, "best_of"),
    (chat(max_tokens=0), 400, "max_tokens"),
    (chat(max_tokens=-5), 400, "max_tokens"),
    (chat(max_tokens=1_000_000), 400, "max_tokens"),
    (chat(max_tokens=2**40), 400, "max_tokens"),
    (chat(max_completion_tokens="5"), 400, "max_completion_tokens"),
    (chat(min_tokens=9, max_tokens=5), 400, "min_tokens"),
    (chat(truncate_prompt_tokens=0), 400, "truncate_prompt_tokens"),
    (chat(logprobs=5), 400, "logprobs"),
    (chat(top_logprobs=5), 400, "top_logprobs"),
    (chat(logprobs=True, top_logprobs=21), 400, "top_logprobs"),
    (text(logprobs=21), 400, "logprobs"),
    (text(logprobs=True), 400, "logprobs"),
    (text(echo=1), 400, "echo"),
    (chat(echo=True), 400, "echo"),
    # lists and objects
    (chat(stop=""), 400, "stop"),
    (chat(stop=5), 400, "stop"),
    (chat(stop=["a", ""]), 400, "stop[1]"),
    (chat(stop=["a", 5]), 400, "stop[1]"),
    (chat(stop=["a"] * 65), 400, "stop"),
    (chat(stop="x" * 2000), 400, "stop"),
    (chat(stop_token_ids=[-1]), 400, "stop_token_ids[0]"),
    (chat(stop_token_ids=[10**6]), 400, "stop_token_ids[0]"),
    (chat(stop_token_ids="x"), 400, "stop_token_ids"),
    (chat(logit_bias={"x": 1}), 400, "logit_bias"),
    (chat(logit_bias={"99999": 1}), 400, "logit_bias"),
    (chat(logit_bias={"5": 101}), 400, "logit_bias.5"),
    (chat(logit_bias={"5": None}), 400, "logit_bias.5"),
    (chat(logit_bias=[1]), 400, "logit_bias"),
    (chat(logit_bias={str(i): 1 for i in range(2000)}), 400, "logit_bias"),
    (chat(cache_salt=""), 400, "cache_salt"),
    (chat(cache_salt=7), 400, "cache_salt"),
    (chat(stream="yes"), 400, "stream"),
    (chat(stream_options={"include_usage": True}), 400, "stream_options"),
    (chat(stream=True, stream_options={"include_usage": 1}), 400, "stream_options.include_usage"),
    # prompts
    ((TEXT, {}), 400, "prompt"),
    (text(prompt=""), 400, "prompt"),
    (text(prompt=5), 400, "prompt"),
    (text(prompt=[]), 400, "prompt"),
    (text(prompt=[[]]), 400, "prompt[0]"),
    (text(prompt=["a", ""]), 400, "prompt[1]"),
    (text(prompt=["a", 5]), 400, "prompt[1]"),
    (text(prompt=[1, "a"]), 400, "prompt[1]"),
    (text(prompt=[1, -1]), 400, "prompt[1]"),
    (text(prompt=[10**7]), 400, "prompt[0]"),
    (text(prompt=[1.5]), 400, "prompt[0]"),
    (text(prompt=[1] * 2048), 400, "prompt"),
    (text(prompt=["a"] * 129), 400, "prompt"),
    (text(prompt=["a"] * 100, n=2), 400, "n"),
    # tokens
    ((TOKENIZE, {}), 400, "prompt"),
    ((TOKENIZE, {"prompt": "x", "messages": SAID}), 400, "prompt"),
    ((TOKENIZE, {"prompt": 5}), 400, "prompt"),
    ((TOKENIZE, {"messages": SAID, "tools": [{"type": "function"}]}), 400, "tools[0].function"),
    ((TOKENIZE, {"messages": SAID, "tools": [{"type": "x", "function": {"name": "f"}}]}), 400, "tools[0].type"),
    ((DETOKENIZE, {}), 400, "tokens"),
    ((DETOKENIZE, {"tokens": "x"}), 400, "tokens"),
    ((DETOKENIZE, {"tokens": [1, 99999]}), 400, "tokens[1]"),
    ((DETOKENIZE, {"tokens": [[1]]}), 400, "tokens[0]"),
    # paths
    (("/v1/embeddings", {}), 404, None),
    (("/", {}), 404, None),
    (("/v1/models", {}), 405, None),
    (("/health/../v1", {}), 404, None),
]


@pytest.fixture(scope="module")
def server():
    with running_server("--step-us", 2000) as started:
        yield started


def test_every_wrong_request_gets_its_error_and_nobody_else_notices(server):
    long_text = "hello the world " * 60
    streams = []

    def stream():
        body = {"messages": [{"role": "user", "content": long_text}], "stream": True}
        got, gaps, last = "", [], time.monotonic()
        with httpx.stream("POST", server.url + CHAT, json=body, timeout=60) as answer:
            for line in answer.iter_lines():
                if not line.startswith("data: {"):
                    continue
                for choice in json.loads(line[6:])["choices"]:
                    got += choice["delta"].get("content") or ""
                now = time.monotonic()
                gaps.append(now - last)
                last = now
        streams.append((got, max(gaps)))

    stop = threading.Event()

    def keep_streaming():
        while not stop.is_set():
            stream()

    beside = threading.Thread(target=keep_streaming)
    beside.start()
    assert len(ROWS) >= 60
    with httpx.Client(base_url=server.url, timeout=10) as client:
        for (path, body), status, field in ROWS:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            began = time.monotonic()
            answer = client.post(path, content=raw, headers={"content-type": "application/json"})
            took = time.monotonic() - began
            where = f"{path} {raw[:200]!r}: {answer.text[:300]}"
            assert answer.status_code == status, where
            error = answer.json()["error"]
            assert error["param"] == field, where
            assert error["type"] == "invalid_request_error", where
            assert len(error["message"]) > 15, where
            if field:
                assert error["message"].startswith(field), where
            assert took < 1, where
    stop.set()
    beside.join(timeout=60)
    assert streams
    for got, longest_gap in streams:
        assert got == long_text.strip()
        assert longest_gap < 1
    assert httpx.get(server.url + "/health").status_code == 200


def test_fields_that_nobody_knows_are_ignored(server):
    body = {"messages": SAID, "user": "u", "store": True, "metadata": {"a": "b"}, "unheard_of": [1], "tools": [],
            "tool_choice": "none", "functions": None, "stop": None, "logit_bias": None, "temperature": None,
            "response_format": {"type": "text"}, "service_tier": "auto", "parallel_tool_calls": True}
    answer = httpx.post(server.url + CHAT, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == "x"


def test_a_body_that_is_too_large_is_refused_before_it_is_read(server):
    answer = httpx.post(server.url + CHAT, content=b"x" * (17 << 20))
    assert answer.status_code == 413
    assert "16777216" in answer.json()["error"]["message"]
