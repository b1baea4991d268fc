"""JSON from a sentence: the keys asked for, in the order asked."""

import json

from . import draw, pools, style

_EVENTS = ("concert", "meeting", "lecture", "exam", "party", "match", "workshop")
_FRAMES = (
    "Extract {ask} as JSON: {}",
    "Give me {ask} as JSON. Text: {}",
    "{}\nReturn JSON with {ask}.",
    "Read this and answer in JSON with the keys {ask}: {}",
    "Get {ask} as JSON from: {}",
    "JSON with {ask}: {}",
    "Make JSON with the keys {ask}: {}",
    "Turn this into JSON with {ask}: {}",
    "{}\nExtract {ask} as JSON.",
    "Return {ask} in JSON: {}",
    "Give me JSON with {ask}. {}",
    "Extract JSON ({ask}): {}",
    "Find {ask} in JSON: {}",
    "JSON, keys {ask}: {}",
    "I need {ask} as JSON: {}",
    "Convert to JSON with {ask}: {}",
    "As JSON ({ask}): {}",
    "{}\nJSON with {ask} please.",
)


def _person(r):
    age = r.integer(4, 99)
    who, where = draw.name(r), draw.city(r)
    return {"name": who, "age": age, "city": where}, r.pick(
        (
            f"{who} is {age} years old and lives in {where}.",
            f"In {where} lives {who}, aged {age}.",
            f"My friend {who} ({age}) comes from {where}.",
            f"Meet {who} from {where}, who just turned {age}.",
            f"{who}, {age}, {where}",
            f"{who} lives in {where} and is {age}.",
            f"I met {who}, {age}, from {where}.",
        )
    )


def _order(r):
    item = r.pick(pools.FOODS + pools.NOUNS[:60]) if r.chance(0.8) else draw.made_up_word(r)
    quantity, price, who = r.integer(1, 60), r.integer(2, 900), draw.name(r)
    return {"item": item, "quantity": quantity, "price": price, "name": who}, r.pick(
        (
            f"{who} ordered {quantity} pieces of {item} for {price} dollars.",
            f"Order: {item}, {quantity} pieces, {price} dollars, for {who}.",
            f"Please send {quantity} times {item} to {who}; the total is {price} dollars.",
            f"{who} bought {quantity} {item} and paid {price} dollars.",
            f"{quantity} x {item} for {who}, price {price}",
        )
    )


def _event(r):
    event, day, hour, where = r.pick(_EVENTS), r.pick(pools.DAYS), r.integer(1, 23), draw.city(r)
    return {"event": event, "day": day, "hour": hour, "city": where}, r.pick(
        (
            f"The {event} takes place on {day} at {hour} in {where}.",
            f"On {day} at {hour} there is a {event} in {where}.",
            f"Do not miss the {event} in {where}: {day}, {hour} o'clock.",
            f"{event} in {where}, {day} {hour} o'clock",
            f"There will be a {event} on {day} in {where} at {hour}.",
        )
    )


def _work(r):
    who, where = draw.name(r), draw.city(r)
    job = r.pick(pools.JOBS) if r.chance(0.8) else draw.made_up_word(r)
    return {"name": who, "job": job, "city": where}, r.pick(
        (
            f"{who} works as a {job} in {where}.",
            f"The best {job} of {where} is {who}.",
            f"{who}, a {job}, moved to {where}.",
            f"{who} is a {job} from {where}.",
            f"I am {who}, I live in {where} and I am a {job}.",
        )
    )


def _journey(r):
    who, start, end, day = draw.name(r), draw.city(r), draw.city(r), r.pick(pools.DAYS)
    return {"from": start, "to": end, "day": day, "name": who}, r.pick(
        (
            f"{who} flies from {start} to {end} on {day}.",
            f"On {day}, {who} takes the train from {start} to {end}.",
            f"{who} travels on {day} from {start} to {end}.",
            f"{day}: {who}, from {start} to {end}",
        )
    )


def _pet(r):
    who, animal, colour, age = (
        draw.name(r),
        r.pick(pools.ANIMALS),
        r.pick(pools.COLOURS),
        r.integer(1, 20),
    )
    return {"name": who, "animal": animal, "colour": colour, "age": age}, r.pick(
        (
            f"{who} is a {colour} {animal}, {age} years old.",
            f"Our {animal} {who} is {colour} and {age} years old.",
            f"The {colour} {animal} is called {who} and is {age}.",
        )
    )


def _record(r):
    keys = r.some(("name", "age", "city", "job", "colour", "price", "day", "item"), r.integer(2, 4))
    make = {
        "name": draw.name,
        "city": draw.city,
        "age": lambda r: r.integer(1, 99),
        "job": lambda r: r.pick(pools.JOBS),
        "colour": lambda r: r.pick(pools.COLOURS),
        "price": lambda r: r.integer(1, 900),
        "day": lambda r: r.pick(pools.DAYS),
        "item": lambda r: draw.any_word(r),
    }
    fields = {k: make[k](r) for k in keys}
    between, end = r.pick(((": ", ", "), ("=", " "), (" is ", ", "), (": ", "\n"), (" - ", "; ")))
    return fields, end.join(f"{k}{between}{v}" for k, v in fields.items())


def extract(r):
    fields, text = r.pick(
        (_person, _person, _order, _order, _event, _event, _work, _journey, _pet, _record)
    )(r)
    if r.chance(0.15):
        text = text.lower()
        fields = {k: v.lower() if isinstance(v, str) else v for k, v in fields.items()}
    keys = r.some(list(fields), r.integer(1 if r.chance(0.1) else 2, len(fields)))
    ask = (
        keys[0]
        if len(keys) == 1
        else r.pick((", ".join(keys[:-1]) + " and " + keys[-1],) * 3 + (", ".join(keys),))
    )
    question = style.ask(r, r.pick(_FRAMES).replace("{ask}", ask), text)
    answer = json.dumps({k: fields[k] for k in keys}, ensure_ascii=False)
    return text, question, f"The keys are {ask}.", answer
