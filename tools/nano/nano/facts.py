"""The fact table: about 350 facts, each asked in several wordings."""

from . import pools, style


def _table(entries, frames, answer, thing=None):
    """[(subject, frames, answer)]: frames have {} for the subject."""
    return [
        (thing.format(k) if thing else k, frames, answer.format(k, v)) for k, v in entries.items()
    ]


def _swapped(entries):
    return {v: k for k, v in entries.items()}


def _next_in(items):
    return {items[i]: items[(i + 1) % len(items)] for i in range(len(items))}


def _previous_in(items):
    return _swapped(_next_in(items))


_GROUPS = {
    "capital": (
        6,
        _table(
            pools.CAPITALS,
            (
                "What is the capital of {}?",
                "Name the capital of {}.",
                "Which city is the capital of {}?",
                "Capital of {}?",
                "What's the capital city of {}?",
                "Tell me the capital of {}.",
                "Do you know the capital of {}?",
                "Capital city of {}?",
                "The capital of {}?",
                "What is {}'s capital?",
                "Which city is {}'s capital?",
                "{} capital?",
                "{}'s capital",
                "Tell me {}'s capital.",
                "{}, capital?",
                "I forgot the capital of {}.",
                "Capital for {}?",
                "The main city of {}?",
            ),
            "The capital of {0} is {1}.",
        ),
    ),
    "country": (
        2,
        _table(
            _swapped(pools.CAPITALS),
            (
                "{} is the capital of which country?",
                "Which country has the capital {}?",
                "What country is {} the capital of?",
                "Of which country is {} the capital?",
                "{} is the capital of what?",
            ),
            "{0} is the capital of {1}.",
        ),
    ),
    "symbol": (
        2,
        _table(
            pools.SYMBOLS,
            (
                "What is the chemical symbol of {}?",
                "Chemical symbol for {}?",
                "Which symbol stands for {}?",
                "What is the symbol of the element {}?",
                "What is the chemical symbol for {}?",
                "Symbol for {}?",
                "Symbol of {}?",
                "{} symbol?",
                "{}'s chemical symbol",
                "How do chemists write {}?",
                "Which letters stand for {} in chemistry?",
                "Tell me the chemical symbol of {}.",
            ),
            "The chemical symbol of {0} is {1}.",
        ),
    ),
    "opposite": (
        2,
        _table(
            {**pools.OPPOSITES, **_swapped(pools.OPPOSITES)},
            (
                "What is the opposite of {}?",
                "Opposite of {}?",
                "Name the opposite of {}.",
                "Which word is the opposite of {}?",
                "What's the opposite of {}?",
                "Tell me the opposite of {}.",
                "The opposite of {} is",
            ),
            "The opposite of {0} is {1}.",
        ),
    ),
    "young": (
        1,
        _table(
            pools.YOUNG,
            (
                "What is a young {} called?",
                "What do you call a baby {}?",
                "Name for a young {}?",
                "What is the name of a young {}?",
                "What is a baby {} called?",
                "How do you call a young {}?",
            ),
            "A young {0} is called a {1}.",
        ),
    ),
    "sound": (
        1,
        _table(
            pools.SOUNDS,
            (
                "What sound does a {} make?",
                "Which sound does a {} make?",
                "What does a {} do to make noise?",
                "Tell me the sound of a {}.",
                "What noise does a {} make?",
            ),
            "A {0} {1}.",
        ),
    ),
    "legs": (
        1,
        _table(
            pools.LEGS,
            (
                "How many legs does a {} have?",
                "Number of legs of a {}?",
                "How many legs has a {}?",
                "{} legs?",
                "Legs of a {}?",
                "Count the legs of a {}.",
                "Tell me how many legs a {} has.",
            ),
            "A {0} has {1} legs.",
        ),
    ),
    "sides": (
        1,
        _table(
            pools.SIDES,
            (
                "How many sides does a {} have?",
                "Number of sides of a {}?",
                "How many sides has a {}?",
                "How many corners does a {} have?",
            ),
            "A {0} has {1} sides.",
        ),
    ),
    "currency": (
        1,
        _table(
            pools.CURRENCIES,
            (
                "What is the currency of {}?",
                "Which currency does {} use?",
                "Currency of {}?",
                "What money do they use in {}?",
                "What do you pay with in {}?",
                "{} currency?",
                "Tell me the currency of {}.",
            ),
            "The currency of {0} is the {1}.",
        ),
    ),
    "continent": (
        1,
        _table(
            pools.CONTINENTS,
            (
                "On which continent is {}?",
                "Which continent is {} in?",
                "Continent of {}?",
                "On what continent does {} lie?",
                "Tell me the continent of {}.",
            ),
            "{0} is in {1}.",
        ),
    ),
    "past": (
        1,
        _table(
            pools.PAST,
            (
                "What is the past tense of {}?",
                "Past tense of {}?",
                "Give me the past tense of {}.",
                "Past form of {}?",
                "What's the past tense of the verb {}?",
            ),
            "The past tense of {0} is {1}.",
        ),
    ),
    "plural": (
        1,
        _table(
            pools.PLURALS,
            (
                "What is the plural of {}?",
                "Plural of {}?",
                "Give me the plural of {}.",
                "What's the plural form of {}?",
                "Plural form of {}?",
            ),
            "The plural of {0} is {1}.",
        ),
    ),
    "month": (
        1,
        _table(
            pools.MONTH_DAYS,
            (
                "How many days does {} have?",
                "How many days are in {}?",
                "Number of days in {}?",
                "How many days has {}?",
            ),
            "{0} has {1} days.",
        ),
    ),
    "planet": (
        1,
        _table(
            dict(zip(pools.ORDINALS, pools.PLANETS)),
            (
                "Which planet is the {} from the sun?",
                "What is the {} planet from the sun?",
                "Name the {} planet.",
                "What is the {} planet?",
                "{} planet from the sun?",
            ),
            "The {0} planet from the sun is {1}.",
        ),
    ),
    "after": (
        2,
        _table(
            _next_in(pools.DAYS),
            (
                "Which day comes after {}?",
                "What is the day after {}?",
                "Name the day that follows {}.",
                "What day comes after {}?",
                "What comes after {}?",
                "Day after {}?",
                "The day following {}?",
            ),
            "After {0} comes {1}.",
        )
        + _table(
            _next_in(pools.MONTHS),
            (
                "Which month comes after {}?",
                "What is the month after {}?",
                "Name the month that follows {}.",
                "What month comes after {}?",
                "What comes after {}?",
                "Which month is after {}?",
                "Month after {}?",
                "The month following {}?",
            ),
            "After {0} comes {1}.",
        ),
    ),
    "before": (
        1,
        _table(
            _previous_in(pools.DAYS),
            (
                "Which day comes before {}?",
                "What is the day before {}?",
                "What day comes before {}?",
                "What comes before {}?",
            ),
            "Before {0} comes {1}.",
        )
        + _table(
            _previous_in(pools.MONTHS),
            (
                "Which month comes before {}?",
                "What is the month before {}?",
                "What month comes before {}?",
                "What comes before {}?",
            ),
            "Before {0} comes {1}.",
        ),
    ),
}
_BAG = [group for group, (share, _) in _GROUPS.items() for _ in range(share)]


def fact(r):
    """(key, question, thought, answer).

    The key is subject and wording together: facts are trained, some of their wordings held out.
    """
    group = r.pick(_BAG)
    subject, frames, answer = r.pick(_GROUPS[group][1])
    frame = r.pick(frames)
    case = r.unit()
    asked = (
        subject.lower()
        if case < 0.35
        else subject.upper()
        if case < 0.39 and len(subject) > 2
        else subject
    )
    return (
        f"{group} {subject} {frame}",
        style.ask(r, frame, asked),
        "I know this from my table.",
        answer,
    )


def count():
    return sum(len(table) for _, table in _GROUPS.values())
