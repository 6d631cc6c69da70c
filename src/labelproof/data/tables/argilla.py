"""Argilla's records as JSON (`dataset.records.to_json`): fields, responses and suggestions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from labelproof.data.tables.exports import Answer, Export, ExportForm
from labelproof.data.tables.json_list import JsonList
from labelproof.data.tables.json_text import sketch
from labelproof.errors import BadInput
from labelproof.validation import Json


class Argilla(ExportForm, JsonList):
    """A record is an item; its label is the last response, or the suggestion if nobody responded."""

    suffixes = (".json",)
    tool = "Argilla"

    @classmethod
    def fits(cls, place: str) -> bool:
        return super().fits(place) and sketch(place, _is_record)

    def export(self, rows: Sequence[Json], path: Path) -> Export:
        names = dict.fromkeys(name for row in rows for part in ("responses", "suggestions") for name in (row.get(part) or {}))
        answers: dict[str, list[Answer | None]] = {name: [] for name in names}
        lists: dict[str, str] = {}
        differ = 0
        for number, row in enumerate(rows):
            for name, held in answers.items():
                answer, several = _answer(row, name)
                held.append(answer)
                differ += several
                if answer is not None and isinstance(answer.value, list | dict):
                    lists.setdefault(name, f"record {row.get('id', number)} answers {name!r} by {str(answer.value)[:60]}")
        single = {name: own for name, own in answers.items() if name not in lists and any(a is not None for a in own)}
        if not single:
            what = next(iter(lists.values()), "no record has a response or a suggestion")
            raise BadInput(
                f"{str(path)!r} is an Argilla export without a question that has one label per item: {what}. Tags, spans and rankings are not read."
            )
        return Export([_fields(row) for row in rows], single, differ=differ)


def _is_record(first: object) -> bool:
    row = first[0] if isinstance(first, list) and first else None
    return isinstance(row, dict) and isinstance(row.get("fields"), dict) and bool({"responses", "suggestions"} & row.keys())


def _fields(row: Json) -> Json:
    found = dict(row.get("fields") or {})
    for part in ("metadata", "vectors"):
        if row.get(part):
            found[part] = row[part]
    return found if "id" in found or row.get("id") is None else {"id": row["id"], **found}


def _answer(row: Json, name: str) -> tuple[Answer | None, bool]:
    """The answer to a question, and whether several differ."""
    given = (row.get("responses") or {}).get(name) or []
    values = [one.get("value") if isinstance(one, dict) else None for one in given]
    said = [place for place, value in enumerate(values) if value is not None]
    if said:
        return Answer(values[said[-1]], ("responses", name, said[-1], "value")), len({str(values[p]) for p in said}) > 1
    suggestion = (row.get("suggestions") or {}).get(name)
    if isinstance(suggestion, dict) and suggestion.get("value") is not None:
        return Answer(suggestion["value"], ("suggestions", name, "value")), False
    return None, False
