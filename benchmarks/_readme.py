"""The tables of README, made from the result files: ``python benchmarks/_readme.py`` rewrites what stands between the markers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
Rows = list[dict[str, Any]]


def rows_of(name: str) -> Rows:
    content: dict[str, Rows] = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))
    return content["rows"]


def markdown(header: list[str], body: list[list[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def audit_quality() -> str:
    rows = rows_of("audit_quality")
    body = []
    for name in dict.fromkeys(row["set"] for row in rows):
        here = [row for row in rows if row["set"] == name]
        ours = next(row for row in here if row["method"] == "labelproof")
        theirs = [row for row in here if row["method"].startswith("cleanlab")]
        ap = max(row["AP"] for row in theirs if row["AP"] is not None)
        f1 = max(row["F1"] for row in theirs if row["F1"] is not None)
        cells = [f"{ours['AP']:.3f}", f"{ap:.3f}", f"{ours['F1']:.3f}", f"{f1:.3f}"]
        body.append([name, *cells, f"{ours['error_rate']:.1%}", f"{ours['true_rate']:.1%}"])
    header = [
        "set",
        "AP",
        "AP, best of cleanlab's 5 scores",
        "F1",
        "F1, best of cleanlab's 4 filters",
        "estimated rate",
        "truth",
    ]
    return markdown(header, body)


def audit_files() -> str:
    body = [
        [
            row["data"],
            f"{row['labels']:,}",
            f"{row['flipped']:,}",
            f"{row['recall']:.0%}",
            f"{row['precision']:.0%}",
            f"{row['seconds']:.0f} s",
        ]
        for row in rows_of("audit_files")
    ]
    return markdown(["data", "labels", "flipped", "found", "of those flagged, flipped", "time"], body)


TABLES: dict[str, Callable[[], str]] = {"audit_quality": audit_quality, "audit_files": audit_files}


def filled(text: str) -> str:
    """The text with every table made anew."""
    for name, make in TABLES.items():
        pattern = re.compile(rf"(<!-- table: {name} -->\n).*?(\n<!-- end -->)", re.DOTALL)
        found = pattern.search(text)
        if found is not None:
            text = text[: found.end(1)] + make() + text[found.start(2) :]
    return text


if __name__ == "__main__":
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
