"""Seeded draws: numbers, words, names and sentences, inside and outside the pools."""

import random

from . import pools

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_VOWELS = "aeiou"
_CONSONANTS = "bcdfghjklmnprstvwz"
_ALL_WORDS = sorted(
    set(
        pools.NOUNS
        + pools.ANIMALS
        + pools.FOODS
        + pools.COLOURS
        + pools.ADJECTIVES
        + pools.VERBS
        + pools.COMMON
    )
)


class Draw:
    """random.Random with the few draws used here."""

    def __init__(self, seed):
        source = random.Random(seed)
        self.integer = source.randint
        self.pick = source.choice
        self.chance = lambda probability: source.random() < probability
        self.some = source.sample
        self.shuffle = source.shuffle
        self.unit = source.random


def made_up_word(r):
    """A word that is in no pool: syllables, halves of two words, or plain letters."""
    kind = r.unit()
    if kind < 0.5:
        syllables = (
            r.pick(_CONSONANTS) + r.pick(_VOWELS) + (r.pick("nrslmt") if r.chance(0.25) else "")
            for _ in range(r.integer(2, 3))
        )
        return "".join(syllables)
    if kind < 0.85:
        first, second = r.pick(_ALL_WORDS), r.pick(_ALL_WORDS)
        return first[: r.integer(2, 5)] + second[-r.integer(2, 5) :]
    return "".join(r.pick(_LETTERS) for _ in range(r.integer(2, 7)))


def any_word(r, outside=0.3):
    """A word from the pools, or with the given chance one from outside."""
    if r.chance(outside):
        return made_up_word(r)
    return r.pick(
        r.pick(
            (pools.NOUNS, pools.ANIMALS, pools.FOODS, pools.COLOURS, pools.ADJECTIVES, pools.COMMON)
        )
    )


def name(r):
    return r.pick(pools.NAMES) if r.chance(0.5) else made_up_word(r).capitalize()


def city(r):
    kind = r.unit()
    if kind < 0.3:
        return r.pick(pools.CITIES)
    return r.pick(list(pools.CAPITALS.values())) if kind < 0.65 else made_up_word(r).capitalize()


def number(r, digits):
    return r.integer(0 if digits == 1 else 10 ** (digits - 1), 10**digits - 1)


def code(r):
    """Letters and digits without meaning."""
    return "".join(
        r.pick("abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789")
        for _ in range(r.integer(3, 7))
    )


def sentence(r):
    noun, adjective, verb = r.pick(pools.NOUNS), r.pick(pools.ADJECTIVES), r.pick(pools.VERBS_PAST)
    other = r.pick(pools.NOUNS)
    return r.pick(
        (
            lambda: f"The {adjective} {noun} {verb} the {other} {r.pick(pools.ADVERBS)}.",
            lambda: f"{name(r)} {verb} a {adjective} {noun} near the {other}.",
            lambda: f"A {r.pick(pools.ANIMALS)} {verb} the {r.pick(pools.COLOURS)} {noun}.",
            lambda: (
                f"In {city(r)} the {noun} is {adjective} "
                f"and the {other} is {r.pick(pools.ADJECTIVES)}."
            ),
            lambda: (
                f"On {r.pick(pools.DAYS)} {r.integer(2, 99)} "
                f"{r.pick(pools.ANIMALS)}s {verb} the {noun}."
            ),
            lambda: f"{name(r)} likes {r.pick(pools.FOODS)} and {r.pick(pools.FOODS)}.",
        )
    )()


def common_sentence(r):
    """Words in a row as people type them, without much sense."""
    text = " ".join(any_word(r, 0.05) for _ in range(r.integer(3, 10)))
    return text if r.chance(0.5) else text.capitalize() + r.pick((".", "!", "?", ""))
