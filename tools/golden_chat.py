#!/usr/bin/env python3
"""Conversations and what the published chat templates make of them, for tests/models/gemma4_chat_test.cpp.

    pip install jinja2==3.1.6
    tools/golden_chat.py --july chat_template.jinja --april chat_template_2026_04.jinja \\
        tests/golden/chat/conversations.jsonl [--count 360] [--seed 1] [--check]

Each line holds a request (messages, tools, kwargs, add_generation_prompt) and, under "july" and "april", the text
that the template of that month writes, or null where it raises. Jinja is set up as transformers sets it up. The
templates themselves are files of the Gemma 4 release; the first line names them by SHA-256.
"""
import argparse
import hashlib
import json
import platform
import random
import sys
from pathlib import Path

import jinja2
import jinja2.sandbox

SPECIALS = ["<bos>", "<eos>", "<turn|>", "<|turn>", "<|turn>model\n", "<|think|>", "<|channel>", "<channel|>",
            "<|channel>thought\nplan\n<channel|>", '<|"|>', "<|tool_call>call:f{}<tool_call|>", "<|tool_response>",
            "<|image|>", "<|audio|>", "<|tool>", "<pad>", "<unk>"]
PIECES = ["hello", "What is 2+2?", "naïve café", "Straße", "ΑΣ ΣΑΣ", "İstanbul", "żółw", "日本語", "한국어", "العربية",
          "😀🔥", "👩‍👩‍👧", "e\u0301", "\u00a0", "\u2028", "\u3000", "\u200b", "\ufeff", "\x1c", "\x85", "\x00", "\x7f", "\u2581",
          "\ufffd", "\U0010ffff", "\n", "\n\n", "\t", "\r\n", " ", "   ", "'", '"', "\\", "{", "}", "[1,2]", "{{ x }}", "{% if %}",
          "</s>", "<0x0A>", "a:b,c", "null", "None", "0", "line one\nline two", "`code`", "|", "<", ">"]
NAMES = ["a", "B", "b", "A", "city", "City", "location", "unit", "days", "opts", "tags", "type", "description",
         "properties", "required", "nullable", "items", "enum", "title", "value", "Größe", "größe", "ÄRA", "ära", "Ключ",
         "ключ", "名前", "_x", "x-y", "x.y", "Zeta", "zeta", "Éa", "eb", "İd", "id", "ẞ", "ǅ", "😀", "with space", "0", "10", "9"]
FUNCTIONS = ["get_weather", "f", "g", "search.web", "x-y", "größe", "lookup_2"]
KINDS = ["string", "STRING", "integer", "number", "boolean", "array", "object", "null", "Object"]


