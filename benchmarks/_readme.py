"""Make the tables of README and docs from the result files: ``python benchmarks/_readme.py`` rewrites what stands between their markers."""

from __future__ import annotations

import re
from pathlib import Path

from _tables import TABLES

ROOT = Path(__file__).parent.parent


def filled(text: str) -> str:
    """The text with every table made anew."""
    for name, make in TABLES.items():
        pattern = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        found = pattern.search(text)
        if found is not None:
            text = text[: found.end(1)] + make() + "\n" + text[found.start(2) :]
    return text


if __name__ == "__main__":
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
