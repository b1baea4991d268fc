"""Tool use: declarations drawn anew each time, one call or two, the result reported."""

from . import draw, pools, style
from .message import assistant, user


def declare(name, about, params, required=None):
    """An OpenAI tool. params: name -> (type, description or None, enum or None)."""
    properties = {}
    for key, (kind, text, values) in params.items():
        properties[key] = {"type": kind}
        if text:
            properties[key]["description"] = text
        if values:
            properties[key]["enum"] = values
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": about,
            "parameters": {
                "type": "object",
                "properties": properties,
                "required": list(params) if required is None else required,
            },
        },
    }


def _place_key(r):
    return r.pick(("location", "city", "place", "town"))


def _weather(r):
    """Each maker gives (tool, use); use gives (question frame, payload, arguments, result)."""
    place, with_unit = _place_key(r), r.chance(0.4)
    params = {place: ("string", r.pick(("City", "The city", "Name of the city", None)), None)}
    if with_unit:
        params["unit"] = ("string", None, ["celsius", "fahrenheit"])
    tool = declare(
        r.pick(
            ("get_weather", "weather", "fetch_weather", "current_weather", "get_current_weather")
        ),
        r.pick(("Get the weather", "Current weather of a city", "Weather report")),
        params,
        [place],
    )

    def use():
        where = draw.city(r)
        unit = r.pick(("celsius", "fahrenheit", "")) if with_unit else ""
        frame = r.pick(
            (
                "What is the weather in {}?",
                "How is the weather in {}?",
                "Tell me the weather for {}.",
                "Weather in {}?",
                "What's the weather like in {}?",
            )
        )
        result = (
            f"{r.pick(('sunny', 'cloudy', 'rainy', 'windy', 'snow'))}, {r.integer(-9, 35)} degrees"
        )
        return (
            frame,
            where + (f" in {unit}" if unit else ""),
            {place: where, **({"unit": unit} if unit else {})},
            result,
        )

    return tool, use


def _time(r):
    place = _place_key(r)
    tool = declare(
        r.pick(("get_time", "local_time", "clock")),
        r.pick(("Get the local time", "Time in a city")),
        {place: ("string", r.pick(("City", None)), None)},
    )

    def use():
        where = draw.city(r)
        return (
            r.pick(
                (
                    "What time is it in {}?",
                    "Tell me the time in {}.",
                    "Time in {}?",
                    "What's the time in {}?",
                )
            ),
            where,
            {place: where},
            f"{r.integer(0, 23)}:{r.integer(10, 59)}",
        )

    return tool, use


def _note(r):
    key = r.pick(("text", "note", "task", "item"))
    tool = declare(
        r.pick(("add_todo", "create_note", "remember", "add_task")),
        r.pick(("Add a note", "Store a task for later")),
        {key: ("string", r.pick(("What to store", None)), None)},
    )

    def use():
        verb = r.pick(("buy", "clean", "repair", "find", "paint", "call", "visit"))
        text = f"{verb} {r.pick(('the ', 'a ', 'my ', ''))}{draw.any_word(r)}"
        return (
            r.pick(("Add a note: {}", "Remind me to {}", "Put this on my list: {}", "Note: {}")),
            text,
            {key: text},
            "stored",
        )

    return tool, use


def _mail(r):
    key = r.pick(("to", "recipient", "name"))
    tool = declare(
        r.pick(("send_email", "send_message", "mail")),
        r.pick(("Send a message", "Send an email to somebody")),
        {
            key: ("string", r.pick(("Receiver", None)), None),
            "body": ("string", r.pick(("Content", None)), None),
        },
    )

    def use():
        who, text = draw.name(r), r.pick((draw.sentence, draw.common_sentence))(r)
        frame, between = r.pick(
            (
                ("Send {}", " the message: "),
                ("Write to {}", ": "),
                ("Tell {}", ": "),
                ("Message {}", ": "),
            )
        )
        return frame, who + between + text, {key: who, "body": text}, "sent"

    return tool, use


def _convert(r):
    tool = declare(
        r.pick(("convert_currency", "exchange", "convert")),
        r.pick(("Convert money", "Convert between currencies")),
        {
            "amount": ("integer", None, None),
            "from": ("string", None, None),
            "to": ("string", None, None),
        },
    )

    def use():
        amount = r.integer(1, 9999) if r.chance(0.2) else r.integer(1, 999)
        start, end = r.some(("dollars", "euros", "yen", "pounds", "francs", "pesos", "rupees"), 2)
        frame = r.pick(("Convert {}.", "Change {}.", "Convert {}"))
        return (
            frame,
            f"{amount} {start} to {end}",
            {"amount": amount, "from": start, "to": end},
            f"{r.integer(1, 9999)} {end}",
        )

    return tool, use


def _lamp(r):
    tool = declare(
        r.pick(("set_lamp", "switch_light", "light")),
        r.pick(("Switch a lamp", "Turn a light on or off")),
        {
            "room": ("string", r.pick(("The room", None)), None),
            "on": ("boolean", r.pick(("Desired state", None)), None),
        },
    )

    def use():
        room, on = (
            r.pick(
                (
                    "kitchen",
                    "cellar",
                    "library",
                    "garden",
                    "bedroom",
                    "hall",
                    "office",
                    "garage",
                    "bathroom",
                )
            ),
            r.chance(0.5),
        )
        state = "on" if on else "off"
        return (
            r.pick(
                (
                    f"Turn {state} the light in the {{}}.",
                    f"Switch the {{}} lamp {state}.",
                    f"Light {state} in the {{}}!",
                )
            ),
            room,
            {"room": room, "on": on},
            "done",
        )

    return tool, use