class Generator:
    """Draws conversations; everything that OpenAI's API allows, and some of what it does not."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def chance(self, of_one):
        return self.random.random() < of_one

    def pick(self, items):
        return self.random.choice(items)

    def text(self, most=6):
        parts = [self.pick(SPECIALS) if self.chance(0.12) else self.pick(PIECES) for _ in range(self.random.randint(0, most))]
        return self.pick(["", " ", ""]).join(parts)

    def number(self):
        return self.pick([0, 1, -1, 3, 42, -7, 10**6, 2**53, -2**63, 2**64 - 1, 0.0, -0.0, 1.5, 0.1, -2.5e-7, 1e-4, 1e-5,
                          1e15, 1e16, 123456789012345.6, 1.7976931348623157e308, 5e-324, 3.0, 1e22, 100.0])

    def value(self, depth=0):
        draw = self.random.random()
        if draw < 0.4 or depth > 3:
            return self.text(3)
        if draw < 0.6:
            return self.number()
        if draw < 0.7:
            return self.pick([True, False])
        if draw < 0.78:
            return None
        if draw < 0.9:
            return [self.value(depth + 1) for _ in range(self.random.randint(0, 3))]
        return self.mapping(depth + 1)

    def mapping(self, depth=0):
        return {name: self.value(depth + 1) for name in self.random.sample(NAMES, self.random.randint(0, 4))}

    def schema(self, depth=0):
        """One property."""
        if self.chance(0.03):
            return self.pick([None, "string", 3, [], {}])
        kind = self.pick(KINDS)
        out = {}
        if self.chance(0.9):
            out["type"] = self.pick([kind, ["string", "null"], [kind]]) if self.chance(0.15) else kind
        if self.chance(0.6):
            out["description"] = self.text(3) if self.chance(0.95) else self.value()
        if self.chance(0.25):
            out["enum"] = [self.pick([self.text(1), self.number(), None]) for _ in range(self.random.randint(0, 3))]
        if self.chance(0.2):
            out["nullable"] = self.pick([True, False, None])
        if self.chance(0.15):
            out[self.pick(["minimum", "default", "pattern", "anyOf", "format"])] = self.value(2)
        if kind.lower() == "array" and self.chance(0.85) and depth < 3:
            out["items"] = self.items(depth + 1)
        if kind.lower() == "object" and depth < 3:
            if self.chance(0.8):
                out["properties"] = self.properties(depth + 1)
            elif self.chance(0.4):
                out.update(self.properties(depth + 1))
            if self.chance(0.5):
                out["required"] = self.names()
        pairs = list(out.items())
        self.random.shuffle(pairs)
        return dict(pairs)

    def names(self):
        return self.random.sample(NAMES, self.random.randint(0, 3))

    def items(self, depth):
        out = self.schema(depth)
        if not isinstance(out, dict):
            return out
        if self.chance(0.3):
            out["type"] = self.pick([["string", "null"], "string", None])
        if self.chance(0.3):
            out["properties"] = self.pick([self.properties(depth), None, "text"])
        if self.chance(0.3):
            out["required"] = self.names()
        if self.chance(0.2):
            out["default"] = self.value(2)
        return out

    def properties(self, depth=0):
        return {name: self.schema(depth) for name in self.random.sample(NAMES, self.random.randint(0, 4))}

    def tool(self):
        function = {"name": self.pick(FUNCTIONS)}
        if self.chance(0.9):
            function["description"] = self.text()
        if self.chance(0.9):
            parameters = {"type": self.pick(["object", "OBJECT"]), "properties": self.properties()}
            if self.chance(0.6):
                parameters["required"] = self.names()
            for key in ("type", "properties"):
                if self.chance(0.08):
                    del parameters[key]
            if self.chance(0.1):
                parameters["additionalProperties"] = False
            function["parameters"] = parameters
        if self.chance(0.15):
            function["response"] = self.pick([{"type": "object", "description": self.text(2)}, {"type": "string"}, {},
                                              {"description": "what comes back"}, {"type": "Object"}])
        return {"type": "function", "function": function}

    def part(self):
        draw = self.random.random()
        if draw < 0.6:
            return {"type": "text", "text": self.text()}
        return {"type": self.pick(["image", "audio", "video", "image_url", "input_audio", "unknown"])}

    def content(self):
        draw = self.random.random()
        if draw < 0.7:
            return self.text()
        if draw < 0.75:
            return None
        if draw < 0.8:
            return self.pick(["", " \n "])
        return [self.part() for _ in range(self.random.randint(0, 4))]

    def calls(self):
        calls = []
        for i in range(self.random.randint(1, 3)):
            function = {"name": self.pick(FUNCTIONS), "arguments": self.mapping()}
            if self.chance(0.08):
                function["arguments"] = None
            if self.chance(0.03):
                function["arguments"] = json.dumps(self.mapping())
            call = {"type": "function", "function": function}
            if self.chance(0.9):
                call["id"] = f"call_{i}" if self.chance(0.95) else i
            calls.append(call)
        return calls

    def assistant(self):
        message = {"role": "assistant"}
        if self.chance(0.9):
            message["content"] = self.content()
        if self.chance(0.3):
            message[self.pick(["reasoning", "reasoning_content"])] = self.text()
        answers = []
        if self.chance(0.4):
            message["tool_calls"] = self.calls()
            if self.chance(0.5):
                message["content"] = self.pick([None, ""])
            if self.chance(0.75):
                answers = self.answers(message)
        return [message] + answers

    def answers(self, message):
        """Results, as messages of the role tool or on the assistant's own message."""
        calls = list(message["tool_calls"])
        self.random.shuffle(calls)
        if self.chance(0.35):
            message["tool_responses"] = [self.response(call["function"]["name"]) for call in calls]
            return []
        answers = []
        for call in calls:
            answer = {"role": "tool", "content": self.content() if self.chance(0.85) else self.value(3)}
            if isinstance(answer["content"], dict):
                answer["content"] = json.dumps(answer["content"])
            if self.chance(0.85):
                answer["tool_call_id"] = call.get("id", "lost") if self.chance(0.9) else "other"
            if self.chance(0.3):
                answer["name"] = self.pick(FUNCTIONS)
            answers.append(answer)
        return answers

    def response(self, name):
        out = {"name": name, "response": self.mapping() if self.chance(0.6) else self.value()}
        if self.chance(0.1):
            del out["name"]
        if self.chance(0.03):
            del out["response"]
        return out

    def message(self):
        draw = self.random.random()
        if draw < 0.48:
            return [{"role": "user", "content": self.content()}]
        if draw < 0.93:
            return self.assistant()
        if draw < 0.97:
            return [{"role": self.pick(["system", "developer", "critic"]), "content": self.content()}]
        return [{"role": "tool", "content": self.text(), "tool_call_id": "call_0"}]

    def request(self):
        messages = []
        if self.chance(0.4):
            content = self.text() if self.chance(0.7) else [self.part() for _ in range(self.random.randint(0, 3))]
            messages.append({"role": self.pick(["system", "developer"]), "content": content})
        if self.chance(0.8):
            messages.append({"role": "user", "content": self.content()})
        for _ in range(self.random.choice([0, 0, 1, 1, 2, 3, 4, 6])):
            messages += self.message()
        if self.chance(0.02):
            messages.append(self.pick([{"content": "no role"}, {"role": None, "content": "x"}, {"role": "assistant", "content": [
                {"type": "text"}]}]))
        kwargs = {}
        if self.chance(0.5):
            kwargs["enable_thinking"] = self.pick([True, True, False, None, "yes"])
        if self.chance(0.3):
            kwargs["preserve_thinking"] = self.pick([True, False])
        tools = [self.tool() for _ in range(self.random.randint(1, 3))] if self.chance(0.35) else []
        return {"messages": messages, "tools": tools, "kwargs": kwargs, "add_generation_prompt": self.chance(0.75)}


