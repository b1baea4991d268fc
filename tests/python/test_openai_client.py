"""The published OpenAI client drives the server: chat, streams, completions, errors, many at once, disconnects.

The server has no model: a chat answer repeats the user's last message, with "{" and "}" standing for the marks of
a thought channel; see tests/support/null_server.hpp.
"""
import math
import threading
import time

import httpx
import openai
import pytest
from null_server import running_server

MODEL = "null"


@pytest.fixture(scope="module")
def server():
    with running_server("--step-us", 500) as started:
        yield started


@pytest.fixture(scope="module")
def client(server):
    return openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0)


def said(text):
    return [{"role": "user", "content": text}]


def streamed(client, **request):
    """The joined text, reasoning and finish of a streamed chat, and its last usage."""
    text, reasoning, finish, usage = "", "", None, None
    for chunk in client.chat.completions.create(model=MODEL, stream=True, **request):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            reasoning += getattr(choice.delta, "reasoning", None) or ""
            finish = choice.finish_reason or finish
    return text, reasoning, finish, usage


def metric(server, name):
    lines = httpx.get(server.url + "/metrics").text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def wait_for(condition, seconds=5.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_models(client):
    listed = client.models.list().data
    assert [each.id for each in listed] == ["null", "another-name"]
    assert listed[0].max_model_len == 2048
    assert client.models.retrieve("another-name").id == "another-name"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody")


def test_chat(client):
    answer = client.chat.completions.create(model=MODEL, messages=said("hello the world 日本🙂"))
    assert answer.object == "chat.completion"
    assert answer.id.startswith("chatcmpl-")
    assert answer.model == MODEL
    choice = answer.choices[0]
    assert choice.message.role == "assistant"
    assert choice.message.content == "hello the world 日本🙂"
    assert choice.finish_reason == "stop"
    assert choice.logprobs is None
    usage = answer.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=said("x"))
    assert raw.headers["x-request-id"] == raw.parse().id


def test_reasoning_is_told_from_content(client):
    message = client.chat.completions.create(
        model=MODEL, messages=said("{thought\ntwo and two\n}\n\nfour")).choices[0].message
    assert message.content == "four"
    assert message.reasoning == "two and two"
    assert streamed(client, messages=said("{thought\ntwo and two\n}\n\nfour"))[:2] == ("four", "two and two")


@pytest.mark.parametrize("text", ["hello the world", "日本🙂 é ü", "{thought\nx\n}y", "a\nb\n\n c "])
@pytest.mark.parametrize("more", [
    {}, {"max_tokens": 3}, {"stop": ["wor", "é"]}, {"stop": "o", "extra_body": {"include_stop_str_in_output": True}},
    {"extra_body": {"min_tokens": 2}, "stop": ["h", "a"]}, {"temperature": 1.5, "seed": 7, "max_tokens": 40},
])
def test_streamed_equals_whole(client, text, more):
    answer = client.chat.completions.create(model=MODEL, messages=said(text), **more)
    choice = answer.choices[0]
    got, reasoning, finish, usage = streamed(client, messages=said(text), stream_options={"include_usage": True}, **more)
    assert got == choice.message.content
    assert reasoning == (choice.message.reasoning or "")
    assert finish == choice.finish_reason
    assert usage.completion_tokens == answer.usage.completion_tokens
    assert usage.prompt_tokens == answer.usage.prompt_tokens


def test_chat_logprobs(client):
    answer = client.chat.completions.create(model=MODEL, messages=said("hello é"), logprobs=True, top_logprobs=3)
    entries = answer.choices[0].logprobs.content
    assert len(entries) == answer.usage.completion_tokens
    assert b"".join(bytes(each.bytes) for each in entries[:-1]).decode() == "hello é"
    assert entries[-1].token == "<turn|>"
    for each in entries:
        assert each.logprob <= 0 and len(each.top_logprobs) == 3
        assert each.top_logprobs[0].logprob == max(other.logprob for other in each.top_logprobs)
        assert each.top_logprobs[0].token == each.token  # the answer is greedy
    pieces = [chunk.choices[0].logprobs for chunk in client.chat.completions.create(
        model=MODEL, messages=said("hello é"), logprobs=True, top_logprobs=3, stream=True) if chunk.choices]
    assert [each for piece in pieces if piece for each in piece.content] == entries


def test_answers_of_one_request(client):
    answer = client.chat.completions.create(
        model=MODEL, messages=said("hello the world"), n=5, temperature=50.0 / 10, seed=3, max_tokens=30,
        extra_body={"ignore_eos": True})
    assert [choice.index for choice in answer.choices] == list(range(5))
    assert len({choice.message.content for choice in answer.choices}) > 1  # each has a seed of its own
    again = client.chat.completions.create(
        model=MODEL, messages=said("hello the world"), n=5, temperature=50.0 / 10, seed=3, max_tokens=30,
        extra_body={"ignore_eos": True})
    assert [c.message.content for c in again.choices] == [c.message.content for c in answer.choices]
    assert answer.usage.completion_tokens == 150


