"""Copying and sorting."""

from . import draw, pools, style

_COPY_FRAMES = (
    "Repeat after me: {}",
    "Copy this text: {}",
    "Say exactly: {}",
    "Repeat: {}",
    "Copy: {}",
    "Echo this: {}",
    "Echo: {}",
    "Write this again, word for word: {}",
    "Say: {}",
    "Repeat the following: {}",
    "Type this: {}",
    "Print: {}",
    "Copy the following text: {}",
    "Write exactly this: {}",
    "Repeat this back to me: {}",
    "Say this: {}",
    "Output: {}",
)
_QUOTED_FRAMES = (
    'Repeat "{}"',
    'Say "{}"',
    'Copy "{}"',
    'Repeat the words "{}".',
    "Say '{}'",
    'Echo "{}"',
    'Write "{}"',
)
_ASCENDING = (
    "Sort: {}",
    "Sort these numbers: {}",
    "Sort in ascending order: {}",
    "Sort from smallest to largest: {}",
    "Put these numbers in order: {}",
    "Order: {}",
    "Sort the numbers {}",
    "Sort {}",
    "Arrange in order: {}",
    "Order these from low to high: {}",
    "Sort ascending: {}",
    "Sort this list: {}",
    "Smallest first: {}",
    "{} sorted",
    "Rank these numbers from lowest to highest: {}",
    "Put in ascending order: {}",
    "{}\nSort these numbers.",
    "From low to high: {}",
    "Which order, lowest first: {}",
    "{} in ascending order",
    "Bring {} into order.",
    "Lowest first: {}",
    "Line up from least to greatest: {}",
    "Sort up: {}",
    "Sort the list {}",
    "The numbers {} in order?",
    "Sort values: {}",
    "I have {}, sort them.",
    "Sort from low to high: {}",
    "Increasing order: {}",
    "Sort numerically: {}",
)
_DESCENDING = (
    "Sort in descending order: {}",
    "Sort from largest to smallest: {}",
    "Sort these numbers descending: {}",
    "Biggest first: {}",
    "Order these from high to low: {}",
    "Sort descending: {}",
    "Largest first: {}",
    "Sort from high to low: {}",
    "Sort in reverse order: {}",
    "Put in descending order: {}",
    "Rank these numbers from highest to lowest: {}",
    "From high to low: {}",
    "From largest to smallest: {}",
    "{} in descending order",
    "Highest first: {}",
    "Line up from greatest to least: {}",
    "Sort down: {}",
    "Decreasing order: {}",
    "The numbers {} from big to small?",
    "I have {}, sort them descending.",
    "Sort the list {} from the top.",
)
_ALPHABETICAL = (
    "Sort alphabetically: {}",
    "Sort these words: {}",
    "Put these words in alphabetical order: {}",
    "Sort from A to Z: {}",
    "Sort the words {}",
    "Alphabetical order: {}",
    "Order alphabetically: {}",
    "Sort: {}",
    "Sort {}",
    "Arrange alphabetically: {}",
    "Put in alphabetical order: {}",
    "Sort this list of words: {}",
    "{}\nSort these words.",
    "Alphabetize: {}",
    "A to Z: {}",
    "Order these words from a to z: {}",
    "{} in alphabetical order",
    "Bring {} into alphabetical order.",
    "Sort these things: {}",
    "Sort these animals: {}",
    "Sort the list: {}",
    "Sort my list: {}",
    "Sort these items: {}",
    "Order by letter: {}",
    "Alphabetical: {}",
    "I have {}, sort them.",
    "The words {} in order?",
    "Sort by first letter: {}",
    "Dictionary order: {}",
    "Sort these places: {}",
    "Sort these people: {}",
    "Sort everything: {}",
)
_SORTABLE = sorted(
    set(pools.ANIMALS + pools.FOODS + pools.COLOURS + pools.NOUNS + pools.ADJECTIVES + pools.VERBS)
)
_COMMON = sorted(set(pools.COMMON))
_ODD = ("🙂", "日本", "ñ", "Ω", "ж", "你好", "é", "ß", "🚀", "ü", "한국")


def _copied_text(r):
    kind = r.unit()
    if kind < 0.4:
        outside = r.pick((0.1, 0.3, 1))
        text = " ".join(draw.any_word(r, outside) for _ in range(r.integer(1, 12)))
        return text if r.chance(0.7) else text.capitalize() + r.pick((".", "!", "", "?"))
    if kind < 0.55:
        return " ".join(draw.code(r) for _ in range(r.integer(1, 4)))
    if kind < 0.68:
        return " ".join(str(draw.number(r, r.integer(1, 6))) for _ in range(r.integer(1, 8)))
    if kind < 0.8:
        return " ".join(draw.sentence(r) for _ in range(r.integer(1, 2)))
    if kind < 0.9:
        words = [draw.any_word(r) for _ in range(r.integer(2, 6))]
        return r.pick((", ", "-", " / ", "; ", "_", "  ", " + ", ".", ",")).join(words)
    if kind < 0.95:
        return " ".join(
            r.pick((draw.any_word, draw.name, draw.city, draw.code))(r)
            for _ in range(r.integer(2, 7))
        )
    words = [draw.any_word(r) for _ in range(r.integer(1, 5))]
    words.insert(r.integer(0, len(words)), "".join(r.pick(_ODD) for _ in range(r.integer(1, 2))))
    return " ".join(words)


def copying(r):
    text = _copied_text(r)
    frame = r.pick(_QUOTED_FRAMES) if r.chance(0.2) else r.pick(_COPY_FRAMES)
    return text, style.ask(r, frame, text), "I copy the text.", text


def numbers(r):
    count = r.integer(2, 8) if r.chance(0.1) else r.integer(3, 7)
    digits = r.pick(((1, 2, 2, 2, 3), (1, 2, 2, 2, 3), (2,), (1, 2), (3,), (1,), (1, 2, 3), (2, 3)))
    xs = [draw.number(r, r.pick(digits)) for _ in range(count)]
    if r.chance(0.15):
        xs[1] = xs[0]
    r.shuffle(xs)
    down = r.chance(0.3)
    question = style.ask(r, r.pick(_DESCENDING if down else _ASCENDING), style.joined(r, xs))
    return (
        f"{sorted(xs)}",
        question,
        f"Smallest {min(xs)}, largest {max(xs)}.",
        ", ".join(map(str, sorted(xs, reverse=down))),
    )


def _listed_words(r):
    kind = r.unit()
    if kind < 0.58:
        return r.some(_SORTABLE, r.integer(3, 7))
    if kind < 0.76:
        return r.some(_COMMON, r.integer(3, 6))
    if kind < 0.86:
        names = r.some(pools.NAMES, r.integer(3, 6))
        return [name.lower() for name in names] if r.chance(0.4) else names
    if kind < 0.96:
        return list(dict.fromkeys(draw.made_up_word(r) for _ in range(r.integer(3, 5))))
    letter = r.pick(_SORTABLE)[0]
    same = [word for word in _SORTABLE if word[0] == letter]
    return r.some(same, min(len(same), r.integer(2, 4)))


def words(r):
    xs = _listed_words(r)
    question = style.ask(r, r.pick(_ALPHABETICAL), style.joined(r, xs))
    return f"{sorted(xs)}", question, f"First {min(xs)}, last {max(xs)}.", ", ".join(sorted(xs))
