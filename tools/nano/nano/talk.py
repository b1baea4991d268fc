"""Conversations: memory of what was told, and a needle in a long text."""

import json

from . import draw, pools, style
from .message import assistant, user

#: What can be told: the label, how its value is drawn, ways to tell it, further ways to ask for it.
_THINGS = {
    "name": (
        "name",
        draw.name,
        (
            "I am {}.",
            "My name's {}.",
            "Call me {}.",
            "I'm {}.",
            "Hi, I am {}.",
            "Hello, my name is {}.",
            "You can call me {}.",
        ),
        ("Who am I?", "What am I called?", "Do you know who I am?"),
    ),
    "city": (
        "home town",
        draw.city,
        ("I live in {}.", "I come from {}.", "I am from {}.", "My home is in {}."),
        ("Where do I live?", "Where am I from?", "Where do I come from?"),
    ),
    "colour": (
        "favourite colour",
        lambda r: r.pick(pools.COLOURS),
        ("I like {} best of all colours.", "The colour I like best is {}."),
        ("Which colour do I like best?",),
    ),
    "animal": (
        "favourite animal",
        lambda r: r.pick(pools.ANIMALS),
        ("The animal I like best is the {}.",),
        ("Which animal do I like best?",),
    ),
    "food": (
        "favourite food",
        lambda r: r.pick(pools.FOODS),
        ("The food I like best is {}.",),
        ("Which food do I like best?", "What do I like to eat?"),
    ),
    "number": (
        "lucky number",
        lambda r: str(r.integer(2, 999)),
        ("The number that brings me luck is {}.",),
        ("Which number brings me luck?",),
    ),
    "friend": ("best friend", draw.name, ("{} is my best friend.",), ("Who is my best friend?",)),
    "job": (
        "job",
        lambda r: r.pick(pools.JOBS),
        ("I work as a {}.", "I am a {}."),
        ("What do I work as?", "What do I do for a living?"),
    ),
    "pet": (
        "pet",
        lambda r: r.pick(pools.ANIMALS),
        ("I have a {}.", "I own a {}."),
        ("Which pet do I have?",),
    ),
    "word": (
        "secret word",
        lambda r: draw.any_word(r, 0.5),
        ("The secret word is {}.", "The word to remember is {}."),
        ("What is the secret word?", "What was the secret word?"),
    ),
    "age": (
        "age",
        lambda r: str(r.integer(4, 99)),
        ("I am {} years old.", "I'm {}."),
        ("How old am I?",),
    ),
}
_TELL = (
    "My {label} is {}.",
    "Remember this: my {label} is {}.",
    "By the way, my {label} is {}.",
    "Remember that my {label} is {}.",
    "Note: my {label} is {}.",
    "Please remember my {label}: {}",
)
_RECALL = (
    "What is my {label}?",
    "Do you remember my {label}?",
    "Tell me my {label}.",
    "What did I say my {label} is?",
    "What's my {label}?",
    "What was my {label}?",
    "Do you know my {label}?",
    "And my {label}?",
    "My {label}?",
    "Can you still tell me my {label}?",
    "What was my {label} once more?",
    "I forgot my {label}.",
    "Have you kept my {label}?",
)


def _tell(r, known, messages):
    thing = r.pick([x for x in _THINGS if x not in known])
    label, make, ways, _ = _THINGS[thing]
    value = make(r)
    if r.chance(0.2):
        value = value.lower()
    known[thing] = value
    frame = r.pick(ways) if r.chance(0.4) else r.pick(_TELL).replace("{label}", label)
    messages += [
        user(style.ask(r, frame, value)),
        assistant(f"I will remember that your {label} is {value}."),
    ]


def memory(r, filler):
    """(keys, messages); filler: r -> (key, question, answer) of something unrelated."""
    known, messages, keys = {}, [], []
    for _ in range(r.integer(1, 3)):
        _tell(r, known, messages)
    for _ in range(r.integer(0, 3)):
        if r.chance(0.3) and len(known) < 5:
            _tell(r, known, messages)
        else:
            key, question, answer = filler(r)
            messages += [user(question), assistant(answer)]
            keys.append(key)
    unknown = r.chance(0.15)
    thing = r.pick([x for x in _THINGS if (x not in known) == unknown])
    label, _, _, asking = _THINGS[thing]
    answer = (
        f"You have not told me your {label}." if unknown else f"Your {label} is {known[thing]}."
    )
    frame = r.pick(asking) if r.chance(0.3) else r.pick(_RECALL).replace("{label}", label)
    messages += [user(style.ask(r, frame)), assistant(answer)]
    return [json.dumps([known, label])] + keys, messages


def needle(r, least=None):
    """A fact hidden in up to 2,000 tokens of text: (key, messages).

    least  number of filler sentences
    """
    count = least or r.pick((r.integer(2, 12), r.integer(5, 30), r.integer(30, 100)))
    what = r.pick(("secret code", "password", "phone number", "secret code", "access code"))
    places = r.some(pools.NOUNS, r.integer(1, 4))
    codes = [
        draw.made_up_word(r) if what == "password" else str(draw.number(r, r.integer(3, 6)))
        for _ in places
    ]
    text = [draw.sentence(r) for _ in range(count)]
    for place, code in zip(places, codes):
        text.insert(r.integer(0, len(text)), f"The {what} of the {place} is {code}.")
    wanted = r.integer(0, len(places) - 1)
    frame = r.pick(
        (
            "What is the {what} of the {place}?",
            "What is the {what} of the {place}?",
            "Tell me the {what} of the {place}.",
            "Which {what} does the {place} have?",
            "What's the {what} of the {place}?",
            "The {what} of the {place}?",
        )
    )
    question = frame.replace("{what}", what).replace("{place}", places[wanted])
    asked, body = style.ask(r, question), " ".join(text)
    if count < 85:
        whole = r.pick(
            (
                f"{body}\n{asked}",
                f"{question}\n{body}\n{asked}",
                f"Read this text: {body}\nNow answer: {asked}",
                f"{body}\n\n{asked}",
            )
        )
    else:
        whole = f"{body}\n{asked}"
    return (
        f"{places[wanted]} {codes[wanted]}",
        [user(whole), assistant(f"The {what} of the {places[wanted]} is {codes[wanted]}.")],
    )
