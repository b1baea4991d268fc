"""The published chat template for the tasks' samples, cut where the model's own text begins.

Written for speed: a training run renders millions of samples. tools/nano/check compares it with
the template itself.
"""

_QUOTE = '<|"|>'
_LITERALS = {None: "null", True: "true", False: "false"}


def _value(x):
    if x is None or isinstance(x, bool):
        return _LITERALS[x]
    return f"{_QUOTE}{x}{_QUOTE}" if isinstance(x, str) else str(x)


def _sorted_items(mapping):
    return sorted(mapping.items(), key=lambda item: item[0].lower())


def _property(schema):
    parts = (
        [f"description:{_QUOTE}{schema['description']}{_QUOTE}"]
        if schema.get("description")
        else []
    )
    if schema.get("enum"):
        parts.append("enum:[" + ",".join(map(_value, schema["enum"])) + "]")
    return ",".join(parts + [f"type:{_QUOTE}{schema['type'].upper()}{_QUOTE}"])


def declaration(tool):
    function = tool["function"]
    parameters = function["parameters"]
    properties = ",".join(
        f"{key}:{{{_property(schema)}}}" for key, schema in _sorted_items(parameters["properties"])
    )
    required = ",".join(map(_value, parameters["required"]))
    return (
        f"<|tool>declaration:{function['name']}{{description:{_value(function['description'])},"
        f"parameters:{{properties:{{{properties}}},required:[{required}],"
        f"type:{_value('OBJECT')}}}}}<tool|>"
    )


def call(tool_call):
    """One tool call in the template's syntax; arguments must be an object."""
    function = tool_call["function"]
    arguments = ",".join(f"{key}:{_value(x)}" for key, x in _sorted_items(function["arguments"]))
    return f"<|tool_call>call:{function['name']}{{{arguments}}}<tool_call|>"


def _system(sample, messages):
    text = messages[0]["content"].strip() if messages[0]["role"] == "system" else ""
    if not (sample.thinking or sample.tools or messages[0]["role"] == "system"):
        return ""
    return (
        "<|turn>system\n"
        + "<|think|>\n" * sample.thinking
        + text
        + "".join(map(declaration, sample.tools or []))
        + "<turn|>\n"
    )


def _responses(messages, at):
    """The results that follow the calls of messages[at]; the model wrote the first opening."""
    names = {made["id"]: made["function"]["name"] for made in messages[at]["tool_calls"]}
    parts = []
    for message in messages[at + 1 :]:
        if message["role"] != "tool":
            break
        parts.append(
            f"response:{names[message['tool_call_id']]}"
            f"{{value:{_value(message['content'])}}}<tool_response|>"
        )
    return "<|tool_response>".join(parts)


def render(sample):
    """[(text, learned)]: learned text is the model's own.

    Earlier answers count too, unless the template drops their thoughts.
    """
    messages = sample.messages
    out = [("<bos>" + _system(sample, messages), False)]
    last_user = max(i for i, message in enumerate(messages) if message["role"] == "user")
    for i, message in enumerate(messages):
        role = message["role"]
        if role == "user":
            out.append((f"<|turn>user\n{message['content'].strip()}<turn|>\n", False))
        if role != "assistant":
            continue
        learned = not sample.thinking or i > last_user
        follows_tool = messages[i - 1]["role"] == "tool"
        opening = "" if follows_tool else "<|turn>model\n"
        text = ""
        if message.get("reasoning") and i > last_user:
            text = f"{message['reasoning']}\n<channel|>"
            if follows_tool:
                opening += "<|channel>thought\n"
            else:
                text = "<|channel>thought\n" + text
        if opening:
            out.append((opening, False))
        if message.get("tool_calls"):
            out.append(
                (text + "".join(map(call, message["tool_calls"])) + "<|tool_response>", learned)
            )
            responses = _responses(messages, i)
            if responses:
                out.append((responses, False))
        else:
            out.append((text + message["content"].strip() + "<turn|>", learned))
            out.append(("\n", False))
    return out


def prompt_and_answer(sample):
    """(text before the answer that counts, that answer)."""
    parts = render(sample)
    last = max(i for i, (_, learned) in enumerate(parts) if learned)
    return "".join(text for text, _ in parts[:last]), parts[last][0]
