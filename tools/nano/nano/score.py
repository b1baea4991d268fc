"""The exact-match rule: what an answer says, whoever gave it."""

import dataclasses
import json
import pathlib
import re

from . import render, sentences, tasks

_CHANNEL_OPEN, _CHANNEL_CLOSE = "<|channel>thought\n", "<channel|>"
_CALL = re.compile(r"<\|tool_call>.*?<tool_call\|>", re.S)
_ENDS = ("<turn|>", "<|tool_response>", "<eos>")
#: Task -> part of handwritten.json.
HANDWRITTEN = {"handwritten": "development", "unseen": "unseen"}
_SELF = ("hello", "honest", "too_large", "too_hard")


@dataclasses.dataclass(frozen=True)
class Answer:
    """The parts of one assistant message; calls in the template's own syntax."""

    reasoning: str
    content: str
    calls: tuple


@dataclasses.dataclass
class Question:
    """What is asked of a model, and what counts as right.

    turns   messages up to the question
    later   further user messages, each asked after the model's own answer
    right   acceptable answers
    """

    task: str
    turns: list
    right: list
    tools: list | None = None
    thinking: bool = False
    later: list = dataclasses.field(default_factory=list)


def from_text(text, in_thought=False):
    """The answer in what a model wrote, special tokens included.

    in_thought: the prompt had opened the channel.
    """
    for end in _ENDS:
        text = text.removesuffix(end)
    reasoning = ""
    if in_thought or text.startswith(_CHANNEL_OPEN):
        reasoning, _, text = text.removeprefix(_CHANNEL_OPEN).partition(_CHANNEL_CLOSE)
    return Answer(reasoning.strip(), _CALL.sub("", text).strip(), tuple(_CALL.findall(text)))


def from_message(message):
    """The answer in a message of the chat API; arguments as an object or as JSON text."""
    calls = []
    for call in message.get("tool_calls") or []:
        function = dict(call["function"])
        if isinstance(function["arguments"], str):
            function["arguments"] = json.loads(function["arguments"])
        calls.append(render.call({"function": function}))
    reasoning = message.get("reasoning") or message.get("reasoning_content") or ""
    return Answer(reasoning.strip(), (message.get("content") or "").strip(), tuple(calls))


def _from_sample(sample):
    return Question(
        sample.task,
        sample.messages[:-1],
        [from_message(sample.messages[-1])],
        sample.tools,
        sample.thinking,
    )


def _written(part):
    """The entries of a part of handwritten.json: a prompt or turns, and acceptable answers."""
    path = pathlib.Path(__file__).parent.parent / "handwritten.json"
    return json.loads(path.read_text(encoding="utf-8"))[part]


def _handwritten(entry):
    fixed = {"@" + name: getattr(sentences, name.upper()) for name in _SELF}
    texts = [
        text
        for answer in entry["answer"]
        for text in (fixed.values() if answer == "@self" else [fixed.get(answer, answer)])
    ]
    first, *later = entry.get("turns") or [entry["prompt"]]
    return Question(
        "handwritten",
        [{"role": "user", "content": first}],
        [Answer("", text, ()) for text in texts],
        later=later,
    )


def questions(names, count):
    """The held-out questions of the named tasks, and the handwritten ones."""
    chosen = []
    for name in names:
        if name in HANDWRITTEN:
            chosen += map(_handwritten, _written(HANDWRITTEN[name]))
        else:
            chosen += map(_from_sample, tasks.held_out_samples(name, count))
    return chosen


TASKS = (*tasks.MIX, *HANDWRITTEN)
