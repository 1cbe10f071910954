"""tables.py: rows come back in their order, however few came at once."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from deepmnist.cluster import tables
from deepmnist.cluster.places import Local


def test_rows_that_come_one_by_one_are_joined_and_keep_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MOST_BATCHES", 8)
    monkeypatch.setattr(tables, "GROUP_ROWS", 50)
    with tables.parquet(Local(tmp_path), "a.parquet", tables.errors_schema()) as table:
        for row in range(120):
            table.add({"path": ["a"], "row": [row], "rows": [1], "reason": ["bad"]})
            assert len(table._batches) < 8
    found = pq.ParquetFile(tmp_path / "a.parquet")
    assert found.read()["row"].to_pylist() == list(range(120))
    assert found.num_row_groups == 3
