"""What `predict` and `read` share in how they take pictures and print answers."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deepmnist.prediction import Prediction
    from deepmnist.reader import Digit

STDIN = "-"
UNREADABLE = 1  # exit status: some picture could not be read, the rest are answered


class Format(StrEnum):
    """How answers are printed."""

    table = "table"
    json = "json"
    csv = "csv"


def cells(found: Prediction | Digit) -> list[str]:
    """An answer's verdict.FIELDS as cells of a CSV."""
    figures = [f"{found.probability:.6f}", f"{found.confidence:.6f}"]
    return [found.label, *figures, str(found.accepted).lower(), found.reason or ""]
