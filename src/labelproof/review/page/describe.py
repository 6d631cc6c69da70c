"""An item as JSON for the page, from the audit and from the item itself."""

from __future__ import annotations

from labelproof.data.dataset import Shown
from labelproof.data.readers import reader_of
from labelproof.data.readers.base import Items
from labelproof.errors import LabelproofError
from labelproof.review.candidates import Candidates
from labelproof.review.page.context import Context
from labelproof.review.page.nearest import NearestItems
from labelproof.validation import Json

MOST_FIELDS = 200
MOST_CHARACTERS = 100_000
BRIEF = 280


class Describer:
    """Shows the items of an audit, as far as its data can still be read.

    Parameters
    ----------
    candidates : Candidates
    blind : bool, default=False
        Say nothing of which label was given, which is suggested, or how probably the given one is wrong; neither by the
        columns that the audit found to tell the label, nor by those that it did not learn from.

    Attributes
    ----------
    problem : str
        Why the items themselves cannot be shown; empty if they can.
    """

    def __init__(self, candidates: Candidates, blind: bool = False) -> None:
        self.candidates, self.blind = candidates, blind
        self.problem = ""
        self._items: Items | None = None
        skipped = [row["id"] for row in candidates.summary.get("skipped", [])]
        try:
            reader = reader_of(candidates.summary.get("source"))
            self._items = None if reader is None else reader.reopen(skipped)
        except LabelproofError as error:
            self.problem = f"The items cannot be shown: {error}"
        if self._items is not None and self._items.n != candidates.summary["n"]:
            self.problem = (
                f"The data have {self._items.n:,} items now, but had {candidates.summary['n']:,} when they were audited. "
                "They are not shown, because rows may have moved."
            )
            self._items = None
        elif self._items is None and not self.problem:
            self.problem = "This audit was made of labels and probabilities alone, so items are shown by their ids."
        self._telling = _telling_columns(candidates.summary)
        self.context = Context(candidates, self._items) if self._items is not None and candidates.part.similar else None
        self._nearest = NearestItems(candidates)

    def item(self, rank: int) -> Json:
        """Everything of an item but its picture, which has an address of its own."""
        known = self.candidates
        described: Json = {"rank": rank, "id": known.table["id"][rank], **self._shown(rank)}
        if self.blind:
            return described | {"name": self._blind_name(described["id"])} | known.part.blinded(rank)
        described["error_probability"] = float(known.error_probability[rank])
        described |= known.part.described(rank)
        marks = self.context.unusual(rank, described["given"]) if self.context is not None else set()
        for field in described.get("fields", []):
            field["unusual"] = field["name"] in marks
            field["note"] = self._telling.get(field["name"], "")
        return described

    def similar(self, rank: int) -> Json:
        """Trusted items like this one, of its given and of its suggested class, and the nearest ones, whatever they are labelled.

        In a blind review there are always two classes, in the order of their names.
        """
        if self.context is None:
            return {}
        label = self.candidates.part.described(rank)
        codes = list(dict.fromkeys([label["given"], label["suggested"], *(label["likely"][:1] if self.blind else [])]))[:2]
        if self.blind:
            codes.sort()
        nearest = [
            {
                "rank": one.rank,
                "label": self.candidates.part.given(one.rank),
                "duplicate": one.duplicate,
                **self._shown(one.rank, brief=True),
            }
            for one in self._nearest.of(rank)
        ]
        trusted = [
            {
                "class": code,
                "items": [{"rank": other, **self._shown(other, brief=True)} for other in self.context.similar(rank, code)],
            }
            for code in codes
        ]
        return {"trusted": trusted, "nearest": nearest}

    def picture(self, rank: int) -> bytes:
        """The picture of an item, PNG or JPEG; empty if it has none or cannot be read."""
        if self._items is None or not 0 <= rank < len(self.candidates):
            return b""
        try:
            return self._items.show(int(self.candidates.index[rank])).image
        except LabelproofError:
            return b""

    def mask(self, rank: int) -> bytes:
        """The given classes of a picture's pixels as a PNG; empty if they cannot be read any more."""
        if self._items is None or self._items.mask is None or not 0 <= rank < len(self.candidates):
            return b""
        try:
            return self.candidates.part.mask(rank, self._items.mask(int(self.candidates.index[rank])))
        except LabelproofError:
            return b""

    def text(self, rank: int) -> str:
        """An item in one line of text, for a spreadsheet."""
        shown = self._show(rank)
        if isinstance(shown, str):
            return ""
        return shown.text or "; ".join(f"{name}: {value}" for name, value in shown.fields)

    def _show(self, rank: int) -> Shown | str:
        if self._items is None:
            return self.problem
        try:
            return self._items.show(int(self.candidates.index[rank]))
        except LabelproofError as error:
            return str(error)

    def _shown(self, rank: int, brief: bool = False) -> Json:
        if self._items is not None and self._items.kind == "images":  # decoded on request
            return {"picture": True}
        shown = self._show(rank)
        if isinstance(shown, str):
            return {"problem": shown}
        if shown.image:
            return {"picture": True}
        if shown.fields:
            fields = [field for field in shown.fields if not self.blind or self._may_be_seen(field[0])]
            if not fields:
                return {"problem": "Every column tells the label, or was not learned from, so a blind review shows none."}
            return {"fields": [{"name": name, "value": value[:2000]} for name, value in fields[:MOST_FIELDS]]}
        return {"text": shown.text[: BRIEF if brief else MOST_CHARACTERS]}

    def _blind_name(self, item: str) -> str:
        """The id, or the file alone of a path in the folder of a class."""
        *folders, file = item.split("/")
        return file if set(folders) & set(self.candidates.classes) else item

    def _may_be_seen(self, column: str) -> bool:
        """Whether a blind review may show a column."""
        source = self.candidates.summary.get("source") or {}
        learned = source.get("features")  # of arrays it is a path
        unlearned = isinstance(learned, list) and column not in learned
        return column not in self._telling and not unlearned and column not in (source.get("ignore") or ())


def _telling_columns(summary: Json) -> dict[str, str]:
    """The columns that the audit found to give the label away, with what they do, such as ``equals the label``."""
    found = [doubt for doubt in summary.get("doubts", []) if "column" in doubt.get("evidence", {})]
    return {str(doubt["evidence"]["column"]): str(doubt["kind"]).removeprefix("a column ") for doubt in found}
