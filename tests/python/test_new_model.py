"""docs/new-model.md shows the code that is compiled and the messages that one gets."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.environ.get("G4_SOURCE_DIR") or os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
)
BINARIES = os.path.join(
    os.environ.get("G4_BINARY_DIR") or os.path.join(ROOT, "build/release"), "bin"
)
sys.path.insert(0, ROOT)

from tests.support.expect_rejection import expected_messages  # noqa: E402
from tools.checkpoint.__main__ import main as make_checkpoint  # noqa: E402

PAGE = "docs/new-model.md"


def lines_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read().splitlines()


def blocks():
    """(information behind the fence, the line before it, lines) of every fenced block."""
    out, before, info, held = [], "", None, []
    for line in lines_of(PAGE):
        if line.startswith("```"):
            if info is None:
                info, held = line[3:].strip(), []
            else:
                out.append((info, before, held))
                info = None
        elif info is not None:
            held.append(line)
        else:
            before = line
    return out


def holds(file, part):
    """Whether `part` stands in `file`, line by line and without a gap."""
    return any(file[i : i + len(part)] == part for i in range(len(file) - len(part) + 1))


def squeezed(text):
    return re.sub(r"\s+", "", text)


def message_after(comment):
    found = [lines for info, before, lines in blocks() if info == "text" and comment in before]
    assert len(found) == 1, f"{PAGE}: expected one message behind <!-- {comment} -->"
    return found[0]


def refused(folder):
    """What g4-compile says about a folder that it refuses."""
    result = subprocess.run(
        [os.path.join(BINARIES, "g4-compile"), folder], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2, result
    return result.stderr


class Code(unittest.TestCase):
    def shown(self, path):
        return [lines for info, _, lines in blocks() if info == "cpp " + path]

    def test_every_block_is_a_part_of_the_file_that_it_names(self):
        named = [(info, lines) for info, _, lines in blocks() if info.startswith("cpp")]
        self.assertGreater(len(named), 10)
        for info, lines in named:
            path = info.removeprefix("cpp").strip()
            self.assertTrue(holds(lines_of(path), lines), f"{path}: not in it:\n" + lines[0])

    def test_the_whole_declaration_is_shown_in_its_order(self):
        declared = lines_of("models/gemma3/model.hpp")
        start = next(i for i, line in enumerate(declared) if line.startswith("#include"))
        shown = [line for lines in self.shown("models/gemma3/model.hpp") for line in lines if line]
        self.assertEqual(shown, [line for line in declared[start:] if line])
        self.assertLess(len(declared), 120)

    def test_the_table_counts_lines(self):
        for name, count in re.findall(r"^\| `(\w+\.hpp)` \|.*\| (\d+) \|$", "\n".join(
                lines_of(PAGE)), re.M):
            self.assertEqual(len(lines_of("models/gemma3/" + name)), int(count), name)


class Messages(unittest.TestCase):
    def test_of_the_compiler_are_those_that_rejected_programs_expect(self):
        programs = [
            (before, lines) for info, before, lines in blocks() if "tests/reject/" in before
        ]
        self.assertEqual(len(programs), 3)
        for before, lines in programs:
            source = "\n".join(lines_of(re.search(r"tests/reject/\w+\.cpp", before)[0]))
            for expected in expected_messages(source):
                self.assertRegex(" ".join(line.strip() for line in lines), expected)

    def make(self, folder):
        make_checkpoint([folder, "--preset", "gemma3-b", "--seed", "1"])

    def test_of_sizes_that_do_not_fit_is_what_a_program_prints(self):
        with tempfile.TemporaryDirectory() as folder:
            self.make(folder)
            path = os.path.join(folder, "config.json")
            with open(path, encoding="utf-8") as file:
                config = json.load(file)
            config.update(num_attention_heads=3, num_key_value_heads=2)
            with open(path, "w", encoding="utf-8") as file:
                json.dump(config, file)
            self.assertEqual(refused(folder).splitlines(), message_after("num_attention_heads 3"))

    def test_of_a_misspelled_tensor_names_it_and_the_nearest_one(self):
        with tempfile.TemporaryDirectory() as folder:
            self.make(folder)
            path = os.path.join(folder, "model.safetensors")
            with open(path, "rb") as file:
                data = file.read()
            size = int.from_bytes(data[:8], "little")
            table = json.loads(data[8 : 8 + size])
            table["model.layers.0.self_attn.query_norm.weight"] = table.pop(
                "model.layers.0.self_attn.q_norm.weight"
            )
            header = json.dumps(table).encode()
            header += b" " * (-len(header) % 8)
            with open(path, "wb") as file:
                file.write(len(header).to_bytes(8, "little") + header + data[8 + size :])
            said = squeezed(refused(folder))
            for line in message_after("q_norm.weight is called"):
                self.assertIn(squeezed(line), said)


if __name__ == "__main__":
    unittest.main()
