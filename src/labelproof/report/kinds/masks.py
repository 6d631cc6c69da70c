"""The report on masks: how each class goes wrong, and the pictures with the most doubtful regions, as given and as suggested."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image

from labelproof.auditing.findings import Audit
from labelproof.auditing.verdicts import VERDICTS
from labelproof.data.readers import reader_of
from labelproof.errors import LabelproofError
from labelproof.labels.masks import BOUNDS, KINDS_OF_ERROR, VOID, Masks
from labelproof.labels.run_length import decode
from labelproof.report.crops import PIXELS, View, as_url, part_of, shown_picture
from labelproof.report.kinds.base import ReportPart, Show
from labelproof.report.page import Card, Exhibit, percent
from labelproof.validation import IntArray, Json

LISTED, CONFUSIONS, TOLD = 40, 15, 4
OPACITY = 0.55  # of the classes over the picture
EDGE = np.array([255, 255, 255])  # around what changes
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class MaskCard(Card):
    """One picture of the gallery, with the colours of the classes that are seen."""

    given: str
    suggested: str
    key: Sequence[tuple[str, str]]


class ReportOfMasks(ReportPart):
    """Classes and pictures."""

    template = "kinds/masks.html.jinja"
    title = "Audit of masks"
    unit, units = "region", "regions"
    columns: Mapping[str, str] = {
        "id": "id",
        "kind": "kind",
        "given_label": "given",
        "suggested_label": "suggested",
        "area": "pixels",
        "error_probability": "error probability",
        "verdict": "verdict",
    }

    def values(self, audit: Audit) -> dict[str, object]:
        """Expected numbers of errors by kind and class, and which classes are confused."""
        issues = audit.issues
        return {
            "expected": {
                kind: round(float(issues.filter(pl.col("kind") == kind)["error_probability"].sum())) for kind in KINDS_OF_ERROR
            },
            "by_class": _by_class(issues)[:LISTED],
            "confusions": _confusions(issues),
        }

    def counts(self, audit: Audit) -> str:
        """How many of each kind."""
        doubtful = audit.issues.filter(pl.col("verdict") != VERDICTS[2])
        found = dict(doubtful["kind"].cast(pl.String).value_counts().iter_rows())
        names = {"missing": "missing", "extra": "that are none", "class": "of another class", "border": "with another border"}
        return "regions " + ", ".join(f"{found.get(kind, 0):,} {name}" for kind, name in names.items())

    def cards(self, audit: Audit, show: Show | None) -> Iterator[Card]:
        """The pictures with the most doubtful regions, worst first."""
        doubtful = audit.issues.filter((pl.col("verdict") != VERDICTS[2]) & (pl.col("rle") != ""))
        sizes = audit.items.select("index", "width", "height")
        mask_of = masks_of(audit)
        joined = doubtful.join(sizes, on="index", how="left", maintain_order="left")
        for _, own in joined.group_by("index", maintain_order=True):
            yield _card(audit, list(own.iter_rows(named=True)), show, mask_of)


REPORT = ReportOfMasks()


def colour_of(code: int) -> tuple[int, int, int]:
    """The colour of a class on our pages: hues a golden angle apart, light and dark in turn; grey where there is no label."""
    if code < 0:
        return 128, 128, 128
    r, g, b = colorsys.hls_to_rgb((code * 137.508 % 360) / 360, (0.5, 0.38, 0.64)[code % 3], 0.72)
    return round(255 * r), round(255 * g), round(255 * b)


def masks_of(audit: Audit) -> Callable[[int], IntArray | None]:
    """The given masks: those that were audited, or those of the source, where either is at hand."""
    assert isinstance(audit.labels, Masks)
    held: Callable[[int], IntArray] = audit.labels.mask
    try:
        held(0)
    except LabelproofError:
        try:
            reader = reader_of(audit.source)
            items = None if reader is None else reader.reopen()
        except LabelproofError:
            items = None
        if items is None or items.mask is None or items.n != audit.n:
            return lambda row: None
        held = items.mask
    return lambda row: _or_none(held, row)


def _or_none(held: Callable[[int], IntArray], row: int) -> IntArray | None:
    try:
        return held(row)
    except LabelproofError:
        return None


def _by_class(issues: pl.DataFrame) -> list[Json]:
    """Expected errors of each class, the most first; what is missing counts with the class that it should have."""
    name = pl.when(pl.col("kind") == "missing").then(pl.col("suggested_label")).otherwise(pl.col("given_label"))
    sums = [pl.col("error_probability").filter(pl.col("kind") == kind).sum().alias(kind) for kind in KINDS_OF_ERROR]
    given = pl.col("kind").is_null() | pl.col("kind").cast(pl.String).is_in(["extra", "class"])
    table = issues.group_by(name.cast(pl.String).alias("name")).agg(given.sum().alias("given"), *sums)
    rows = [{**row, "all": sum(row[kind] for kind in KINDS_OF_ERROR)} for row in table.drop_nulls("name").iter_rows(named=True)]
    most = max((row["all"] for row in rows), default=0.0) or 1.0
    rows.sort(key=lambda row: (-row["all"], row["name"]))
    return [{**row, **{kind: round(row[kind]) for kind in KINDS_OF_ERROR}, "width": 100 * row["all"] / most} for row in rows]


def _confusions(issues: pl.DataFrame) -> list[Json]:
    """Classes that were given for others, by expected number of regions."""
    table = (
        issues.filter(pl.col("kind").is_not_null() & (pl.col("given_label") != pl.col("suggested_label")))
        .group_by("given_label", "suggested_label")
        .agg(pl.col("error_probability").sum().alias("regions"))
        .filter(pl.col("regions") >= 0.5)
        .sort("regions", descending=True)
    )
    return table.head(CONFUSIONS).to_dicts()


def _card(audit: Audit, rows: list[Json], show: Show | None, mask_of: Callable[[int], IntArray | None]) -> MaskCard:
    first = rows[0]
    width, height = int(first["width"]), int(first["height"])
    view = View.around([tuple(float(row[edge]) for edge in BOUNDS) for row in rows], (width, height))  # type: ignore[misc]
    x, y, right, bottom = int(view.x), int(view.y), int(np.ceil(view.x + view.width)), int(np.ceil(view.y + view.height))
    view = View(x, y, right - x, bottom - y)
    codes = {str(name): code for code, name in enumerate(audit.classes)}
    given = mask_of(first["index"])
    given = np.full((height, width), VOID) if given is None or given.shape != (height, width) else given
    suggested, changed = given.copy(), np.zeros((height, width), bool)
    for row in rows:
        pixels = decode(row["rle"], height, width)
        suggested[pixels] = codes[str(row["suggested_label"])]
        changed |= pixels
    picture = shown_picture(show, first["index"])
    ground = None if picture is None else part_of(picture, view, (width, height))
    inside = (slice(y, bottom), slice(x, right))
    drawn = [as_url(_overlaid(ground, one[inside], changed[inside])) for one in (given, suggested)]
    seen = sorted({*np.unique(given[inside]).tolist(), *np.unique(suggested[inside]).tolist()} - {VOID})
    why = [_why(row) for row in rows[:TOLD]]
    if len(rows) > TOLD:
        why.append(f"And {len(rows) - TOLD:,} more.")
    return MaskCard(
        id=str(first["id"]),
        error=float(first["error_probability"]),
        verdict=first["verdict"],
        why=" ".join(why),
        exhibit=Exhibit(picture="".join(drawn)),
        given=drawn[0],
        suggested=drawn[1],
        key=[(str(audit.classes[code]), "rgb({} {} {})".format(*colour_of(code))) for code in seen],
    )


def _overlaid(ground: Image.Image | None, codes: IntArray, changed: npt.NDArray[np.bool_]) -> Image.Image:
    """Classes in colour over the picture, and the edge of what changes in white."""
    scale = max(1, PIXELS // (2 * max(codes.shape)))
    size = (codes.shape[1] * scale, codes.shape[0] * scale) if ground is None else ground.size
    size = (max(size[0], codes.shape[1]), max(size[1], codes.shape[0]))
    if max(size) > PIXELS:
        size = (max(1, size[0] * PIXELS // max(size)), max(1, size[1] * PIXELS // max(size)))
    table = np.array([colour_of(code) for code in range(-1, int(codes.max(initial=0)) + 1)], np.uint8)
    colours = Image.fromarray(table[codes + 1]).resize(size, Image.Resampling.NEAREST)
    if ground is not None:
        colours = Image.blend(ground.resize(size), colours, OPACITY)
    pixels: Pixels = np.array(colours)
    mask = np.asarray(Image.fromarray(changed).resize(size, Image.Resampling.NEAREST))
    inner = mask.copy()
    for axis in (0, 1):
        for step in (1, -1):
            inner &= np.roll(mask, step, axis)
    pixels[mask & ~inner] = EDGE
    return Image.fromarray(pixels)


def _why(row: Json) -> str:
    error = percent(row["error_probability"])
    pixels = f"{row['area']:,} pixels"
    said = {
        "missing": f"“{row['suggested_label']}” is missing in “{row['given_label']}”",
        "extra": f"“{row['given_label']}” is none, rather “{row['suggested_label']}”",
        "class": f"“{row['given_label']}” is rather “{row['suggested_label']}”",
        "border": f"the border of “{row['given_label']}” belongs to “{row['suggested_label']}”",
    }
    what = said.get(row["kind"] or "", "a region is wrong")
    return f"{what[:1].upper()}{what[1:]} ({pixels}, {error})."
