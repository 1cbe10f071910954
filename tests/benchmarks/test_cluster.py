"""Scoring against the predictor alone: both are of one runtime, or their ratio says nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import cluster
from deepmnist import bundle
from deepmnist.cluster.scoring import Model
from deepmnist.prediction import usable_cores

ROWS = 5


def test_in_bulk_the_predictor_is_the_job_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers by the runtime that a job of so many images decides on, and has all cores."""
    images = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(784), ROWS, [None, pa.py_buffer(bytes(ROWS * 784))]
    )
    pq.write_table(pa.table({"image": images}), tmp_path / "rows.parquet")
    asked: list[dict[str, Any]] = []
    predictor = Model.predictor

    def noted(self: Model, cores: int, onnx: bool = False) -> Any:
        asked.append({"cores": cores, "onnx": onnx})
        return predictor(self, cores, onnx)

    monkeypatch.setattr(Model, "predictor", noted)
    monkeypatch.setattr(Model, "onnx_is_sooner", lambda self, images: images == ROWS)
    assert cluster.in_bulk(tmp_path, bundle.SHIPPED)["rows_per_second"] > 0
    assert asked == [{"cores": usable_cores(), "onnx": True}]
