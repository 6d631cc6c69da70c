"""Encoders that several tests use, opened once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from encoder_rows import ROWS, Row

from labelproof.networks.encoders import Encoder, open_encoder


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory) -> Callable[..., Path]:
    """The folder of a row's tiny model, saved once."""
    made: dict[str, Path] = {}

    def folder(row: Row) -> Path:
        assert row.make is not None
        if row.make.__name__ not in made:
            made[row.make.__name__] = row.make(tmp_path_factory.mktemp("models") / row.make.__name__)
        return made[row.make.__name__]

    return folder


@pytest.fixture(scope="session")
def opened(saved_models) -> Callable[[str], Encoder]:
    """An encoder by the name of its row."""
    held: dict[str, Encoder] = {}

    def open_(name: str) -> Encoder:
        if name not in held:
            row = ROWS[name]
            place = row.family if row.make is None else f"{row.family}:{saved_models(row)}"
            held[name] = open_encoder(place + row.suffix, row.takes)
        return held[name]

    return open_
