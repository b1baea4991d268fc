"""The runner of tests/reject fails when it should: it is what proves the compiler's messages."""
import os
import subprocess
import sys

import pytest

RUNNER = os.path.join(os.environ["G4_SOURCE_DIR"], "tests", "support", "expect_rejection.py")
COMPILER = os.environ.get("CXX", "c++")


def run(tmp_path, source):
    program = tmp_path / "program.cpp"
    program.write_text(source)
    command = [sys.executable, RUNNER, str(program), COMPILER, "-std=c++20", "-fsyntax-only"]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_rejected_program_with_its_message_passes(tmp_path):
    result = run(tmp_path, '// Expect: axes .* agree\nstatic_assert(1 > 2, "axes must agree");\n')
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("source, complaint", [
    ("// Expect: axes\nint main() {}\n", "a program that compiles"),
    ('// Expect: axes\nstatic_assert(1 > 2, "dtype");\n', "expected the message /axes/"),
    ('// Expect: axes\n// Expect: rank\nstatic_assert(1 > 2, "axes");\n', "message /rank/"),
    ("int main() { return x; }\n", "at least one line"),
    ('// Expect: axes\n#include "no/such/axes.hpp"\n', "a fatal error"),
])
def test_everything_else_fails_and_says_why(tmp_path, source, complaint):
    result = run(tmp_path, source)
    assert result.returncode != 0
    assert complaint in result.stderr
