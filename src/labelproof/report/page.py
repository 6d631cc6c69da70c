"""What reports share: how pages are made, shares as text, the histogram, and items as a person sees them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Self

import jinja2
import numpy as np
import numpy.typing as npt

from labelproof.data.dataset import Shown, data_url
from labelproof.saving.version import VERSION
from labelproof.validation import Json

GALLERY_ITEMS = 120
GALLERY_BYTES = 3_500_000  # keeps the file under 5 MB
BINS = 20


@dataclass(frozen=True)
class Exhibit:
    """An item as a page shows it: a picture as a data URL, a text, or fields; nothing where it cannot be shown."""

    text: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    picture: str = ""

    @classmethod
    def of(cls, shown: Shown) -> Self:
        """What a person is shown of an item."""
        return cls(shown.text, shown.fields, data_url(shown.image))

    @property
    def size(self) -> int:
        """Characters that it adds to a page."""
        return len(self.picture) + len(self.text) + sum(len(value) for _, value in self.fields)


@dataclass(frozen=True)
class Card:
    """One entry of the gallery."""

    id: str
    error: float
    verdict: str
    why: str
    exhibit: Exhibit


def gallery(cards: Iterable[Card]) -> list[Card]:
    """The first cards, as many as a page holds."""
    kept: list[Card] = []
    spent = 0
    for card in islice(cards, GALLERY_ITEMS):
        spent += card.exhibit.size
        if spent > GALLERY_BYTES:
            break
        kept.append(card)
    return kept


def render(template: str, **values: object) -> str:
    """A page of `labelproof.report` by the name of its template."""
    return _environment().get_template(template).render(version=VERSION, **values)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("labelproof.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["percent"] = percent
    environment.filters["thousands"] = lambda value: f"{value:,}"
    return environment


def percent(share: float, digits: int = 1) -> str:
    """A share as text, with a space that does not break: ``12.3 %``; what would round to 0 or 100 says so: ``< 0.1 %``."""
    least = 10.0**-digits
    if 0 < 100 * share < least:
        return f"<\u00a0{least:g}\u00a0%"
    if 100 - least < 100 * share < 100:
        return f">\u00a0{100 - least:g}\u00a0%"
    return f"{100 * share:.{digits}f}\u00a0%"


def histogram(counts: npt.NDArray[np.int64]) -> list[Json]:
    """Counts of error probabilities in equal bins; bars on a logarithmic scale, because most labels are right."""
    edges = np.linspace(0, 1, len(counts) + 1)
    most = np.log1p(counts.max())
    return [
        {"low": low, "high": high, "count": int(count), "height": float(100 * np.log1p(count) / most)}
        for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True)
    ]
