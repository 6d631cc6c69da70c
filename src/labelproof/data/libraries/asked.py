"""The options for a frame or a data set in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labelproof.errors import BadInput

NAME = "the frame"


@dataclass(frozen=True)
class Asked:
    """The options of `read_frame`."""

    label: str | None = None
    text: str | Sequence[str] | None = None
    image: str | None = None
    ids: object = None
    features: Sequence[str] | None = None
    ignore: Sequence[str] = ()
    keep: Sequence[str] = ()
    missing: Sequence[object] | None = None
    learn: bool = True
    group: str | None = None
    label_kind: str | None = None

    def only(self, what: str, *, label: bool = False) -> None:
        """Refuse options that name columns if there are none to choose.

        Raises
        ------
        BadInput
        """
        named = {"label": self.label if label else None, "text": self.text, "image": self.image, "features": self.features,
                 "group": self.group}  # fmt: skip
        told = [name for name, value in (named | {"ignore": self.ignore, "keep": self.keep}).items() if value]
        if told:
            raise BadInput(f"{NAME} is {what}, and there are no columns to name. Omit {', '.join(told)}.")
