"""Rows sorted by runs and ranges are in the order of a stable sort in memory, however many ties there are."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from labelproof.auditing.runs import cuts_of, errors_of, places_of, ranges_of, rows_of, write_run


@pytest.mark.parametrize(("n", "size"), [(1, 1), (1, 50), (10, 1), (999, 7), (999, 1000), (20_000, 1000), (20_000, 50_000)])
@pytest.mark.parametrize("ties", ["none", "many", "all"])
def test_the_order_is_that_of_a_stable_sort(n, size, ties, tmp_path):
    rng = np.random.default_rng(n + size)
    error = {"none": rng.random(n), "many": np.round(rng.beta(0.2, 2, n), 2), "all": np.zeros(n)}[ties]
    rows = pa.table({"index": 3 * np.arange(n), "error_probability": error, "name": [f"i{i}" for i in range(n)]})
    runs = [write_run(rows.slice(start, size), tmp_path / f"{start:06d}", size) for start in range(0, n, size)]
    cuts = cuts_of(runs, size)
    ranges = ranges_of(runs, [places_of(run, cuts) for run in runs])
    assert sum(part.rows for part in ranges) == n
    most = size + len(runs) * max(1, size // 512)
    assert max(part.rows for part in ranges) <= most
    order = np.argsort(-error, kind="stable")
    filled = [part for part in ranges if part.slices]
    assert pa.concat_tables(map(rows_of, filled)).equals(rows.take(order))
    assert np.array_equal(np.concatenate([errors_of(part) for part in filled]), error[order])
