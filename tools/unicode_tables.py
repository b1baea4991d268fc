#!/usr/bin/env python3
"""Writes include/g4/text/unicode_tables.hpp from this Python's own Unicode data.

    python3.11 tools/unicode_tables.py > include/g4/text/unicode_tables.hpp
"""
import sys
import unicodedata


def printable_borders():
    """Code points at which str.isprintable changes; below the first one nothing is printable."""
    borders, before = [], False
    for point in range(0x110000):
        now = chr(point).isprintable()
        if now != before:
            borders.append(point)
        before = now
    return borders


def case_runs(change):
    """[first, last, step, difference] of the letters that `change` makes one other code point."""
    runs = []
    for point in range(0x110000):
        other = change(chr(point))
        if len(other) != 1 or other == chr(point):
            continue
        difference = ord(other) - point
        if runs:
            first, last, step, same = runs[-1]
            if same == difference and point - last <= 2 and (first == last or step == point - last):
                runs[-1] = [first, point, point - last, difference]
                continue
        runs.append([point, point, 1, difference])
    return runs


def case_several(change):
    """[letter, its two or three] of the letters that `change` makes more than one code point."""
    several = []
    for point in range(0x110000):
        other = change(chr(point))
        if len(other) > 1:
            several.append([point, *map(ord, other), *[0] * (3 - len(other))])
    return several


def rows(cells):
    """Cells in lines of at most 100 columns."""
    line = "   "
    for cell in cells:
        if len(line) + 2 + len(cell) > 100:
            yield line
            line = "   "
        line += f" {cell},"
    yield line


def main():
    version = ".".join(map(str, sys.version_info[:2]))
    print(f"""\
// Which characters Python calls printable, and their other case: tables of Unicode.
// Source: Unicode {unicodedata.unidata_version} as Python {version} has it; tools/unicode_tables.py writes this file.
#pragma once
#include <cstdint>

namespace g4::unicode_tables {{

// clang-format off
/// Code points at which "is printable" changes; the ones below the first are not printable.
inline constexpr char32_t printable_borders[] = {{""")
    print("\n".join(rows(f"0x{point:X}" for point in printable_borders())))
    print("""\
};

/// Every step-th letter from first to last has the other case `difference` behind it.
struct case_run {
    char32_t first, last;
    std::int32_t step, difference;
};
/// A letter whose other case is two or three; zeros fill.
struct case_several {
    char32_t letter, becomes[3];
};""")
    for name, change in (("lower", str.lower), ("upper", str.upper)):
        print(f"inline constexpr case_run {name}_runs[] = {{")
        print("\n".join(rows("{0x%X, 0x%X, %d, %d}" % tuple(run) for run in case_runs(change))))
        print(f"}};\ninline constexpr case_several {name}_several[] = {{")
        print("\n".join(rows("{0x%X, {0x%X, 0x%X, 0x%X}}" % tuple(one) for one in case_several(change))))
        print("};")
    print("""\
// clang-format on

}  // namespace g4::unicode_tables""")


if __name__ == "__main__":
    main()
