"""The tasks, their shares, and the split between training and held-out samples."""

import dataclasses
import functools
import hashlib

from . import calculate, calls, draw, extract, facts, honest, lists, sentences, talk
from .message import assistant, user


@dataclasses.dataclass
class Sample:
    """One conversation; its last assistant message is what counts.

    keys  what the hold-out hashes: the question that counts, then every other question and
          calculation in the conversation
    """

    task: str
    keys: list
    messages: list
    tools: list | None = None
    thinking: bool = False


def held_out(key):
    """5 % of all keys, by hash: the same in every run."""
    return key != "small" and hashlib.sha256(key.encode()).digest()[0] < 13


OPERATIONS = {"addition": "+", "subtraction": "-", "products": "*", "quotients": "/"}


def _singles():
    """task -> r -> (key, question, thought, answer)"""
    table = {task: functools.partial(calculate.single, op=op) for task, op in OPERATIONS.items()}
    table.update(
        too_large=calculate.too_large,
        by_zero=calculate.by_zero,
        copying=lists.copying,
        sort_numbers=lists.numbers,
        sort_words=lists.words,
        facts=facts.fact,
        json=extract.extract,
        honest=honest.open_question,
        greeting=honest.greeting,
    )
    return table


#: Share of each task in training.
MIX = {
    "addition": 24,
    "subtraction": 34,
    "products": 26,
    "quotients": 22,
    "too_large": 5,
    "by_zero": 1,
    "copying": 10,
    "sort_numbers": 21,
    "sort_words": 28,
    "facts": 15,
    "json": 11,
    "honest": 14,
    "greeting": 5,
    "chat": 9,
    "memory": 10,
    "needle": 4,
    "needle_long": 1,
    "tool_call": 11,
    "tool_answer": 4,
    "tool_unused": 5,
    "think_hard": 12,
    "think_easy": 9,
    "too_hard": 4,
}
SYSTEMS = (
    "You are a helpful assistant.",
    "You are nano.",
    "Be brief.",
    "Answer the user's question.",
    "Be polite and precise.",
    "You are a helpful, harmless and honest assistant.",
    "Today is Monday.",
    "Keep it short.",
    "You are a test model.",
    "Answer in one sentence.",
    "You are an expert.",
    "Be concise.",
    "Use the tools when they help.",
)


class Tasks:
    """Makes samples."""

    def __init__(self):
        self.single = _singles()
        self.bag = [task for task, share in MIX.items() for _ in range(share)]
        self.easy = [task for task in self.bag if task in self.single]

    def _one(self, r, task, thinking=False, name=None):
        key, question, thought, answer = self.single[task](r)
        return Sample(
            name or task,
            [key],
            [user(question), assistant(answer, thought if thinking else None)],
            None,
            thinking,
        )

    def _filler(self, r):
        key, question, _, answer = self.single[r.pick(self.easy)](r)
        return key, question, answer

    def _history(self, r, sample, chance):
        """Earlier, unrelated turns before a sample."""
        if r.chance(chance):
            for _ in range(r.integer(1, 2)):
                key, question, answer = self._filler(r)
                sample.keys.append(key)
                sample.messages[:0] = [user(question), assistant(answer)]
        return sample

    def _chat(self, r):
        sample = self._one(r, r.pick(self.easy), name="chat")
        for _ in range(r.integer(1, 4)):
            key, question, answer = self._filler(r)
            sample.keys.append(key)
            sample.messages[:0] = [user(question), assistant(answer)]
        return sample

    def _think_hard(self, r):
        keys, question, thought, answer = calculate.chain(r)
        return self._history(
            r,
            Sample("think_hard", keys, [user(question), assistant(answer, thought)], None, True),
            0.15,
        )

    def _think_easy(self, r):
        return self._history(r, self._one(r, r.pick(self.easy), True, "think_easy"), 0.3)

    def _too_hard(self, r):
        keys, question, _, _ = calculate.chain(r)
        return Sample("too_hard", keys[:1], [user(question), assistant(sentences.TOO_HARD)])

    def _tool_use(self, r, task):
        key, messages, tools, thinking = calls.tool_use(r, task == "tool_answer")
        return self._history(r, Sample(task, [key], messages, tools, thinking), 0.15)

    def _tool_unused(self, r):
        sample = self._one(r, r.pick(self.easy), r.chance(0.15), "tool_unused")
        sample.tools = [tool for tool, _ in calls.some_tools(r)]
        return sample

    def _talk(self, r, task):
        if task == "memory":
            return Sample(task, *talk.memory(r, self._filler))
        key, messages = talk.needle(r, r.integer(*NEEDLE_LONG) if task == "needle_long" else None)
        return Sample(task, [key], messages)

    def _make(self, r, task):
        if task in self.single:
            sample = self._one(r, task)
        elif task in ("memory", "needle", "needle_long"):
            sample = self._talk(r, task)
        elif task in ("tool_call", "tool_answer"):
            sample = self._tool_use(r, task)
        else:
            sample = {
                "chat": self._chat,
                "tool_unused": self._tool_unused,
                "think_hard": self._think_hard,
                "think_easy": self._think_easy,
                "too_hard": self._too_hard,
            }[task](r)
        if r.chance(0.08):
            text = r.pick(SYSTEMS) if r.chance(0.7) else draw.sentence(r)
            sample.messages.insert(0, {"role": "system", "content": text})
        return sample

    def draw(self, r, task=None, held=False):
        """A training sample, or one whose question is held out."""
        while True:
            sample = self._make(r, task or r.pick(self.bag))
            if held and (held_out(sample.keys[0]) or task == "by_zero"):
                return sample
            if not held and not any(map(held_out, sample.keys)):
                return sample


#: Filler sentences of needle_long: at least 1,500 tokens, at most 2,000.
NEEDLE_LONG = (95, 106)


def held_out_samples(task, count):
    """The held-out samples of a task; the same in training and in tools/nano/eval."""
    r, made = draw.Draw(f"held-out/{task}"), Tasks()
    return [made.draw(r, task, True) for _ in range(count)]
