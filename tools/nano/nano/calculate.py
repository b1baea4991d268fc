"""Arithmetic: single operations, chains that need steps, and what is refused."""

from . import draw, sentences, style

#: Every way to write an operation; {a} and {b} are the numbers.
_FORMS = {
    "+": (
        "{a} + {b}",
        "{a} + {b}",
        "{a}+{b}",
        "{a} plus {b}",
        "add {a} and {b}",
        "add {b} to {a}",
        "the sum of {a} and {b}",
        "sum of {a} and {b}",
        "{a} and {b} added",
        "add {a} + {b}",
        "{a} added to {b}",
        "{a} increased by {b}",
        "the total of {a} and {b}",
        "{a} and {b} in total",
        "add up {a} and {b}",
        "{a} with {b} on top",
        "{b} more than {a}",
    ),
    "-": (
        "{a} - {b}",
        "{a} - {b}",
        "{a}-{b}",
        "{a} minus {b}",
        "subtract {b} from {a}",
        "{a} take away {b}",
        "{a} less {b}",
        "take {b} away from {a}",
        "subtract {a} - {b}",
        "{a} reduced by {b}",
        "deduct {b} from {a}",
        "remove {b} from {a}",
        "{b} less than {a}",
        "{a} without {b}",
        "{b} subtracted from {a}",
    ),
    "*": (
        "{a} * {b}",
        "{a} x {b}",
        "{a}*{b}",
        "{a}x{b}",
        "{a} times {b}",
        "multiply {a} by {b}",
        "multiply {a} and {b}",
        "the product of {a} and {b}",
        "product of {a} and {b}",
        "{a} multiplied by {b}",
        "{a} × {b}",
        "{a} multiplied with {b}",
        "{a} X {b}",
        "{b} lots of {a}",
    ),
    "/": (
        "{a} / {b}",
        "{a} / {b}",
        "{a}/{b}",
        "{a} divided by {b}",
        "divide {a} by {b}",
        "{a} : {b}",
        "{a} over {b}",
        "{a} ÷ {b}",
        "{a} split by {b}",
        "{a} shared by {b}",
        "divide {a} into {b} parts",
    ),
}
_FRAMES = (
    "What is {}?",
    "What is {}?",
    "{}",
    "{}",
    "{} =",
    "{} = ?",
    "{}=",
    "{}?",
    "Compute {}.",
    "Calculate {}.",
    "How much is {}?",
    "What's {}?",
    "Tell me {}.",
    "Solve {}.",
    "What does {} make?",
    "Work out {}.",
    "The result of {}?",
    "Compute: {}",
    "Calculate: {}",
    "Give me {}.",
    "What do you get for {}?",
    "I need {}.",
    "Do you know {}?",
    "What would {} be?",
    "{} is what?",
    "{} makes",
    "Answer this: {}",
    "What comes out of {}?",
    "{} gives",
    "I get stuck at {}.",
    "My homework: {}",
    "Find {}.",
    "Please do {}.",
    "Can you do {}?",
    "{} - what is it?",
    "How much would {} be?",
    "Is it hard? {}",
    "{} in numbers?",
)
_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
).split()


