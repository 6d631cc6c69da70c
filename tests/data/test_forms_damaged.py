"""Files of every form with bytes that are changed, missing or too many: read, or refused with one message, never anything else."""

from __future__ import annotations

import numpy as np
import pytest
from test_every_reader import FORMS

import labelproof as lp
from labelproof.data.readers import open_reader, reader_of
from labelproof.data.readers.base import Audited, Change

TRIES = 25


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    at, kind = int(rng.integers(len(data))), rng.integers(4)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + rng.bytes(int(rng.integers(1, 8))) + data[at:]
    if kind == 2:
        return data[:at] + data[at + int(rng.integers(1, 60)) :]
    changed = bytearray(data)
    for place in rng.integers(len(data), size=int(rng.integers(1, 9))):
        changed[place] = rng.integers(256)
    return bytes(changed)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FORMS)
def test_damage_is_told(tmp_path, name):
    path, options, target = FORMS[name][0](tmp_path)
    files = sorted(p for p in ([path] if path.is_file() else path.rglob("*")) if p.is_file())
    rng = np.random.default_rng(len(name))
    refused = 0
    for number in range(TRIES):
        file = files[rng.integers(len(files))]
        whole = file.read_bytes()
        file.write_bytes(damaged(whole, rng))
        try:
            data = open_reader(path, options).read()
            given = np.array([None if one is None else str(one) for one in data.given_names], object)
            skipped = frozenset(one for one, _ in data.skipped)
            first = str(data.classes[0])
            changes = {i: Change(first, "") for i in range(0, len(data), 3) if given[i] is not None}
            goal = target.with_name(f"{number}{target.suffix}")
            reader_of(data.source).write_back(goal, Audited(given, data.classes, changes, skipped), overwrite=False)
        except lp.LabelproofError:
            refused += 1
        file.write_bytes(whole)
    assert refused > 0