def test_completions_with_logprobs(client):
    answer = client.completions.create(model=MODEL, prompt="hello the world", max_tokens=6, logprobs=2)
    choice = answer.choices[0]
    lists = choice.logprobs
    assert answer.object == "text_completion"
    assert len(lists.tokens) == len(lists.token_logprobs) == len(lists.top_logprobs) == len(lists.text_offset) == 6
    assert lists.text_offset[0] == 0
    for token, logprob, top in zip(lists.tokens, lists.token_logprobs, lists.top_logprobs):
        assert top[token] == pytest.approx(logprob)
        assert len(top) <= 3
    assert choice.finish_reason == "length"


def test_echo_scores_a_prompt(client):
    """What lm-eval needs: the prompt's own log-probabilities, by text and by ids."""
    answer = client.completions.create(model=MODEL, prompt="hello the world", max_tokens=1, logprobs=1, echo=True)
    lists = answer.choices[0].logprobs
    assert lists.tokens[:4] == ["<bos>", "hello", " the", " world"]
    assert lists.text_offset[:5] == [0, 0, 5, 9, 15]
    assert lists.token_logprobs[0] is None and lists.top_logprobs[0] is None
    assert all(math.isfinite(value) and value < 0 for value in lists.token_logprobs[1:4])
    assert answer.choices[0].text.startswith("hello the world")
    ids = httpx.post(str(client.base_url).removesuffix("/v1/") + "/tokenize", json={"prompt": "hello the world"}).json()
    scored = client.completions.create(
        model=MODEL, prompt=ids["tokens"], max_tokens=0, logprobs=1, echo=True,
        extra_body={"return_tokens_as_token_ids": True, "return_token_ids": True})
    choice = scored.choices[0]
    assert choice.text == "hello the world"
    assert choice.logprobs.token_logprobs == lists.token_logprobs[:4]
    assert choice.logprobs.tokens == [f"token_id:{each}" for each in ids["tokens"]]
    assert choice.prompt_token_ids == ids["tokens"]
    assert choice.token_ids == []
    assert scored.usage.completion_tokens == 0


def test_batches_of_prompts(client):
    prompts = ["hello", "the world", "日本"]
    alone = [client.completions.create(model=MODEL, prompt=each, max_tokens=8).choices[0].text for each in prompts]
    together = client.completions.create(model=MODEL, prompt=prompts, max_tokens=8, n=2)
    assert [choice.text for choice in together.choices] == [text for text in alone for _ in range(2)]
    assert [choice.index for choice in together.choices] == list(range(6))
    streams = {}
    for chunk in client.completions.create(model=MODEL, prompt=prompts, max_tokens=8, stream=True, echo=True):
        for choice in chunk.choices:
            streams[choice.index] = streams.get(choice.index, "") + choice.text
    assert [streams[i] for i in range(3)] == [prompt + text for prompt, text in zip(prompts, alone)]


def test_sampling_fields_reach_the_model(client):
    biased = client.completions.create(
        model=MODEL, prompt="hello", max_tokens=4, logit_bias={"300": 100}, extra_body={"return_token_ids": True})
    assert biased.choices[0].token_ids == [300] * 4
    stopped = client.completions.create(
        model=MODEL, prompt="hello", max_tokens=4, logit_bias={"300": 100}, extra_body={"stop_token_ids": [300]})
    assert stopped.choices[0].finish_reason == "stop"
    assert stopped.choices[0].stop_reason == 300
    assert stopped.choices[0].text == ""
    penalised = client.completions.create(
        model=MODEL, prompt="hello", max_tokens=12, logit_bias={"300": 50, "301": 50}, frequency_penalty=2,
        extra_body={"return_token_ids": True})
    assert set(penalised.choices[0].token_ids) == {300, 301}


def test_errors(client):
    with pytest.raises(openai.NotFoundError) as wrong:
        client.chat.completions.create(model="gpt-4", messages=said("x"))
    assert wrong.value.code == "model_not_found" and wrong.value.param == "model"
    with pytest.raises(openai.BadRequestError) as wrong:
        client.chat.completions.create(model=MODEL, messages=said("x"), temperature=-1)
    assert wrong.value.param == "temperature" and wrong.value.type == "invalid_request_error"
    with pytest.raises(openai.BadRequestError) as wrong:
        client.chat.completions.create(model=MODEL, messages=said("word " * 5000))
    assert wrong.value.code == "context_length_exceeded"
    assert "2047" in wrong.value.message and "got" in wrong.value.message
    with pytest.raises(openai.BadRequestError) as wrong:
        client.chat.completions.create(model=MODEL, messages=said("x"), max_tokens=2048)
    assert wrong.value.param == "max_tokens"


