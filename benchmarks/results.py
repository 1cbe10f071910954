"""The form every measurement is written in."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deepmnist import atomic, machine

FOLDER = Path(__file__).parent / "results"


def write(name: str, figures: dict[str, Any]) -> Path:
    """Put benchmarks/results/NAME.json: when, on what machine, with which versions, what."""
    values = {
        "benchmark": name,
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine.describe(),
        "versions": machine.versions(),
        **figures,
    }
    path = FOLDER / f"{name}.json"
    atomic.write(path, (json.dumps(values, indent=2) + "\n").encode())
    return path


def spread(values: Sequence[float]) -> dict[str, Any]:
    """n, mean, standard deviation (of the sample), least and largest."""
    return {
        "n": len(values),
        "mean": statistics.fmean(values),
        "sd": statistics.stdev(values) if len(values) > 1 else None,
        "min": min(values),
        "max": max(values),
    }