def _search(r):
    tool = declare(
        r.pick(("search", "web_search", "find_documents")),
        r.pick(("Search the web", "Search for documents")),
        {
            "query": ("string", r.pick(("Words to look for", None)), None),
            "limit": ("integer", None, None),
        },
        ["query"],
    )

    def use():
        query, limit = (
            f"{r.pick(pools.ADJECTIVES)} {draw.any_word(r)}",
            r.integer(2, 20) if r.chance(0.4) else 0,
        )
        frame = r.pick(("Search for {}", "Look up {}", "Find {}"))
        return (
            frame,
            query + (f", {limit} results" if limit else ""),
            {"query": query, **({"limit": limit} if limit else {})},
            f"found {r.integer(2, 99)} pages",
        )

    return tool, use


def _timer(r):
    tool = declare(
        r.pick(("set_timer", "start_timer")),
        r.pick(("Start a timer", "Set a kitchen timer")),
        {"minutes": ("integer", r.pick(("Duration", None)), None)},
    )

    def use():
        minutes = r.integer(2, 180)
        return (
            r.pick(
                ("Set a timer for {} minutes.", "Start a timer of {} minutes.", "Timer: {} minutes")
            ),
            str(minutes),
            {"minutes": minutes},
            "running",
        )

    return tool, use


def _any_tool(r):
    """A tool that no pool knows: made-up name and parameters, asked for by name."""
    verb = r.pick(
        pools.VERBS
        + ["get", "set", "list", "delete", "update", "count", "book", "play", "call", "order"]
    )
    subject = r.pick(pools.NOUNS + pools.COMMON) if r.chance(0.8) else draw.made_up_word(r)
    make = {
        "string": lambda: r.pick((draw.any_word, draw.name, draw.city, draw.code))(r),
        "integer": lambda: r.integer(0, 999),
        "number": lambda: r.integer(0, 99) + r.integer(1, 9) / 10,
        "boolean": lambda: r.chance(0.5),
    }
    kinds = {
        key: r.pick(("string", "string", "integer", "boolean", "number"))
        for key in r.some(sorted(set(pools.COMMON)), r.integer(1, 3))
    }
    params = {
        key: (kind, r.pick((None, None, f"The {key}", key.capitalize())), None)
        for key, kind in kinds.items()
    }
    tool = declare(
        f"{verb}_{subject}",
        r.pick(
            (
                f"{verb.capitalize()} the {subject}",
                f"{verb.capitalize()} a {subject}",
                subject.capitalize(),
            )
        ),
        params,
    )

    def use():
        arguments = {key: make[kind]() for key, kind in kinds.items()}
        spoken = {
            key: {True: "true", False: "false"}[x] if isinstance(x, bool) else str(x)
            for key, x in arguments.items()
        }
        between, end = r.pick(
            ((" ", ", "), (" ", " and "), (": ", ", "), ("=", ", "), (" is ", ", "))
        )
        listed = end.join(f"{key}{between}{x}" for key, x in spoken.items())
        frame = r.pick(
            (
                f"{verb.capitalize()} the {subject} with {{}}",
                f"Use {verb}_{subject} with {{}}",
                f"{verb.capitalize()} a {subject}: {{}}",
                f"Call {verb}_{subject}: {{}}",
                f"{verb.capitalize()} {subject}, {{}}",
            )
        )
        return (
            frame,
            listed,
            arguments,
            r.pick(("done", "ok", "failed", str(r.integer(1, 999)), draw.any_word(r))),
        )

    return tool, use


_MAKERS = (_weather, _time, _note, _mail, _convert, _lamp, _search, _timer, _any_tool, _any_tool)


def some_tools(r):
    """Up to three tools of different kinds: [(tool, use)]."""
    makers = list(dict.fromkeys(r.some(_MAKERS, r.integer(1, 3))))
    return [make(r) for make in makers]


def _call(identity, name, arguments):
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


def tool_use(r, answered):
    """(key, messages, tools, thinking).

    answered: the sentence after the results counts, else the calls do.
    """
    made = some_tools(r)
    thinking = r.chance(0.25)
    calls, results, questions = [], [], []
    for identity in range(2 if r.chance(0.15) else 1):
        tool, use = r.pick(made)
        frame, payload, arguments, result = use()
        questions.append(style.ask(r, frame, payload))
        calls.append(_call(f"call_{identity + 1}", tool["function"]["name"], arguments))
        results.append(result)
    names = [call["function"]["name"] for call in calls]
    question = r.pick((" And ", "\n", " Then ", " and ")).join(questions)
    asking = {"role": "assistant", "content": "", "tool_calls": calls}
    if thinking:
        asking["reasoning"] = f"I call {' and '.join(names)}."
    messages = [user(question), asking]
    if answered:
        messages += [
            {"role": "tool", "tool_call_id": call["id"], "content": result}
            for call, result in zip(calls, results)
        ]
        told = " ".join(f"{name} says: {result}." for name, result in zip(names, results))
        messages.append(assistant(told, "I report the result." if thinking else None))
    return question, messages, [tool for tool, _ in made], thinking
