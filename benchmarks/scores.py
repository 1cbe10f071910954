"""Scores of what was read: proportions with their intervals, wrong marks, how well doubt is placed.

NumPy alone, no pictures; every score is counts or ranks over all that was read, nothing dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepmnist.evaluation import wilson_interval

BINS = 10  # of a reliability diagram, of equal width
KEPT = 0.95  # of digits that are accepted, where it is asked how much else is


def proportion(right: int, n: int) -> dict[str, Any]:
    """The count, the share and its 95 % Wilson interval; the share of none is None."""
    if n == 0:
        return {"right": 0, "n": 0, "accuracy": None, "interval": None}
    return {
        "right": right,
        "n": n,
        "accuracy": right / n,
        "interval": list(wilson_interval(right, n)),
    }


def edits(one: str, other: str) -> int:
    """The least number of marks to insert, drop or change (Levenshtein)."""
    row = list(range(len(other) + 1))
    for count, mark in enumerate(one, start=1):
        before, row[0] = row[0], count
        for place, wanted in enumerate(other, start=1):
            best = min(row[place] + 1, row[place - 1] + 1, before + (mark != wanted))
            before, row[place] = row[place], best
    return row[-1]


def separation(digits: Sequence[float], others: Sequence[float]) -> dict[str, float]:
    """How well confidence parts digits from what is none; both hold at least one.

    auroc: the chance that a digit's is the higher of a random pair, ties counting half.
    accepted: the share of the others that are at or above the level which KEPT of digits reach.
    """
    known, strange = np.sort(np.asarray(digits)), np.asarray(others)
    below = np.searchsorted(known, strange, "left") + np.searchsorted(known, strange, "right")
    level = known[int((1 - KEPT) * len(known))]
    return {
        "auroc": float(1 - below.sum() / (2 * len(known) * len(strange))),
        "level": float(level),
        "accepted": float((strange >= level).mean()),
    }


def reliability(confidences: Sequence[float], right: Sequence[bool]) -> list[dict[str, Any]]:
    """The bins of a reliability diagram, (low, high] but the first, which holds 0 as well."""
    sure, hits = np.asarray(confidences), np.asarray(right)
    places = np.clip(np.ceil(sure * BINS).astype(int) - 1, 0, BINS - 1)
    return [_bin(place, sure[places == place], hits[places == place]) for place in range(BINS)]


def _bin(place: int, sure: NDArray[np.float64], hits: NDArray[np.bool_]) -> dict[str, Any]:
    return {
        "low": place / BINS,
        "high": (place + 1) / BINS,
        "n": len(sure),
        "confidence": float(sure.mean()) if len(sure) else None,
        "accuracy": float(hits.mean()) if len(sure) else None,
    }


def calibration_error(bins: Sequence[dict[str, Any]]) -> float:
    """|accuracy - confidence| averaged over all that the bins hold."""
    total = sum(each["n"] for each in bins)
    off = sum(each["n"] * abs(each["accuracy"] - each["confidence"]) for each in bins if each["n"])
    return off / total if total else 0.0
