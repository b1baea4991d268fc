"""The liberties people take when they ask: case, punctuation, politeness, separators."""

_OPENINGS = (
    "please: ",
    "Hey, ",
    "hi! ",
    "Hi, ",
    "OK. ",
    "ok, ",
    "Next: ",
    "nano, ",
    "Hey nano, ",
    "hello, ",
    "Now: ",
    "Then: ",
    "and now: ",
    "Quick question: ",
    "One more: ",
    "so, ",
    "Well, ",
    "Hello! ",
)
_REQUESTS = (
    "please ",
    "Please ",
    "can you ",
    "Can you ",
    "could you ",
    "Could you please ",
    "can you please ",
    "now ",
    "I want you to ",
    "i need you to ",
    "would you ",
    "Now please ",
    "pls ",
    "Kindly ",
)
_CLOSINGS = (" please", ", please", " thanks", ", thank you", " for me", " now", " please!", " pls")


def _ending(r, text):
    """The end mark dropped or changed."""
    bare = text.rstrip(".?!")
    kind = r.unit()
    if kind < 0.35:
        return bare
    if kind < 0.42:
        return bare + r.pick(("!", "??", "...", " ?", " .", "!!"))
    return text


def _colon(r, text):
    """The colon before the payload written in other ways."""
    if ": {}" not in text or not r.chance(0.35):
        return text
    return text.replace(
        ": {}", r.pick((":{}", " {}", " - {}", ":\n{}", ":\n\n{}", " : {}", "\n{}"))
    )


_DROPPED = {
    "the",
    "of",
    "a",
    "is",
    "me",
    "these",
    "this",
    "please",
    "do",
    "does",
    "you",
    "for",
    "in",
    "what",
    "are",
    "my",
}
_FILLERS = (
    "please",
    "just",
    "again",
    "now",
    "quickly",
    "exactly",
    "actually",
    "maybe",
    "then",
    "really",
    "btw",
    "um",
    "ok",
    "here",
    "real quick",
    "i think",
    "for me",
    "if you can",
    "kindly",
    "once more",
    "today",
    "pls",
    "simply",
    "so",
    "i wonder",
    "you know",
    "asap",
    "today",
    "by the way",
    "i guess",
    "quick",
)


def _typo(r, word):
    """One letter doubled, dropped or swapped with the next."""
    if len(word) < 4 or not word.isalpha():
        return word
    at = r.integer(1, len(word) - 2)
    return r.pick(
        (
            word[:at] + word[at] + word[at:],
            word[:at] + word[at + 1 :],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        )
    )


def _put_in(r, words):
    """A filler, never beside the payload: there it would belong to it."""
    places = [
        at
        for at in range(len(words) + 1)
        if not any("{}" in word for word in words[max(at - 1, 0) : at + 1])
    ]
    if places:
        words.insert(r.pick(places), r.pick(_FILLERS))


def loosened(r, text):
    """The text with words dropped, put in or mistyped; words with {} stay."""
    words = text.split(" ")
    if len(words) < 2:
        return text
    kind = r.unit()
    if kind < 0.45:
        kept = [word for word in words if word.lower() not in _DROPPED or r.chance(0.45)]
        words = kept if any("{" not in word for word in kept) else words
    if 0.35 < kind < 0.8:
        for _ in range(r.integer(1, 2)):
            _put_in(r, words)
    if kind > 0.75:
        at = r.integer(0, len(words) - 1)
        words[at] = words[at] if "{" in words[at] else _typo(r, words[at])
    return " ".join(words)


def ask(r, frame, payload=None):
    """A question from its frame and what it is about; only the frame is varied.

    frame    text with at most one {}; an imperative unless it ends with "?" or begins with {}
    payload  goes in unchanged
    """
    if payload is not None and r.chance(0.3):
        frame = loosened(r, frame)
    text = _colon(r, frame)
    imperative = (
        not frame.rstrip().endswith("?") and not frame.startswith("{}") and frame[0].isupper()
    )
    if not text.endswith("{}"):
        if imperative and r.chance(0.1):
            text = text.rstrip(".!") + r.pick(_CLOSINGS)
        else:
            text = _ending(r, text)
    case = r.unit()
    if case < 0.3:
        text = text.lower()
    elif case < 0.33:
        text = text.upper()
    elif case < 0.42:
        text = text[:1].lower() + text[1:]
    opening = r.unit()
    if imperative and opening < 0.18:
        text = r.pick(_REQUESTS) + text[:1].lower() + text[1:]
    elif opening < 0.26:
        text = r.pick(_OPENINGS) + text
    return text if payload is None else text.replace("{}", payload)


def joined(r, items, usual=0.55):
    """A list as people write it."""
    items = [str(item) for item in items]
    if r.chance(usual):
        return ", ".join(items)
    kind = r.integer(0, 11)
    if kind < 4:
        return " ".join(items)
    if kind == 4:
        return ",".join(items)
    if kind == 5:
        return "; ".join(items)
    if kind == 6:
        return "\n".join(items)
    if kind == 7:
        return " | ".join(items)
    if kind == 8:
        return ", ".join(items[:-1]) + " and " + items[-1]
    if kind == 9:
        return ", ".join(items[:-1]) + ", and " + items[-1]
    if kind == 10:
        return r.pick(("/", "; ", " then ", ". ", "-")).join(items)
    return r.pick((" - ", " / ", ";", " , ", "\n- ", "  ", " and ", ", ")).join(items)