def apply(op, a, b):
    """The answer as text; a quotient that is not whole has a remainder."""
    if op == "+":
        return str(a + b)
    if op == "-":
        return str(a - b)
    if op == "*":
        return str(a * b)
    return str(a // b) if a % b == 0 else f"{a // b} remainder {a % b}"


def key(op, a, b):
    """What the hold-out hashes: one key for a calculation and whatever gives its answer away.

    "small" is always trained.
    """
    if op == "+":
        return "small" if min(a, b) < 10 else f"{min(a, b)}+{max(a, b)}"
    if op == "-":
        return "small" if min(abs(a), abs(b)) < 10 else f"{a}-{b}"
    if op == "/" and a % b:
        return "small" if a < 30 else f"{a}/{b}"
    large, little = (max(a, b), min(a, b)) if op == "*" else (max(a // b, b), min(a // b, b))
    return "small" if large < 13 or little < 3 or large % 10 == 0 else f"{large}x{little}"


def _written(r, op, a, b):
    form = r.pick(_FORMS[op])
    if max(a, b) <= 20 and len(form) > 9 and r.chance(0.25):
        a, b = _NUMBER_WORDS[a], _NUMBER_WORDS[b]
    return form.replace("{a}", str(a)).replace("{b}", str(b))


def _asked(r, expression):
    if " " in expression and r.chance(0.06):
        words = expression.split(" ")
        words.insert(
            r.integer(0, len(words)),
            r.pick(("please", "ok", "now", "just", "exactly", "then", "well")),
        )
        expression = " ".join(words)
    if r.chance(0.03):
        expression = expression[:1].upper() + expression[1:]
    return style.ask(r, r.pick(_FRAMES), expression)


def _digits_to_number(digits):
    return int("".join(map(str, digits)))


def _chained(r, op):
    """Two numbers whose carries or borrows run through."""
    first, second = [], []
    for _ in range(r.pick((2, 3, 3))):
        x = r.integer(0, 9)
        y = r.integer(0, 9)
        if r.chance(0.5):
            y = 9 - x if op == "+" else x
        first.append(x)
        second.append(y)
    return _digits_to_number(first), _digits_to_number(second)


def _near(r):
    """Two numbers whose leading digits agree."""
    a = r.integer(10, 999)
    return a, min(max(a + r.integer(-40, 40), 0), 999)


def _sum_operands(r, op):
    kind = r.unit()
    if kind < 0.6:
        return tuple(draw.number(r, r.pick((1, 2, 2, 3, 3, 3))) for _ in range(2))
    return _chained(r, op) if kind < 0.85 else _near(r)


def _product_operands(r):
    kind = r.unit()
    if kind < 0.2:
        a, b = r.integer(0, 12), r.integer(0, 12)
    elif kind < 0.3:
        a, b = r.integer(1, 9) * 10, r.integer(2, 9)
    elif kind < 0.6:
        a, b = r.integer(100, 999), r.integer(2, 9)
    else:
        a, b = r.integer(10, 99), r.integer(2, 9)
    return (b, a) if r.chance(0.3) else (a, b)


def _quotient_operands(r):
    kind = r.unit()
    if kind < 0.12:
        b = r.integer(1, 12)
        return r.integer(0, 12) * b, b
    b = r.integer(2, 9)
    if kind < 0.25:
        return r.integer(1, 99), b
    if kind < 0.65:
        return r.integer(10, 99) * b, b
    if kind < 0.75:
        return r.integer(10, 999 // b) * b, b
    return r.integer(10, 999), b


def _operands(r, op):
    if op in "+-":
        return _sum_operands(r, op)
    return _product_operands(r) if op == "*" else _quotient_operands(r)


def single(r, op):
    """(key, question, thought, answer)."""
    a, b = _operands(r, op)
    answer = apply(op, a, b)
    return key(op, a, b), _asked(r, _written(r, op, a, b)), f"{a} {op} {b} = {answer}", answer


def _sum_chain(r):
    xs = [draw.number(r, r.pick((1, 2, 2, 2, 3))) for _ in range(r.integer(3, 5))]
    total, steps = xs[0], []
    for x in xs[1:]:
        steps.append(("+", total, x))
        total += x
    listed = style.joined(r, xs, 0.6)
    plus = r.pick((" + ", " + ", "+", " plus ")).join(map(str, xs))
    question = r.pick(
        (
            lambda: _asked(r, plus),
            lambda: _asked(r, plus),
            lambda: style.ask(r, "Add up: {}", listed),
            lambda: style.ask(r, "What is the sum of {}?", listed),
            lambda: style.ask(r, "Add {}", listed),
            lambda: style.ask(r, "Sum up {}", listed),
        )
    )()
    return f"{sorted(xs)}", question, steps, str(total)


def _long_product(r):
    a, b = r.integer(13, 99), r.integer(13, 99)
    tens, ones = b // 10 * 10, b % 10
    steps = [("*", a, tens // 10), ("*", a, tens), ("*", a, ones), ("+", a * tens, a * ones)]
    return f"{min(a, b)}x{max(a, b)}", _asked(r, _written(r, "*", a, b)), steps, str(a * b)


def chain(r):
    """What needs steps: (keys, question, thought, answer)."""
    whole, question, steps, answer = (_sum_chain if r.chance(0.5) else _long_product)(r)
    thought = "\n".join(f"{a} {op} {b} = {apply(op, a, b)}" for op, a, b in steps)
    return [whole] + [key(*step) for step in steps], question, thought, answer


def too_large(r):
    """More than three digits, or a divisor of more than one: refused with thinking on or off."""
    op = r.pick("++++--**/")

    def big():
        return draw.number(r, r.pick((4, 4, 4, 5, 6)))

    a, b = big(), r.pick((big, big, lambda: r.integer(1, 999)))()
    if op in "+*" and r.chance(0.5):
        a, b = b, a
    elif op == "*" and r.chance(0.3):
        a, b = r.integer(100, 999), r.integer(13, 999)
    elif op == "/" and r.chance(0.4):
        a, b = r.integer(100, 999), r.integer(13, 99)
    question = _asked(r, _written(r, op, a, b))
    return question.lower(), question, "These numbers are too large for me.", sentences.TOO_LARGE


def by_zero(r):
    a = r.integer(0, 999)
    return "small", _asked(r, _written(r, "/", a, 0)), "Division by zero.", sentences.BY_ZERO