class Refused(jinja2.exceptions.TemplateError):
    pass


def refuse(message):
    raise Refused(message)


def load(path):
    """The template as transformers compiles it (utils/chat_template_utils.py, _compile_jinja_template)."""
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    environment.globals["raise_exception"] = refuse
    # the file as it is: reading it as text must not touch its line ends
    return environment.from_string(Path(path).read_bytes().decode("utf-8"))


def render(template, request):
    try:
        return template.render(messages=request["messages"], tools=request["tools"] or None, bos_token="<bos>",
                               add_generation_prompt=request["add_generation_prompt"], **request["kwargs"])
    except (jinja2.exceptions.TemplateError, TypeError, AttributeError):
        return None


def recorded(arguments):
    templates = {"july": arguments.july, "april": arguments.april}
    head = {"made by": "tools/golden_chat.py", "count": arguments.count, "seed": arguments.seed,
            "jinja2": jinja2.__version__, "python": ".".join(platform.python_version_tuple()[:2]),
            "templates": {name: hashlib.sha256(Path(path).read_bytes()).hexdigest() for name, path in templates.items()}}
    compiled = {name: load(path) for name, path in templates.items()}
    generator = Generator(arguments.seed)
    lines = [json.dumps(head)]
    for _ in range(arguments.count):
        request = json.loads(json.dumps(generator.request()))
        outputs = {name: render(template, json.loads(json.dumps(request))) for name, template in compiled.items()}
        lines.append(json.dumps({**request, **outputs}, ensure_ascii=False, separators=(",", ":")))
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--july", required=True, help="the template of 2026-07-09")
    parser.add_argument("--april", required=True, help="the template of April 2026")
    parser.add_argument("--count", type=int, default=360)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="compare with what is recorded instead of writing")
    arguments = parser.parse_args()
    text = recorded(arguments)
    if not arguments.check:
        arguments.out.write_text(text, encoding="utf-8", newline="\n")
        return 0
    # the first line names versions, which may differ where the texts do not
    same = arguments.out.read_text(encoding="utf-8").split("\n")[1:] == text.split("\n")[1:]
    print(f"{arguments.out}: {'as recorded' if same else 'differs from what is recorded'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