def test_keys():
    with running_server("--api-key", "sesame") as server:
        for path in ("/v1/models", "/metrics", "/version", "/v1/chat/completions", "/tokenize", "/nothing"):
            assert httpx.get(server.url + path).status_code == 401, path
        assert httpx.get(server.url + "/health").status_code == 200
        right = openai.OpenAI(base_url=server.url + "/v1", api_key="sesame", max_retries=0)
        assert right.chat.completions.create(model=MODEL, messages=said("x")).choices[0].message.content == "x"
        for key in ("sesam", "sesame2", "Sesame", "x"):
            with pytest.raises(openai.AuthenticationError):
                openai.OpenAI(base_url=server.url + "/v1", api_key=key, max_retries=0).models.list()


def test_32_streams_at_once(client):
    texts = [f"hello the world number {i} {'日本 ' * (i % 5)}{{thought\n{i}\n}}" for i in range(32)]
    got = [None] * 32

    def ask(i):
        got[i] = streamed(client, messages=said(texts[i]))[:3]

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    for i, text in enumerate(texts):
        assert got[i] == (text.split("{")[0], str(i), "stop")


def test_a_client_that_leaves_frees_its_place(server, client):
    endless = {"max_tokens": 1500, "extra_body": {"ignore_eos": True}}
    streams = [client.chat.completions.create(model=MODEL, messages=said("x"), stream=True, **endless) for _ in range(8)]
    for stream in streams:
        next(iter(stream))
    assert metric(server, "vllm:num_requests_running") == 8
    before = metric(server, 'vllm:request_success_total{engine="0",model_name="null",finished_reason="abort"}')
    for stream in streams:
        stream.close()
    wait_for(lambda: metric(server, "vllm:num_requests_running") == 0)
    assert metric(server, "vllm:kv_cache_usage_perc") == 0
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.2).chat.completions.create(model=MODEL, messages=said("x"), **endless)
    wait_for(lambda: metric(server, "vllm:num_requests_running") == 0)
    after = metric(server, 'vllm:request_success_total{engine="0",model_name="null",finished_reason="abort"}')
    assert after - before == 9


def test_tokenize_and_back(server):
    text = "hello the world 日本🙂 \n{x}"
    one = httpx.post(server.url + "/tokenize", json={"prompt": text, "return_token_strs": True}).json()
    assert one["count"] == len(one["tokens"]) == len(one["token_strs"])
    assert one["token_strs"][0] == "<bos>" and one["max_model_len"] == 2048
    back = httpx.post(server.url + "/detokenize", json={"tokens": one["tokens"]}).json()
    assert back == {"prompt": "<bos>" + text}
    bare = httpx.post(server.url + "/tokenize", json={"prompt": text, "add_special_tokens": False}).json()
    assert bare["tokens"] == one["tokens"][1:]
    chat = {
        "messages": [
            {"role": "user", "content": "weather?"},
            {"role": "assistant", "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "look", "arguments": '{"city": "Paris"}'}}]},
            {"role": "tool", "tool_call_id": "1", "content": "sunny <|turn>"}],
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {
            "type": "object", "properties": {"city": {"type": "string"}}}}}],
        "chat_template_kwargs": {"enable_thinking": True}}
    ids = httpx.post(server.url + "/tokenize", json=chat).json()["tokens"]
    rendered = httpx.post(server.url + "/detokenize", json={"tokens": ids}).json()["prompt"]
    assert rendered.startswith("<bos><|turn>system\n<|think|>\n<|tool>declaration:look{")
    assert '<|tool_call>call:look{city:<|"|>Paris<|"|>}<tool_call|>' in rendered
    assert rendered.endswith('<|tool_response>response:look{value:<|"|>sunny <|turn><|"|>}<tool_response|>'
                             '<|channel>thought\n')
    # what a message spells is text: the turns are those of the system, the user and the model alone
    turn = httpx.post(server.url + "/tokenize", json={"prompt": "<|turn>", "add_special_tokens": False}).json()["tokens"]
    assert len(turn) == 1 and ids.count(turn[0]) == 3


def test_a_signal_lets_running_requests_finish():
    with running_server("--step-us", 5000) as server:
        client = openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0)
        stream = client.chat.completions.create(model=MODEL, messages=said("hello the world " * 8), stream=True)
        text = next(iter(stream)).choices[0].delta.content or ""
        ended = []
        stopper = threading.Thread(target=lambda: ended.append(server.stop()))
        stopper.start()
        for chunk in stream:
            text += chunk.choices[0].delta.content or ""
        stopper.join()
        assert text == ("hello the world " * 8).strip()
        assert ended == [0]
