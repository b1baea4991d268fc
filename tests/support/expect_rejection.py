"""Compiles a program that must be rejected and checks what the compiler says about it.

    expect_rejection.py PROGRAM.cpp COMPILER [OPTION...]

The program names its messages in lines `// Expect: <regex>`; each must match somewhere in the
compiler's output. A program that compiles, that names no message, or that fails for a missing
file is a failure of the test.
"""
import re
import subprocess
import sys


def expected_messages(source):
    return re.findall(r"^\s*//\s*Expect:\s*(.+?)\s*$", source, flags=re.MULTILINE)


def without_quote_variants(text):
    """Compilers quote names with ', `, or typographic marks, depending on the locale."""
    return re.sub("[\u2018\u2019`]", "'", text)


def judge(source, status, output):
    """Says in words why the test fails, or returns None."""
    messages = expected_messages(source)
    if not messages:
        return "expected at least one line `// Expect: <regex>`, got none"
    if status == 0:
        return "expected the compiler to reject the program, got a program that compiles"
    if "fatal error:" in output:
        return "expected the program to be read to its end, got a fatal error"
    plain = without_quote_variants(output)
    for message in messages:
        if not re.search(message, plain):
            return f"expected the message /{message}/, got other words"
    return None


def main(arguments):
    if len(arguments) < 2:
        sys.exit(__doc__)
    program, compiler = arguments[0], arguments[1:]
    with open(program, encoding="utf-8") as file:
        source = file.read()
    result = subprocess.run([*compiler, program], capture_output=True, text=True, errors="replace")
    failure = judge(source, result.returncode, result.stderr + result.stdout)
    if failure:
        sys.exit(f"{result.stderr}{result.stdout}\n{program}: {failure}")
    print(f"{program}: rejected as expected")


if __name__ == "__main__":
    main(sys.argv[1:])
