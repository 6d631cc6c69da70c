"""Shows in what the outputs of two runs differ: ``python tests/golden/compare.py A B``; exit status 1 if they do."""

from __future__ import annotations

import argparse
import difflib
import fnmatch
import json
import re
import sys
from pathlib import Path

MARK = "_case.json"
LOOSE, LOOSE_TRAINED = 1e-4, 1e-3  # relative difference of numbers that count as equal
TINY = 1e-7  # numbers below are equal
NUMBER = re.compile(r"-?\d+(?:[.,]\d+)*(?:[eE][-+]?\d+)?")
MOST_LINES = 60  # of one file


def main() -> int:
    """Print the differences, case by case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--only", default="*", help="cases whose name this matches")
    parser.add_argument(
        "--without", action="append", default=[], help="files to leave out, e.g. '*.source.json'; may be repeated"
    )
    parser.add_argument("--all", action="store_true", help=f"print more than {MOST_LINES} lines of a file")
    options = parser.parse_args()
    names = sorted({p.parent.name for root in (options.first, options.second) for p in root.glob(f"*/{MARK}")})
    chosen = [name for name in names if fnmatch.fnmatch(name, options.only)]
    if not chosen:
        print("nothing to compare")
        return 1
    most = 10**9 if options.all else MOST_LINES
    different = [name for name in chosen if show_case(options.first / name, options.second / name, options.without, most)]
    print(f"{len(chosen)} cases, {len(different)} differ{': ' + ', '.join(different) if different else ''}")
    return 1 if different else 0


def show_case(first: Path, second: Path, without: list[str], most: int) -> bool:
    """Print in what a case differs; whether it does."""
    for side, other in ((first, second), (second, first)):
        if not (side / MARK).exists():
            print(f"=== {side.name}: only in {other.parent}")
            return True
    trained = json.loads((first / MARK).read_text())["trained"]
    files = sorted({p.name for side in (first, second) for p in side.iterdir() if not p.name.startswith("_")})
    found = [name for name in files if not any(fnmatch.fnmatch(name, pattern) for pattern in without)]
    shown = [show_file(first / name, second / name, LOOSE_TRAINED if trained else LOOSE, most) for name in found]
    return any([*shown, show_file(first / MARK, second / MARK, 0.0, most)])


def show_file(first: Path, second: Path, loose: float, most: int) -> bool:
    """Print in what two files differ, numbers that are close apart; whether they do."""
    for side, other in ((first, second), (second, first)):
        if not side.exists():
            print(f"=== {side.parent.name}/{side.name}: only in {other.parent.parent}")
            return True
    before, after = (side.read_text(encoding="utf-8").split("\n") for side in (first, second))
    if len(before) == len(after):
        after = [one if close(one, two, loose) else two for one, two in zip(before, after, strict=True)]
    if before == after:
        return False
    place = f"{first.parent.name}/{first.name}"
    lines = list(
        difflib.unified_diff(before, after, f"{first.parent.parent}/{place}", f"{second.parent.parent}/{place}", "", "", 1, "")
    )
    print("\n".join([f"=== {place}", *lines[:most], *([f"… {len(lines) - most} lines more"] if len(lines) > most else [])]))
    return True


def close(one: str, two: str, loose: float) -> bool:
    """Whether two lines are the same but for numbers that are nearly so."""
    if one == two:
        return True
    if NUMBER.sub("#", one) != NUMBER.sub("#", two):
        return False
    pairs = zip(NUMBER.findall(one), NUMBER.findall(two), strict=True)
    return all(a == b or _near(a, b, loose) for a, b in pairs)


def _near(one: str, two: str, loose: float) -> bool:
    if not any(mark in part for part in (one, two) for mark in ".e"):
        return False  # whole numbers count things
    first, second = (float(part.replace(",", "")) for part in (one, two))
    return abs(first - second) <= max(TINY, loose * max(abs(first), abs(second)))


if __name__ == "__main__":
    sys.exit(main())
