"""A run's record without a run, for what trains its members."""

from __future__ import annotations

from typing import Any

from deepmnist import recipes
from deepmnist.runfolder import RunRecord

SMALL: dict[str, Any] = {"steps": 8, "batch_size": 16, "precision": "float32", "dropout": 0.3}


def small(tensorboard: bool = False, **overrides: Any) -> RunRecord:
    """Of small nets, trained for a few steps."""
    return RunRecord(
        dataset=None,
        data_dir=None,
        resize=False,
        fallback=False,
        identity="0" * 64,
        config=recipes.configure("fast", **{**SMALL, **overrides}),
        tensorboard=tensorboard,
        versions={},
    )
