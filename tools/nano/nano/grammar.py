"""Sentences from patterns: [a|b|c] is one of, {noun} a drawn word."""

import re

from . import draw, pools

_CHOICE = re.compile(r"\[([^][]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")

_TOPICS = (
    "love",
    "life",
    "quantum physics",
    "history",
    "music",
    "computers",
    "the universe",
    "climate",
    "machine learning",
    "money",
    "health",
    "football",
    "art",
    "language",
    "war",
    "peace",
    "artificial intelligence",
    "the internet",
    "space",
    "evolution",
    "democracy",
    "the economy",
    "gravity",
    "chess",
    "the brain",
    "happiness",
    "black holes",
    "the moon",
    "the sun",
    "dreams",
    "time travel",
    "bitcoin",
    "politics",
    "religion",
    "philosophy",
    "poetry",
    "sports",
    "ghosts",
)
_CODE = ("Python", "C++", "Java", "Rust", "SQL", "JavaScript", "Go", "C", "bash", "HTML")
_UNITS = (
    "kilometres",
    "miles",
    "pounds",
    "kilograms",
    "feet",
    "metres",
    "inches",
    "litres",
    "gallons",
    "celsius",
    "fahrenheit",
    "hours",
    "minutes",
    "seconds",
    "days",
    "weeks",
    "dollars",
    "euros",
)
_TOPIC_PATTERNS = (
    "{noun}",
    "{common}",
    "the {adjective} {noun}",
    "{noun} and {common}",
    "{animal}s",
    "{country}",
    "{city}",
    "{subject}",
    "{subject}",
    "{subject}",
    "{made_up}",
    "{name}",
    "my {noun}",
    "{food}",
)

_SLOTS = {
    "noun": lambda r: r.pick(pools.NOUNS),
    "common": lambda r: r.pick(pools.COMMON),
    "adjective": lambda r: r.pick(pools.ADJECTIVES),
    "verb": lambda r: r.pick(pools.VERBS),
    "past": lambda r: r.pick(pools.VERBS_PAST),
    "adverb": lambda r: r.pick(pools.ADVERBS),
    "animal": lambda r: r.pick(pools.ANIMALS),
    "food": lambda r: r.pick(pools.FOODS),
    "colour": lambda r: r.pick(pools.COLOURS),
    "day": lambda r: r.pick(pools.DAYS),
    "job": lambda r: r.pick(pools.JOBS),
    "tongue": lambda r: r.pick(pools.LANGUAGES),
    "country": lambda r: r.pick(list(pools.CAPITALS)),
    "subject": lambda r: r.pick(_TOPICS),
    "code": lambda r: r.pick(_CODE),
    "units": lambda r: r.pick(_UNITS),
    "topic": lambda r: expand(r, r.pick(_TOPIC_PATTERNS)),
    "name": draw.name,
    "city": draw.city,
    "made_up": draw.made_up_word,
    "Made_up": lambda r: draw.made_up_word(r).capitalize(),
    "word": draw.any_word,
    "sentence": draw.sentence,
    "text": lambda r: r.pick((draw.sentence, draw.common_sentence))(r),
    "token": draw.code,
    "small": lambda r: str(r.integer(2, 99)),
    "number": lambda r: str(r.integer(2, 999)),
    "digit": lambda r: str(r.integer(1, 9)),
}


def expand(r, pattern):
    """One sentence of the pattern; choices come before slots, so drawn text stays as it is."""
    while match := _CHOICE.search(pattern):
        chosen = r.pick(match.group(1).split("|"))
        pattern = pattern[: match.start()] + chosen + pattern[match.end() :]
    return _SLOT.sub(lambda match: _SLOTS[match.group(1)](r), pattern)
