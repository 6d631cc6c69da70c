"""Prodigy's annotations as JSON lines (`prodigy db-out`): choices, or labels that were accepted or rejected."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labelproof.data.tables.exports import Answer, Export, ExportForm
from labelproof.data.tables.json_text import sketch
from labelproof.errors import BadInput
from labelproof.validation import Json

ANSWERS = ("accept", "reject", "ignore")
SHOWN = ("text", "image", "html", "audio", "video", "meta")


class Prodigy(ExportForm):
    """A line is an item. The label is the option chosen, or the label that was accepted, or ``answer`` if there is one label."""

    suffixes = (".jsonl",)
    tool = "Prodigy"

    @classmethod
    def fits(cls, place: str) -> bool:
        return super().fits(place) and sketch(place, _is_answer, lines=True)

    def export(self, rows: Sequence[Json], path: Path) -> Export:
        fields = [{name: row[name] for name in SHOWN if name in row} for row in rows]
        if any("accept" in row and "options" in row for row in rows):
            return Export(fields, {"choice": [_choice(row, i, path) for i, row in enumerate(rows)]}, listed=True)
        labels = {str(row["label"]) for row in rows if row.get("label") is not None}
        if not labels:
            raise BadInput(
                f"{str(path)!r} is a Prodigy export with neither labels nor options. Export one label or choice per item; read spans with --kind spans."
            )
        if len(labels) == 1:
            return Export(fields, {"answer": [_value(row.get("answer"), ("answer",), row) for row in rows]})
        accepted = [_value(row.get("label") if row.get("answer") == "accept" else None, ("label",), row) for row in rows]
        return Export(fields, {"label": accepted})


def _is_answer(first: Any) -> bool:
    return isinstance(first, dict) and first.get("answer") in ANSWERS and bool({"_task_hash", "_input_hash"} & first.keys())


def _value(value: object, way: tuple[str], row: Json) -> Answer | None:
    return Answer(None if value == "ignore" and way == ("answer",) else value, way) if way[0] in row else None


def _choice(row: Json, number: int, path: Path) -> Answer | None:
    chosen = row.get("accept")
    if not isinstance(chosen, list):
        return None
    if len(chosen) > 1:
        raise BadInput(
            f"{str(path)!r} line {number + 1} accepts several options: {', '.join(map(str, chosen[:4]))}. Give one option per item, or audit several as tags by --tags."
        )
    return Answer(chosen[0] if chosen and row.get("answer") == "accept" else None, ("accept",))
