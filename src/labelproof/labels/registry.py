"""Parts by name: one line per part in its folder's registry, imported on first use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Generic, TypeVar, cast

from labelproof.errors import BadInput

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Parts by name.

    Parameters
    ----------
    what : str
        The kind of part, for messages.
    places : mapping of name to "module:attribute"
        The module of each part, which is imported on first use.

    Examples
    --------
    >>> shapes = Registry("shape", {"fraction": "fractions:Fraction"})
    >>> shapes["fraction"](1, 2)
    Fraction(1, 2)
    >>> shapes.register("half", 0.5)
    >>> list(shapes), shapes["half"]
    (['fraction', 'half'], 0.5)
    """

    def __init__(self, what: str, places: Mapping[str, str]) -> None:
        self.what = what
        self._places = dict(places)
        self._parts: dict[str, T] = {}

    def register(self, name: str, part: T) -> None:
        """Add a part, or put another in its place."""
        self._places.pop(name, None)
        self._parts[name] = part

    def __getitem__(self, name: str) -> T:
        """The part of that name.

        Raises
        ------
        BadInput
            If there is no such part.
        """
        if name not in self._parts:
            if name not in self._places:
                raise BadInput(f"There is no {self.what} named {name!r}. Give one of {', '.join(self)}.")
            module, _, attribute = self._places[name].partition(":")
            self._parts[name] = cast(T, getattr(import_module(module), attribute))
        return self._parts[name]

    def __contains__(self, name: object) -> bool:
        return name in self._places or name in self._parts

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._places, *self._parts]))

    def __len__(self) -> int:
        return len({*self._places, *self._parts})
