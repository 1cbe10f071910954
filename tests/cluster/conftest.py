"""What the tests of cluster/ share: a fake model, a scoring, a source of every kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepmnist.cluster import job, local
from deepmnist.cluster.progress import Progress
from deepmnist.cluster.tables import Tally
from deepmnist.data.dataset import DIGITS, Dataset
from tests.cluster.files import csv_file, idx_file, parquet_file, png, tar_file


@dataclass(frozen=True)
class FakeModel:
    """Stands in for scoring.Model; every predictor it makes is kept."""

    make: Callable[[], Any]
    sha256: str = "f" * 64
    class_names: tuple[str, ...] = DIGITS
    made: list[Any] = field(default_factory=list)

    def predictor(self, cores: int, onnx: bool = False) -> Any:
        self.made.append(self.make())
        return self.made[-1]

    def onnx_is_sooner(self, images: int) -> bool:
        return False


@pytest.fixture
def model(fake_predictor: Any) -> FakeModel:
    return FakeModel(type(fake_predictor))


@pytest.fixture
def score(model: FakeModel) -> Callable[..., Tally]:
    """Score a source into a folder with the fake model, in this process."""

    def run(source: Path | str, out: Path | str, read: bool = False, **changed: Any) -> Tally:
        given = changed.get("model", model)
        with job.begun(str(source), str(out), given, changed.get("coverage"), read) as begun:
            return local.run(begun, Progress(begun.manifest.weight, begun.manifest.parts))

    return run


@pytest.fixture
def every_kind(tmp_path: Path, tiny: Dataset) -> Path:
    """A folder with a file of every kind, all of them sound."""
    folder, images = tmp_path / "source", np.asarray(tiny.images)
    (folder / "pictures" / "7").mkdir(parents=True)
    (folder / "a.csv").write_text(csv_file(images[:30]))
    (folder / "b.parquet").touch()
    parquet_file(folder / "b.parquet", images)
    (folder / "train-images-idx3-ubyte").write_bytes(idx_file(images))
    (folder / "c.tar").write_bytes(tar_file([(f"{k}.png", png(images[k])) for k in range(10)]))
    for each in range(10):
        (folder / "pictures" / "7" / f"{each}.png").write_bytes(png(images[each]))
    return folder
